//! From when to when a socket had a local port or name: its events put together.
//!
//! A socket is its boot and its cookie. Where its end is not told, whatever came
//! first ends it: its container left, its process ended, the agent started anew and
//! did not find it, the host was booted. What is only likely is said to be.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use rusqlite::types::Value;
use serde::Serialize;

use super::{
    History, Runs, Time,
    containers::moments,
    filter::IS_RARE,
    history::{COLUMNS, Event},
};

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
    /// Its process ended; another may have had the socket, too.
    ProcessEnded,
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
    /// The event that told of it first.
    pub event: Event,
    /// The last run that told of it.
    seen_in: String,
}

/// Sockets by what their events say.
#[derive(Default)]
pub(super) struct Machine {
    open: HashMap<(String, u64), Holding>,
    done: Vec<Holding>,
}

impl Machine {
    /// The next event, in the order of the history.
    pub(super) fn take(&mut self, event: Event, runs: &Runs) {
        let Some(cookie) = event.read.hostnet.socket.cookie else { return };
        let boot = event.read.host.boot.id.clone().unwrap_or_default();
        let key = (boot, cookie);
        let is_failure = event.read.event.outcome == "failure";
        match event.read.event.action.as_str() {
            "closed-listener" | "disconnect_received" => self.end(key, event, runs),
            "connection_attempted" | "connection-outcome" if is_failure => {
                // Without a bind the port was its own for the attempt alone.
                self.end_of_attempt(key, event, runs);
            }
            "bound-socket" if is_failure => {}
            "bound-socket" => self.begin(key, event, Held::Bound, Began::Told, runs),
            "listen-for-connections" => {
                self.begin(key, event, Held::Listening, Began::Told, runs);
            }
            "existing_socket" => {
                let held = match event.read.hostnet.existing.state.as_deref() {
                    Some("listen") => Held::Listening,
                    Some("bound") => Held::Bound,
                    _ => Held::Connected,
                };
                self.begin(key, event, held, Began::Existed, runs);
            }
            "connection_attempted" | "connection-outcome" => {
                self.begin(key, event, Held::Connected, Began::Told, runs);
            }
            _ => {}
        }
    }

    fn begin(&mut self, key: (String, u64), event: Event, held: Held, began: Began, runs: &Runs) {
        if let Some(open) = self.open.get_mut(&key) {
            // A port that the kernel chose is known by the listen.
            open.held = open.held.max(held);
            open.seen_in.clone_from(&event.run);
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
            let is_listener = event.read.event.action == "closed-listener";
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
        let owners: BTreeSet<String> =
            self.open.values().map(|open| open.event.owner.clone()).collect();
        let left = moments(history, "container-left-host-network", Some(&owners))?;
        for mut open in self.open.into_values() {
            let mut leaves = left.get(&open.event.owner).into_iter().flatten();
            let mut ends: Vec<(Time, Ended)> = leaves
                .find(|at| **at >= open.since)
                .map(|at| (*at, Ended::ContainerLeft))
                .into_iter()
                .chain(restarted(&open, runs))
                .collect();
            // The end of a TCP listener is told, whoever has it at last.
            if open.held != Held::Listening || open.protocol != "tcp" {
                ends.extend(process_end(history, &open)?.map(|at| (at, Ended::ProcessEnded)));
            }
            if let Some((at, how)) = ends.into_iter().min_by_key(|(at, _)| *at) {
                (open.until, open.ended) = (Some(at), Some(how));
            }
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
        seen_in: event.run.clone(),
        event,
    })
}

/// The start of the agent that should have found it and did not.
fn restarted(open: &Holding, runs: &Runs) -> Option<(Time, Ended)> {
    let seen = runs.runs.iter().position(|run| run.run == open.seen_in)?;
    let next = runs.runs.get(seen + 1)?;
    if next.boot != open.boot {
        return Some((next.began, Ended::Rebooted));
    }
    // A TCP socket that is only bound is not shown by every kernel.
    let is_shown = open.held != Held::Bound || open.protocol != "tcp";
    is_shown.then_some((next.began, Ended::NotFound))
}

fn process_end(history: &History, open: &Holding) -> Result<Option<Time>> {
    let Some(entity) = open.event.read.process.entity_id.clone() else { return Ok(None) };
    let question = format!(
        "SELECT {COLUMNS} FROM event e WHERE {IS_RARE} AND e.action = 'end' AND e.time_ns >= ?1 \
         AND e.owner = ?2 AND instr(e.document, ?3) > 0 ORDER BY e.time_ns"
    );
    let values =
        [Value::from(open.since.0), open.event.owner.clone().into(), entity.clone().into()];
    let mut at = None;
    history.each(&question, &values, |event| {
        // Its child's end has the same text in it.
        if event.read.process.entity_id.as_deref() == Some(&entity) {
            at = Some(event.time);
        }
        Ok(at.is_none())
    })?;
    Ok(at)
}

impl Holding {
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
