//! From when to when a socket had a local port or name: its events put together.
//!
//! A socket is its boot and its cookie. It is held from its first sign to its close.
//! Where no close was recorded, [`end`] decides, and nothing else does (`cargo xtask
//! tidy`). The end of a process ends nothing: others may have inherited the socket.
//! From then on it is uncertain, until a later sign shows that the socket is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde::Serialize;

use super::{
    History, Runs, Time,
    containers::moments,
    history::{COLUMNS, Event, span_of},
    processes::end_of,
};
use crate::{event::Action, format::ecs::read::Process};

/// What a socket does with its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Connected from it, or sent.
    Connected,
    /// Has it by bind(2); UDP sockets receive then.
    Bound,
    /// Waits for connections.
    Listening,
}

/// How the beginning is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Began {
    /// It was told.
    Told,
    /// It was there when the agent started.
    Existed,
    /// Only its end was told: it began at this moment or later.
    NotTold,
}

/// How the end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It was told.
    Closed,
    /// Its container left the host's network namespace.
    ContainerLeft,
    /// The agent started then and did not find it.
    NotFound,
    /// The host was booted, and the agent started then.
    Rebooted,
}

/// A socket and its address, for as long as it had it.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The kernel's id of the socket.
    pub cookie: u64,
    /// Which boot.
    pub boot: String,
    /// `tcp`, `udp`, ….
    pub protocol: String,
    /// Address; of a unix socket, its name.
    pub address: String,
    /// Port; 0 for a name.
    pub port: u16,
    /// What it did at most.
    pub held: Held,
    /// From when.
    pub since: Time,
    /// How that is known.
    pub began: Began,
    /// Until when; `None` when it has it still, as far as is known.
    pub until: Option<Time>,
    /// How that is known.
    pub ended: Option<Ended>,
    /// From when on it may be over, and why, while no end is known.
    pub unsure: Option<(Time, String)>,
    /// The event that told of it first.
    pub event: Event,
    /// Who showed that it is there, in order; never none.
    signs: Vec<Sign>,
}

/// Something that shows that a socket is there, by whom. Of several in a row by the
/// same process and in the same run, the last.
#[derive(Clone, Debug)]
struct Sign {
    first: Time,
    last: Time,
    run: String,
    owner: String,
    process: Process,
}

/// The one rule for how long a socket without a recorded close is held: until the first
/// thing that ends whatever its owner had, and that is not older than its last sign.
fn end(last_sign: Time, ends: impl IntoIterator<Item = (Time, Ended)>) -> Option<(Time, Ended)> {
    ends.into_iter().filter(|(at, _)| *at >= last_sign).min_by_key(|(at, _)| *at)
}

/// Sockets by what their events say.
#[derive(Default)]
pub(super) struct Machine {
    open: HashMap<(String, u64), Holding>,
    done: Vec<Holding>,
}

