//! Did a container need the host's network? What it took of it, what a bridge network
//! would make of that, and what to change.
//!
//! No I/O and no clock: events go in, in the order in which they were told, and advice
//! comes out. Memory is bounded however many events there are. It does not know where
//! events are from, nor how the advice is shown (`show/`).

mod act;
mod change;
mod observed;
mod ports;
mod rates;
mod seen;
pub mod show;
#[cfg(test)]
mod tests;
mod verdict;
mod window;

use std::{cmp::Reverse, collections::HashMap};

use serde::Serialize;

pub use act::{Bridge, Group, Needs};
pub use change::Change;
pub use ports::{Port, Publish};
pub use rates::Rate;
pub use seen::Seen;
pub use verdict::{Answer, Confidence, Verdict};
pub use window::{BeyondIp, Losses, TELLING};

use self::{
    observed::{Life, Observed},
    window::Window,
};
use crate::event::{Event, Owner, OwnerKind};

/// Most containers told apart; of the rest, how many events they had.
const MOST_CONTAINERS: usize = 10_000;

/// The advice for one container.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// Its name, else the beginning of its id.
    pub label: String,
    /// Its full ids: several when it was made anew with the same name and image.
    pub ids: Vec<String>,
    /// Its image; empty when that is not known.
    pub image: String,
    /// The network mode that it declares, where that is not `host`.
    pub declared: Option<String>,
    /// Whether host networking was needed.
    pub verdict: Verdict,
    /// What it took of the host's network, what counts most first.
    pub evidence: Vec<Evidence>,
    /// Acts of kinds that had too many different ones to keep.
    pub evidence_beyond: u64,
    /// Where it listens, and what Docker would have to do.
    pub ports: Vec<Port>,
    /// What it would need on a bridge network beside ports.
    pub needs: Vec<Needs>,
    /// What to change to run it on a bridge network.
    pub change: Change,
    /// How much it does.
    pub measured: Rate,
    /// How it was observed.
    pub observed: Observation,
}

/// One thing that it took of the host's network.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// What kind of thing.
    pub group: Group,
    /// What, in words.
    pub subject: String,
    /// What a bridge network would make of it.
    #[serde(flatten)]
    pub bridge: Bridge,
    /// How often, when, and one of them.
    pub seen: Seen,
}

/// How a container was observed.
#[derive(Clone, Debug, Serialize)]
pub struct Observation {
    /// When it was seen first: UTC nanoseconds since 1970.
    pub from_ns: u64,
    /// Until when.
    pub until_ns: u64,
    /// How long of that an agent observed it.
    pub observed_ns: u64,
    /// How often it was there: once for each start.
    pub lives: usize,
    /// How many of its starts were seen.
    pub starts_seen: usize,
    /// How many of its ends were seen.
    pub ends_seen: usize,
    /// Runs of an agent.
    pub runs: usize,
    /// How far operations beyond IP were seen.
    pub beyond_ip: BeyondIp,
    /// What was lost of its own.
    pub lost_of_its_own: Losses,
    /// What was lost and may have been its own.
    pub lost_of_nobody: Losses,
    /// Times in which nothing was told, and the like.
    pub gaps: Vec<String>,
}

impl Observation {
    /// Whether nothing is known to be missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.gaps.is_empty() && self.lost_of_its_own.lost + self.lost_of_nobody.lost == 0
    }
}

/// All containers of a record, as its events go by.
#[derive(Debug, Default)]
pub struct Cases {
    window: Window,
    all: Vec<Observed>,
    by_id: HashMap<String, usize>,
    /// A container that is made anew has another id, and is the same for the advice.
    by_name: HashMap<(String, String), usize>,
    beyond: u64,
}

impl Cases {
    /// What the agent that ran when the window begins had said of its coverage.
    pub fn began_before(&mut self, start: &Event) {
        self.window.began_before(start);
    }

    /// Notes what an event says. Its surface has to be known.
    pub fn take(&mut self, event: &Event) {
        self.window.take(event);
        if event.is_finding() {
            return;
        }
        let Some(owner) = event.owner.as_deref().filter(|one| one.kind == OwnerKind::Container)
        else {
            return;
        };
        match self.of(owner) {
            Some(at) => self.all[at].take(event, owner),
            None => self.beyond += 1,
        }
    }

    /// Where the owner's is, made when it is new.
    fn of(&mut self, owner: &Owner) -> Option<usize> {
        let id = owner.container_id.as_ref()?;
        if let Some(at) = self.by_id.get(id) {
            return Some(*at);
        }
        let container = owner.container.as_ref().filter(|container| !container.name.is_empty());
        let name = container.map(|container| (container.name.clone(), container.image.clone()));
        let known = name.as_ref().and_then(|name| self.by_name.get(name)).copied();
        if self.by_id.len() >= MOST_CONTAINERS {
            return None;
        }
        let at = known.unwrap_or_else(|| {
            self.all.push(Observed::default());
            self.all.len() - 1
        });
        self.by_id.insert(id.clone(), at);
        if let Some(name) = name {
            self.by_name.insert(name, at);
        }
        Some(at)
    }

