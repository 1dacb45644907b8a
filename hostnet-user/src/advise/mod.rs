//! Did a container need the host's network? What it took of it, what a bridge network
//! would make of that, and what to change.
//!
//! No I/O and no clock: events go in, in the order in which they were told, and advice
//! comes out. Memory is bounded however many events there are. It does not know where
//! events are from, nor how the advice is shown (`show/`).

mod act_of_event;
mod beyond_ip;
mod change;
mod compose;
mod conditions;
mod connections;
mod failed;
mod multicast;
mod observed;
mod plan;
mod ports;
mod publish;
mod rates;
mod seen;
mod service;
pub mod show;
#[cfg(test)]
mod tests;
mod verdict;
mod visitors;
mod window;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use serde::Serialize;

pub use crate::event::act::{Bridge, Group, Needs};
pub use change::Change;
pub use publish::{Port, Publish};
pub use rates::Rate;
pub use seen::Seen;
pub use service::Manager;
pub use verdict::{Answer, Confidence, Verdict};
pub use window::{BeyondIp, Losses};

use self::{
    observed::{Life, Observed},
    window::Window,
};
use crate::event::{Event, Owner, OwnerKind, act};

/// Most containers told apart; of the rest, how many events they had.
const MOST_CONTAINERS: usize = 10_000;

/// The advice for one container.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// Its name, else the beginning of its id.
    pub label: String,
    /// Its full ids: several when it was made anew with the same name and image, and of a
    /// service's replicas.
    pub ids: Vec<String>,
    /// Every name that its containers had.
    pub names: Vec<String>,
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
    /// Whether the multicast groups that sockets join were seen.
    pub groups_joined: bool,
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
    beyond: u64,
}

/// The containers that a name or an id means.
#[derive(Clone, Debug)]
pub enum Meant {
    /// These: one, or several with the same name.
    These(Vec<Advice>),
    /// The id of each of these begins so.
    OneOf(Vec<String>),
    /// Nobody.
    Nobody,
}