impl Machine {
    /// The next event, in the order of the history.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other actions say nothing of who holds a port"
    )]
    pub(super) fn take(&mut self, event: Event, runs: &Runs) {
        let Some(cookie) = event.read.hostnet.socket.cookie else { return };
        let boot = event.read.host.boot.id.clone().unwrap_or_default();
        let key = (boot, cookie);
        let is_failure = event.read.event.outcome == "failure";
        let Some(action) = event.read.event.action() else { return };
        match action {
            Action::ClosedListener | Action::DisconnectReceived => self.end(key, event, runs),
            Action::ConnectionAttempted | Action::ConnectionOutcome if is_failure => {
                // Without a bind the port was its own for the attempt alone.
                self.end_of_attempt(key, event, runs);
            }
            Action::BoundSocket if is_failure => {}
            Action::BoundSocket => self.begin(key, event, Held::Bound, Began::Told, runs),
            Action::ListenForConnections => {
                self.begin(key, event, Held::Listening, Began::Told, runs);
            }
            Action::ExistingSocket => {
                let held = match event.read.hostnet.existing.state.as_deref() {
                    Some("listen") => Held::Listening,
                    Some("bound") => Held::Bound,
                    _ => Held::Connected,
                };
                self.begin(key, event, held, Began::Existed, runs);
            }
            Action::ConnectionAttempted | Action::ConnectionOutcome => {
                self.begin(key, event, Held::Connected, Began::Told, runs);
            }
            _ => {}
        }
    }

    fn begin(&mut self, key: (String, u64), event: Event, held: Held, began: Began, runs: &Runs) {
        if let Some(open) = self.open.get_mut(&key) {
            // A port that the kernel chose is known by the listen.
            open.held = open.held.max(held);
            open.sign(&event);
            return;
        }
        if let Some(holding) = holding(&key, event, held, began, runs) {
            self.open.insert(key, holding);
        }
    }

    fn end_of_attempt(&mut self, key: (String, u64), event: Event, runs: &Runs) {
        if self.open.get(&key).is_some_and(|one| one.held == Held::Connected) {
            self.end(key, event, runs);
        }
    }

    fn end(&mut self, key: (String, u64), event: Event, runs: &Runs) {
        let at = event.time;
        let open = self.open.remove(&key).or_else(|| {
            let is_listener = event.read.event.action() == Some(Action::ClosedListener);
            let held = if is_listener { Held::Listening } else { Held::Connected };
            holding(&key, event, held, Began::NotTold, runs)
        });
        if let Some(mut open) = open {
            (open.until, open.ended) = (Some(at), Some(Ended::Closed));
            self.done.push(open);
        }
    }

    /// All holdings, each with its end as far as that follows from anything.
    pub(super) fn finish(mut self, history: &History, runs: &Runs) -> Result<Vec<Holding>> {
        let owners: BTreeSet<String> = self
            .open
            .values()
            .flat_map(|open| open.signs.iter().map(|sign| sign.owner.clone()))
            .collect();
        let left = moments(history, Action::ContainerLeftHostNetwork, Some(&owners))?;
        for mut open in self.open.into_values() {
            open.settle(history, runs, &left)?;
            self.done.push(open);
        }
        self.done.sort_by_key(|one| (one.since, one.event.id));
        Ok(self.done)
    }
}

fn holding(
    (boot, cookie): &(String, u64),
    event: Event,
    held: Held,
    began: Began,
    runs: &Runs,
) -> Option<Holding> {
    let local = event.read.hostnet.local.as_ref()?;
    let (address, port) = (local.address()?.to_owned(), local.port.unwrap_or(0));
    let run = runs.runs.iter().find(|run| run.run == event.run);
    let run_began = run.map_or(Time(0), |run| run.began);
    let since = match began {
        Began::Told => event.time,
        // It was there before the programs were attached.
        Began::Existed => run_began.min(event.time),
        Began::NotTold => match event.read.event.duration {
            Some(lasted) => event.time.before(lasted.try_into().unwrap_or(i64::MAX)),
            None => run_began.min(event.time),
        },
    };
    Some(Holding {
        cookie: *cookie,
        boot: boot.clone(),
        protocol: event.read.hostnet.socket.protocol.clone(),
        address,
        port,
        held,
        since,
        began,
        until: None,
        ended: None,
        unsure: None,
        signs: vec![Sign::of(&event)],
        event,
    })
}

/// The start of the agent that should have found it and did not.
fn restarted(open: &Holding, seen_in: &str, runs: &Runs) -> Option<(Time, Ended)> {
    let seen = runs.runs.iter().position(|run| run.run == seen_in)?;
    // A TCP socket that is only bound is not shown by every kernel.
    let is_shown = open.held != Held::Bound || open.protocol != "tcp";
    runs.runs.get(seen + 1..)?.iter().find_map(|next| match next.boot == open.boot {
        false => Some((next.began, Ended::Rebooted)),
        true => is_shown.then_some((next.began, Ended::NotFound)),
    })
}

/// Ten minutes of arrivals at a port that are looked through for one socket's, at most.
const MOST_SPANS: usize = 64;

