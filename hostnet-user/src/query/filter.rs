//! What narrows a question down, the same for all of them.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use rusqlite::types::Value;

use super::{
    History, Time,
    history::Event,
    known::{Known, known},
};
use crate::event::{Action, NotSelected, select};

/// Which events are asked about; everything where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Containers that have or had this name, or whose id begins so; `host` for the host's own.
    pub container: Option<String>,
    /// Containers of this image, with its tag or without.
    pub image: Option<String>,
    /// Only these `event.action`s.
    pub actions: Vec<String>,
    /// Processes of this name, path, process id or entity id.
    pub process: Option<String>,
    /// From this moment on.
    pub since: Option<Time>,
    /// Up to and with this moment.
    pub until: Option<Time>,
    /// At most so many rows.
    pub limit: Option<usize>,
}

impl Filter {
    /// The first moment asked about.
    #[must_use]
    pub const fn from(&self) -> Time {
        match self.since {
            Some(since) => since,
            None => Time(0),
        }
    }

    /// The last moment asked about.
    #[must_use]
    pub const fn to(&self) -> Time {
        match self.until {
            Some(until) => until,
            None => Time(i64::MAX),
        }
    }

    /// How many rows at most.
    #[must_use]
    pub fn most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The owners that are meant; `None` for everybody.
    ///
    /// # Errors
    /// When the history has no such container, several ids begin so, or it cannot be read.
    pub fn owners(&self, history: &History) -> Result<Option<BTreeSet<String>>> {
        if self.container.is_none() && self.image.is_none() {
            return Ok(None);
        }
        let known = known(history)?;
        let selected =
            self.container.as_deref().map(|wanted| one_of(&known, wanted)).transpose()?;
        let is_meant = |one: &&Known| {
            let is_selected = selected.as_ref().is_none_or(|ids| ids.contains(&one.owner));
            is_selected && self.image.as_deref().is_none_or(|wanted| one.is_of_image(wanted))
        };
        let meant: BTreeSet<String> =
            known.iter().filter(is_meant).map(|one| one.owner.clone()).collect();
        if let Some(image) = self.image.as_deref().filter(|_| meant.is_empty()) {
            let who = self.container.as_deref().unwrap_or("no container");
            let is = if self.container.is_some() { "is not" } else { "in the history is" };
            bail!("{who} {is} of image {image}: `hostnet query containers` lists them");
        }
        Ok(Some(meant))
    }

    /// The containers that a word means.
    ///
    /// # Errors
    /// When the history has no such container, several ids begin so, or it cannot be read.
    pub fn containers(history: &History, wanted: &str) -> Result<BTreeSet<String>> {
        let known = known(history)?;
        Ok(select(wanted, known.iter().flat_map(Known::keys))?)
    }

    /// The containers that are called the same as the one with this name or id, or an id
    /// that begins so, those that may be of the same service, and everybody without a name; `None` when there is no such one.
    ///
    /// # Errors
    /// When several ids begin so, or the history cannot be read.
    pub fn namesakes(history: &History, wanted: &str) -> Result<Option<BTreeSet<String>>> {
        let known = known(history)?;
        let selected = match select(wanted, known.iter().flat_map(Known::keys)) {
            Ok(selected) => selected,
            Err(NotSelected::Unknown(_)) => return Ok(None),
            Err(ambiguous @ NotSelected::Ambiguous { .. }) => return Err(ambiguous.into()),
        };
        let names = |one: &Known| {
            one.names.iter().map(|(name, ..)| stem(name).to_owned()).collect::<Vec<_>>()
        };
        let meant: BTreeSet<String> =
            known.iter().filter(|one| selected.contains(&one.owner)).flat_map(names).collect();
        let may_be = |one: &&Known| {
            selected.contains(&one.owner)
                || one.names.is_empty()
                || names(one).iter().any(|name| meant.contains(name))
        };
        Ok(Some(known.iter().filter(may_be).map(|one| one.owner.clone()).collect()))
    }

    /// Whether an event is of the process that is meant.
    #[must_use]
    pub fn is_of_process(&self, event: &Event) -> bool {
        let Some(wanted) = self.process.as_deref() else { return true };
        let process = &event.read.process;
        let is = |text: &Option<String>| text.as_deref() == Some(wanted);
        is(&process.name)
            || is(&process.executable)
            || is(&process.entity_id)
            || process.pid.is_some_and(|pid| wanted.parse() == Ok(pid))
    }
}

/// What the names of a service's containers have in common: Swarm's tasks are called
/// `service.slot.task`, Compose's replicas `project-service-number`.
fn stem(name: &str) -> &str {
    let mut parts = name.rsplitn(3, '.');
    if let (Some(_), Some(_), Some(service)) = (parts.next(), parts.next(), parts.next()) {
        return service;
    }
    let unnumbered = name.trim_end_matches(|c: char| c.is_ascii_digit());
    unnumbered.strip_suffix(['-', '_']).unwrap_or(name)
}

/// The owners that a word means: `host` and the like, or containers.
fn one_of(known: &[Known], wanted: &str) -> Result<BTreeSet<String>> {
    match select(wanted, known.iter().flat_map(Known::keys)) {
        Ok(selected) => Ok(selected),
        Err(NotSelected::Unknown(_)) if known.iter().any(|one| one.owner == wanted) => {
            Ok(BTreeSet::from([wanted.to_owned()]))
        }
        Err(NotSelected::Unknown(_)) => {
            bail!("the history knows no container {wanted}: `hostnet query containers` lists them")
        }
        Err(ambiguous @ NotSelected::Ambiguous { .. }) => Err(ambiguous.into()),
    }
}

/// A condition and its values, put together bit by bit.
#[derive(Debug, Default)]
pub(super) struct Condition {
    terms: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Condition {
    /// A term in which `?` stands for the value.
    pub(super) fn with(&mut self, term: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.terms.push(term.replace('?', &format!("?{}", self.values.len())));
    }

    /// A term without a value.
    pub(super) fn plain(&mut self, term: &str) {
        self.terms.push(term.to_owned());
    }

    /// That `column` is one of these.
    pub(super) fn one_of<'a>(&mut self, column: &str, these: impl Iterator<Item = &'a str>) {
        let mut marks = Vec::new();
        for one in these {
            self.values.push(one.to_owned().into());
            marks.push(format!("?{}", self.values.len()));
        }
        self.terms.push(format!("{column} IN ({})", marks.join(", ")));
    }

    /// That it was from one moment to another, where that matters.
    pub(super) fn time(&mut self, filter: &Filter) {
        if let Some(since) = filter.since {
            self.with("e.time_ns >= ?", since.0);
        }
        if let Some(until) = filter.until {
            self.with("e.time_ns <= ?", until.0);
        }
    }

    /// The condition as SQL.
    pub(super) fn sql(&self) -> String {
        if self.terms.is_empty() { "1".to_owned() } else { self.terms.join(" AND ") }
    }
}

/// What the index of actions is for, word for word as the index has it.
pub(super) const IS_RARE: &str = concat!("e.action NOT IN (", frequent_actions!(), ")");

/// What the index of findings is for.
pub(super) const IS_FINDING: &str = "e.dataset = 'hostnet.finding'";

/// Whether the index of actions has all of these.
pub(super) fn are_rare<'a>(actions: impl IntoIterator<Item = &'a str>) -> bool {
    actions.into_iter().all(|name| Action::from_name(name).is_none_or(Action::is_rare))
}
