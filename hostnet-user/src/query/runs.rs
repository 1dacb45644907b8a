//! When the agent looked, and what is missing of what it saw: without that, nobody
//! could tell an empty answer from an honest no.

use anyhow::Result;
use rusqlite::types::Value;

use super::{
    History, Time,
    filter::IS_RARE,
    history::{COLUMNS, Event},
};
use crate::event::Action;

/// One run of the agent.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// The boot it was in.
    pub boot: String,
    /// Its first event in the history.
    pub began: Time,
    /// Whether that was its very first one.
    pub is_whole: bool,
    /// The place of that event.
    pub first_id: u64,
    /// Its last event, or until when it was said later that nothing else had happened.
    pub last: Time,
    /// It said that it stops, or the next run found that it had crashed.
    pub has_ended: bool,
}

/// Something that is missing, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// What it is.
    pub why: String,
    /// Kinds of records that may be missing; empty for any.
    pub kinds: Vec<String>,
}

/// All runs in the history, in their order, and what is missing of them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<Run>,
    /// What was lost while they ran.
    pub losses: Vec<Doubt>,
    /// Times between two runs of which nothing is missing: the programs went on.
    covered: Vec<(Time, Time)>,
}

/// The runs of the agent that the history has.
///
/// # Errors
/// When it cannot be read.
pub fn runs(history: &History) -> Result<Runs> {
    let about = Action::that(Action::is_of_observation);
    let list = about.map(|action| format!("'{}'", action.name())).collect::<Vec<_>>().join(", ");
    let question = format!(
        "SELECT {COLUMNS} FROM event e WHERE {IS_RARE} AND e.action IN ({list}) ORDER BY e.id"
    );
    let mut found = Runs::default();
    let first =
        history.all(&format!("SELECT {COLUMNS} FROM event e ORDER BY e.id LIMIT 1"), &[])?;
    let last =
        history.all(&format!("SELECT {COLUMNS} FROM event e ORDER BY e.id DESC LIMIT 1"), &[])?;
    // The oldest run may have begun before the history does.
    for event in &first {
        found.begin(event);
    }
    history.each(&question, &[], |event| {
        found.take(&event);
        Ok(true)
    })?;
    for event in &last {
        found.begin(event);
    }
    let next: Vec<Option<u64>> =
        (1..=found.runs.len()).map(|at| found.runs.get(at).map(|run| run.first_id)).collect();
    for (run, next) in found.runs.iter_mut().zip(next) {
        let before = next.map_or(i64::MAX, |next| next.cast_signed());
        let question =
            format!("SELECT {COLUMNS} FROM event e WHERE e.id < ?1 ORDER BY e.id DESC LIMIT 1");
        let values = [Value::from(before)];
        let last = history.all(&question, &values)?;
        run.last = last.first().map_or(run.last, |event| event.time.max(run.last));
    }
    if let Some(mark) = &history.mark
        && let Some(run) = found.runs.last_mut().filter(|run| run.run == mark.run && !run.has_ended)
    {
        run.last = run.last.max(Time(i64::try_from(mark.until_ns).unwrap_or(i64::MAX)));
    }
    Ok(found)
}

impl Runs {
    fn begin(&mut self, event: &Event) {
        let sequence = event.read.event.sequence.max(1);
        if self.runs.iter().any(|run| run.run == event.run) {
            return;
        }
        self.runs.push(Run {
            run: event.run.clone(),
            boot: event.read.host.boot.id.clone().unwrap_or_default(),
            began: event.time,
            is_whole: sequence == 1 || event.read.event.action() == Some(Action::AgentStarted),
            first_id: event.id.saturating_sub(sequence - 1).max(1),
            last: event.time,
            has_ended: false,
        });
    }

    fn take(&mut self, event: &Event) {
        self.begin(event);
        let of = |text: &Option<String>| text.as_deref().and_then(Time::read);
        let range = (of(&event.read.event.start), of(&event.read.event.end));
        match event.read.event.action() {
            Some(Action::AgentStarted) => {
                if let Some(run) = self.runs.iter_mut().find(|run| run.run == event.run) {
                    run.is_whole = true;
                }
            }
            Some(Action::AgentStopped) => self.end(&event.run),
            Some(Action::AgentCrashed) => {
                self.end(event.read.hostnet.health["run"].as_str().unwrap_or_default());
            }
            Some(Action::ProgramsAdopted) => {
                if let (Some(from), Some(to)) = range {
                    self.covered.push((from, to));
                }
            }
            _ => {
                let Some(loss) = &event.read.hostnet.loss else { return };
                let from = range.0.unwrap_or(event.time);
                self.losses.push(Doubt {
                    from,
                    to: range.1.unwrap_or(event.time),
                    why: event.read.message.clone(),
                    kinds: loss.by.iter().map(|by| by.operation.clone()).collect(),
                });
            }
        }
    }

    fn end(&mut self, run: &str) {
        if let Some(run) = self.runs.iter_mut().find(|one| one.run == run) {
            run.has_ended = true;
        }
    }

    /// Which run looked at a moment; nobody where none did.
    #[must_use]
    pub fn at(&self, time: Time) -> Option<&Run> {
        let is_in = |run: &&Run| run.began <= time && time <= run.last;
        self.runs.iter().rfind(is_in).or_else(|| {
            let is_covered = self.covered.iter().any(|(from, to)| *from <= time && time <= *to);
            self.runs.iter().rfind(|run| is_covered && run.began <= time)
        })
    }

    /// Why nobody looked at a moment.
    #[must_use]
    pub fn why_not_at(&self, time: Time) -> Doubt {
        let before = self.runs.iter().rfind(|run| run.last < time);
        let after = self.runs.iter().find(|run| run.began > time);
        let (from, to) = (before.map_or(Time(0), |run| run.last), after.map(|run| run.began));
        let why = match (before, after) {
            (None, Some(run)) => format!("the history begins at {}", run.began),
            (Some(run), None) if run.has_ended => {
                format!("the agent stopped at {} and has not run since", run.last)
            }
            (Some(run), None) => {
                format!("the history is known to be complete only until {}", run.last)
            }
            (Some(run), Some(next)) => {
                format!("no agent ran from {} to {}", run.last, next.began)
            }
            (None, None) => "the history is empty".to_owned(),
        };
        Doubt { from, to: to.unwrap_or(Time(i64::MAX)), why, kinds: Vec::new() }
    }

    /// What may be missing, of these kinds of records, between two moments.
    pub fn lost<'a>(
        &'a self,
        from: Time,
        to: Time,
        kinds: &'a [&'a str],
    ) -> impl Iterator<Item = &'a Doubt> + 'a {
        self.losses.iter().filter(move |loss| {
            let is_then = loss.from <= to && loss.to >= from;
            is_then && loss.may_be(kinds)
        })
    }
}

impl Doubt {
    /// Whether one of these kinds of records may be among what is missing.
    fn may_be(&self, kinds: &[&str]) -> bool {
        // What is not in the list of kinds is a program, which may have told anything.
        let is_kind =
            |name: &str| hostnet_abi::EventKind::ALL.iter().any(|kind| kind.name() == name);
        self.kinds.is_empty()
            || self.kinds.iter().any(|name| kinds.contains(&name.as_str()) || !is_kind(name))
    }
}