/// The last datagram from somebody new that came to a UDP socket after a moment: these
/// are not counted among the events of its port.
fn last_arrival(history: &History, open: &Holding, after: Time) -> Result<Option<Event>> {
    let mut spans = history.connection.prepare_cached(
        "SELECT max(first_ns, ?4), last_ns FROM peer WHERE span >= ?1 AND direction = 'ingress' \
         AND protocol = ?2 AND port = ?3 AND last_ns > ?4 ORDER BY last_ns DESC LIMIT ?5",
    )?;
    let port = i64::from(open.port);
    let values = (span_of(after), &open.protocol, port, after.0, MOST_SPANS as i64);
    let spans = spans.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let accepted = Action::ConnectionAccepted.name();
    let question = format!(
        "SELECT {COLUMNS} FROM event e WHERE e.time_ns BETWEEN ?1 AND ?2 AND \
         e.action = '{accepted}' AND instr(e.document, ?3) > 0 ORDER BY e.time_ns DESC"
    );
    for span in spans {
        let (first, last): (i64, i64) = span?;
        let cookie = format!("\"cookie\":{}", open.cookie);
        let mut found = None;
        history.each(&question, &[first.into(), last.into(), cookie.into()], |event| {
            let is_of_boot = event.read.host.boot.id.as_deref().unwrap_or_default() == open.boot;
            if is_of_boot && event.read.hostnet.socket.cookie == Some(open.cookie) {
                found = Some(event);
            }
            Ok(found.is_none())
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

impl Sign {
    fn of(event: &Event) -> Self {
        Self {
            first: event.time,
            last: event.time,
            run: event.run.clone(),
            owner: event.owner.clone(),
            process: event.read.process.clone(),
        }
    }

    /// The process in words.
    fn process(&self) -> String {
        let name = self.process.name.as_deref().unwrap_or("process");
        self.process.pid.map_or_else(|| name.to_owned(), |pid| format!("{name} (pid {pid})"))
    }
}

impl Holding {
    /// An event shows that the socket is there.
    fn sign(&mut self, event: &Event) {
        let new = Sign::of(event);
        match self.signs.last_mut() {
            Some(last)
                if (&last.run, &last.owner, &last.process.entity_id)
                    == (&new.run, &new.owner, &new.process.entity_id) =>
            {
                last.last = last.last.max(new.last);
            }
            _ => self.signs.push(new),
        }
    }

    /// Finds out how it ended, of one without a recorded close.
    fn settle(
        &mut self,
        history: &History,
        runs: &Runs,
        left: &BTreeMap<String, Vec<Time>>,
    ) -> Result<()> {
        // The end of a TCP listener is always recorded, whichever process has it at last.
        let is_recorded = self.held == Held::Listening && self.protocol == "tcp";
        let mut process_ended = None;
        while !is_recorded && let Some(last) = self.signs.last().cloned() {
            process_ended = match last.process.entity_id.as_deref() {
                Some(entity) => end_of(history, entity, (&last.owner, last.first))?,
                None => None,
            };
            process_ended = process_ended.filter(|at| *at >= last.last);
            let Some(at) = process_ended else { break };
            match last_arrival(history, self, at)? {
                Some(event) => self.sign(&event),
                None => break,
            }
        }
        let Some(last) = self.signs.last().cloned() else { return Ok(()) };
        let leaves = left.get(&last.owner).into_iter().flatten();
        let leaves = leaves.map(|at| (*at, Ended::ContainerLeft));
        let ends = leaves.chain(restarted(self, &last.run, runs));
        let end = end(last.last, ends);
        (self.until, self.ended) = end.unzip();
        if let Some(at) = process_ended.filter(|at| self.until.is_none_or(|until| *at < until)) {
            let process = last.process();
            let why = format!(
                "{process}, the last process known to use it, exited at {at}; a process that \
                 inherited the socket may still have it"
            );
            self.unsure = Some((at, why));
        }
        Ok(())
    }

    /// The process that used it at a moment, as far as is known, or at last.
    #[must_use]
    pub fn process(&self, at: Option<Time>) -> &Process {
        let is_then = |sign: &&Sign| at.is_none_or(|at| sign.first <= at);
        let sign = self.signs.iter().rfind(is_then).or_else(|| self.signs.first());
        sign.map_or(&self.event.read.process, |sign| &sign.process)
    }

    /// What another look at the events of the same socket has found out about its end.
    pub(super) fn ends_as(&mut self, same: &Self) {
        (self.until, self.ended) = (same.until, same.ended);
        self.unsure.clone_from(&same.unsure);
        self.signs.clone_from(&same.signs);
    }

    /// Whether its close was recorded, which proves that it was there until then.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ended == Some(Ended::Closed)
    }

    /// Whether it had it at a moment, by what was told.
    #[must_use]
    pub fn is_at(&self, time: Time) -> bool {
        self.since <= time && self.until.is_none_or(|until| time < until)
    }

    /// Who can reach it: `loopback`, `specific` or `any`.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        let own = &self.event.read.hostnet;
        let told = [&own.listen.scope, &own.bind.scope, &own.existing.scope];
        told.into_iter().flatten().map(String::as_str).next()
    }
}