    /// How many events were of containers beyond those that are told apart.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The labels of all containers, for whoever asked for one that is not there.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(Observed::label)
    }

    /// The advice for every container: needed ones first, then by name.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let mut all: Vec<Advice> = self.all.iter().map(|one| self.advise(one)).collect();
        all.sort_by(|one, other| {
            let key = |advice: &Advice| (advice.verdict.answer, advice.label.clone());
            key(one).cmp(&key(other))
        });
        all
    }

    /// The advice for the container with this name, this id, or the one whose id begins so.
    #[must_use]
    pub fn advice_for(&self, wanted: &str) -> Vec<Advice> {
        let is_it = |one: &&Observed| {
            one.container.as_ref().is_some_and(|container| container.name == wanted)
                || one.ids.iter().any(|id| id == wanted)
        };
        let begins =
            |one: &&Observed| !wanted.is_empty() && one.ids.iter().any(|id| id.starts_with(wanted));
        let mut found: Vec<&Observed> = self.all.iter().filter(is_it).collect();
        if found.is_empty() {
            found = self.all.iter().filter(begins).collect();
        }
        found.into_iter().map(|one| self.advise(one)).collect()
    }

    fn advise(&self, one: &Observed) -> Advice {
        let observed = self.observation(one);
        let ports = one.ports.advice();
        let verdict = verdict::verdict(one, &ports, &self.window, &observed);
        let needs: Vec<Needs> = one.needs.iter().cloned().collect();
        let change = Change::of(one, &ports, &needs);
        Advice {
            label: one.label(),
            ids: one.ids.iter().cloned().collect(),
            image: one.container.as_ref().map(|had| had.image.clone()).unwrap_or_default(),
            declared: one.declared.clone(),
            verdict,
            evidence: evidence(one),
            evidence_beyond: one.beyond,
            ports,
            needs,
            change,
            measured: one.rates.over(observed.observed_ns),
            observed,
        }
    }

    fn observation(&self, one: &Observed) -> Observation {
        let time = |life: &Life| {
            let until = life.until_ns.unwrap_or_else(|| self.window.there_until(life.last_ns));
            (life.from_ns, until)
        };
        let times: Vec<(u64, u64)> = one.lives.iter().map(time).collect();
        let (own, of_nobody) = self.window.losses(&one.ids, &times);
        Observation {
            from_ns: times.iter().map(|(from, _)| *from).min().unwrap_or_default(),
            until_ns: times.iter().map(|(_, until)| *until).max().unwrap_or_default(),
            observed_ns: times
                .iter()
                .map(|(from, until)| self.window.observed_ns(*from, *until))
                .sum(),
            lives: times.len(),
            starts_seen: self.starts_seen(one),
            ends_seen: one.lives.iter().filter(|life| life.until_ns.is_some()).count(),
            runs: self.window.runs(),
            beyond_ip: self.window.beyond_ip(),
            lost_of_its_own: own,
            lost_of_nobody: of_nobody,
            gaps: self.window.gaps(&times),
        }
    }

    /// A start was seen when the container was made, or had left, while an agent observed.
    fn starts_seen(&self, one: &Observed) -> usize {
        let created = one.container.as_ref().and_then(|container| {
            let moment: jiff::Timestamp = container.created.parse().ok()?;
            u64::try_from(moment.as_nanosecond()).ok()
        });
        let was_seen = |(index, life): (usize, &Life)| {
            // Of several with one name, the runtime's word is of the last alone.
            let created = created.filter(|ns| *ns <= life.from_ns);
            let made = created.is_some_and(|ns| self.window.has_seen_begin(ns));
            made || index.checked_sub(1).is_some_and(|before| {
                let left = one.lives[before].until_ns;
                left.is_some() && self.window.has_seen_begin(life.from_ns)
            })
        };
        one.lives.iter().enumerate().filter(|life| was_seen(*life)).count()
    }
}

/// What counts most first, then what was seen most.
fn evidence(one: &Observed) -> Vec<Evidence> {
    let thing = |((group, subject), thing): (&(Group, String), &observed::Thing)| Evidence {
        group: *group,
        subject: subject.clone(),
        bridge: thing.bridge.clone(),
        seen: thing.seen.clone(),
    };
    let mut evidence: Vec<Evidence> = one.things.iter().map(thing).collect();
    evidence.sort_by_key(|one| (one.group, Reverse(one.seen.count)));
    evidence
}