/// All containers of one service.
type Parts<'a> = Vec<&'a Observed>;
/// Containers that share another's network, by its name or id: those of a pod share that of
/// its infra container.
type Lent<'a> = HashMap<&'a str, Vec<String>>;

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
        if self.by_id.len() >= MOST_CONTAINERS {
            return None;
        }
        self.all.push(Observed::default());
        let at = self.all.len() - 1;
        self.by_id.insert(id.clone(), at);
        Some(at)
    }

    /// The containers of each service. One that is made anew with the same name and image
    /// has another id, and is the same for the advice. What each is called may come to be
    /// known, or change, long after its first event.
    fn services(&self) -> Vec<Parts<'_>> {
        let mut known = BTreeMap::<_, Parts<'_>>::new();
        for (index, one) in self.all.iter().enumerate() {
            let identity = one.identity();
            let alone = identity.is_none().then_some(index);
            known.entry((identity, alone)).or_default().push(one);
        }
        known.into_values().collect()
    }

    /// How many events were of containers beyond those that are told apart.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The labels of all containers.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.services().iter().map(|parts| whole(parts).label()).collect()
    }

    /// The advice for every container: needed ones first, then by name.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let lent = self.lent();
        let mut all: Vec<Advice> =
            self.services().iter().map(|parts| self.advise(parts, &lent)).collect();
        all.sort_by(|one, other| {
            let key = |advice: &Advice| (advice.verdict.answer, advice.label.clone());
            key(one).cmp(&key(other))
        });
        all
    }

    /// The advice for the containers that are called so now, or whose service is; else for
    /// those that were once; else for the one whose id begins so.
    #[must_use]
    pub fn advice_for(&self, wanted: &str) -> Meant {
        let (services, lent) = (self.services(), self.lent());
        let is_called = |parts: &Parts<'_>| {
            let is_now = |one: &&Observed| {
                let now = one.container.as_ref().is_some_and(|container| container.name == wanted);
                now || one.ids.iter().any(|id| id == wanted)
            };
            parts.iter().any(is_now) || whole(parts).label() == wanted
        };
        let is_service = |parts: &Parts<'_>| {
            let is_it = |one: &&Observed| {
                let manager = one.manager();
                manager.is_called(wanted) || manager.service().is_some_and(|name| name == wanted)
            };
            parts.iter().any(is_it)
        };
        let was_called = |parts: &Parts<'_>| parts.iter().any(|one| one.names.contains(wanted));
        let ways: [&dyn Fn(&Parts<'_>) -> bool; 3] = [&is_called, &is_service, &was_called];
        for is_it in ways {
            let found: Vec<&Parts<'_>> = services.iter().filter(|parts| is_it(parts)).collect();
            if !found.is_empty() {
                let advice = found.into_iter().map(|parts| self.advise(parts, &lent));
                return Meant::These(advice.collect());
            }
        }
        let begins = |one: &&Observed| one.ids.iter().any(|id| id.starts_with(wanted));
        let found = services.iter().filter(|parts| !wanted.is_empty() && parts.iter().any(begins));
        match found.collect::<Vec<_>>().as_slice() {
            [] => Meant::Nobody,
            [parts] => Meant::These(vec![self.advise(parts, &lent)]),
            several => Meant::OneOf(several.iter().map(|parts| whole(parts).label()).collect()),
        }
    }

    fn advise(&self, parts: &[&Observed], lent: &Lent<'_>) -> Advice {
        let one = &whole(parts);
        let observed = self.observation(parts, one);
        let manager = one.manager();
        let mut ports = publish::advice(&one.ports);
        ports.iter_mut().for_each(|port| port.published_by(&manager));
        let verdict = verdict::verdict(&verdict::Case {
            observed: one,
            ports: &ports,
            window: &self.window,
            looked: &observed,
            lends_to: &lends_to(one, lent),
        });
        let needs: Vec<Needs> = one.needs.iter().cloned().collect();
        let change = Change::of(one, &ports, &needs);
        Advice {
            label: one.label(),
            ids: one.ids.iter().cloned().collect(),
            names: one.names.iter().cloned().collect(),
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

    /// Who shares which container's network, by what that declares.
    fn lent(&self) -> Lent<'_> {
        let mut lent = Lent::new();
        for one in &self.all {
            let mode = one.declared.as_deref().and_then(|mode| mode.strip_prefix("container:"));
            if let Some(lender) = mode {
                lent.entry(lender).or_default().push(one.label());
            }
        }
        lent
    }

    fn observation(&self, parts: &[&Observed], one: &Observed) -> Observation {
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
            starts_seen: self.starts_seen(parts),
            ends_seen: one.lives.iter().filter(|life| life.until_ns.is_some()).count(),
            runs: self.window.runs(),
            beyond_ip: self.window.beyond_ip(),
            groups_joined: self.window.sees_groups_joined(),
            lost_of_its_own: own,
            lost_of_nobody: of_nobody,
            gaps: self.window.gaps(&times),
        }
    }

    /// A start was seen when the container was made, or had left, while an agent observed.
    fn starts_seen(&self, parts: &[&Observed]) -> usize {
        let of_part = |part: &&Observed| {
            let created = part.created_ns();
            part.lives.iter().map(move |life| (*life, created)).collect::<Vec<_>>()
        };
        let mut lives: Vec<(Life, Option<u64>)> = parts.iter().flat_map(of_part).collect();
        lives.sort_by_key(|(life, _)| life.from_ns);
        let was_seen = |(index, (life, created)): (usize, &(Life, Option<u64>))| {
            let created = created.filter(|ns| *ns <= life.from_ns);
            let made = created.is_some_and(|ns| self.window.has_seen_begin(ns));
            made || index.checked_sub(1).is_some_and(|before| {
                let left = lives[before].0.until_ns;
                left.is_some() && self.window.has_seen_begin(life.from_ns)
            })
        };
        lives.iter().enumerate().filter(|life| was_seen(*life)).count()
    }
}

/// Who shares this one's network.
fn lends_to(one: &Observed, lent: &Lent<'_>) -> Vec<String> {
    let names = one.ids.iter().chain(&one.names);
    names.filter_map(|name| lent.get(name.as_str())).flatten().cloned().collect()
}

/// All that was seen of the containers of one service.
fn whole(parts: &[&Observed]) -> Observed {
    let mut all = parts.iter().copied().cloned();
    let mut whole = all.next().unwrap_or_default();
    all.for_each(|part| whole.absorb(part));
    whole.settle();
    whole
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
