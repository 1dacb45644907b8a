//! Everything that was seen of one container, as far as the advice needs it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    act::{Act, Bridge, Group, Needs},
    ports::Ports,
    rates::Rates,
    seen::Seen,
};
use crate::{
    event::{Container, Event, Operation, Outcome, Owner, Scope, Surface, canonical},
    judge::{Offer, Reach, Target},
};

/// Most different things kept of one group; of more, only how many.
const MOST_SUBJECTS: usize = 64;
/// Most sockets remembered that were bound to one address and may become a client's.
const MOST_SOCKETS: usize = 1024;
/// Most lives told apart.
const MOST_LIVES: usize = 1024;
/// Most container ids with one name.
const MOST_IDS: usize = 256;
/// Most abstract names of its own remembered.
const MOST_NAMES: usize = 1024;

/// A thing that was seen.
#[derive(Clone, Debug)]
pub struct Thing {
    /// What bridge networking would make of it.
    pub bridge: Bridge,
    /// How often, and when.
    pub seen: Seen,
}

/// A time in which the container was there.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// When it was seen first: nanoseconds since 1970.
    pub from_ns: u64,
    /// When something was seen of it last.
    pub last_ns: u64,
    /// When it left; `None` when that was not seen.
    pub until_ns: Option<u64>,
}

/// What was seen of one container, or of several in turn with one name and image.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Full ids.
    pub ids: BTreeSet<String>,
    /// What the runtime says of the last.
    pub container: Option<Arc<Container>>,
    /// The network mode that was declared, where another than `host` was.
    pub declared: Option<String>,
    /// When it was there.
    pub lives: Vec<Life>,
    /// What it took of the host's network.
    pub things: BTreeMap<(Group, String), Thing>,
    /// How many acts were beyond what is kept.
    pub beyond: u64,
    /// What it would need beside published ports.
    pub needs: BTreeSet<Needs>,
    /// Where it listens.
    pub ports: Ports,
    /// How much it does.
    pub rates: Rates,
    bound: VecDeque<u64>,
    own_names: HashSet<Vec<u8>>,
}

impl Observed {
    /// Notes what an event of its own says.
    pub fn take(&mut self, event: &Event, owner: &Owner) {
        if let Some(id) = &owner.container_id
            && self.ids.len() < MOST_IDS
        {
            self.ids.insert(id.clone());
        }
        let has_more = |container: &&Arc<Container>| {
            container.is_inspected()
                || self.container.as_ref().is_none_or(|had| !had.is_inspected())
        };
        if let Some(container) = owner.container.as_ref().filter(has_more) {
            self.container = Some(Arc::clone(container));
        }
        self.live(event);
        let reach = Reach::of(event);
        self.ports.take(event, owner, Offer::of(event));
        self.rates.take(event);
        if let Operation::Unix(unix) = &event.operation
            && let Some(name) = event.operation.told().local_name()
            && unix.outcome == Outcome::Success
            && self.own_names.len() < MOST_NAMES
        {
            self.own_names.insert(name.bytes().to_vec());
        }
        self.source(event, reach.as_ref());
        if reach.is_some_and(|reach| self.is_its_own(event, &reach)) {
            return;
        }
        if let Some(act) = Act::of(event, owner, reach) {
            self.note(act, event);
        }
    }

    fn live(&mut self, event: &Event) {
        let now = event.wall_ns;
        let is_gone = self.lives.last().is_none_or(|life| life.until_ns.is_some());
        if let Operation::Joined(joined) = &event.operation {
            let other =
                joined.declared.as_ref().filter(|mode| !matches!(mode.as_str(), "host" | ""));
            self.declared = other.cloned();
        }
        // The ends of what it did may be told after it has gone.
        let begins = self.lives.is_empty() || matches!(event.operation, Operation::Joined(_));
        if is_gone && begins && self.lives.len() < MOST_LIVES {
            self.lives.push(Life { from_ns: now, last_ns: now, until_ns: None });
        }
        if let Some(life) = self.lives.last_mut().filter(|life| life.until_ns.is_none()) {
            life.from_ns = life.from_ns.min(now);
            life.last_ns = life.last_ns.max(now);
            if matches!(event.operation, Operation::Left(_)) {
                life.until_ns = Some(now);
            }
        }
    }

    /// A client that chooses an address of the host's for itself.
    fn source(&mut self, event: &Event, reach: Option<&Reach<'_>>) {
        let Some(cookie) = event.socket.map(|socket| socket.cookie).filter(|cookie| *cookie != 0)
        else {
            return;
        };
        match &event.operation {
            Operation::Bind(bind)
                if bind.outcome == Outcome::Success && bind.scope() == Scope::Specific =>
            {
                if self.bound.len() == MOST_SOCKETS {
                    self.bound.pop_front();
                }
                self.bound.push_back(cookie);
            }
            _ => {
                let goes_out = reach.is_some_and(|reach| {
                    reach.was_let() && !matches!(reach.surface, Surface::HostLoopback)
                });
                let Some(local) = event.local().filter(|_| goes_out) else { return };
                let Some(at) = self.bound.iter().position(|bound| *bound == cookie) else { return };
                self.bound.remove(at);
                let says = "it has another address there: leave the choice to the kernel; who it \
                            talks to sees an address of the host's";
                let subject = format!("{} as the source", canonical(local).ip());
                let bridge = Bridge::If(says.to_owned());
                let act = Act { group: Group::SourceAddress, subject, bridge, needs: None };
                self.note(act, event);
            }
        }
    }

    /// Whether it reaches itself, though the event does not say so.
    fn is_its_own(&self, event: &Event, reach: &Reach<'_>) -> bool {
        if reach.peer.is_some() {
            return false;
        }
        match reach.to {
            Target::Ip(to) => {
                let transport = event.socket.map_or(0, |socket| socket.socket.protocol);
                reach.surface.is_own_address() && self.ports.has(transport, to)
            }
            Target::Unix(name) => name.is_abstract() && self.own_names.contains(name.bytes()),
        }
    }

    fn note(&mut self, act: Act, event: &Event) {
        let Act { group, subject, bridge, needs } = act;
        self.needs.extend(needs);
        let key = (group, subject);
        if let Some(thing) = self.things.get_mut(&key) {
            thing.seen.again(event);
            // Who is there may come to be known, or be another later: the worst holds.
            if rank(&bridge) > rank(&thing.bridge) {
                thing.bridge = bridge;
            }
            return;
        }
        let is_of_group = |(of, _): &&(Group, String)| *of == group;
        if self.things.keys().filter(is_of_group).count() >= MOST_SUBJECTS {
            self.beyond += 1;
            // What is beyond is one thing, which says the worst of them.
            let key = (group, "others".to_owned());
            let entry = self.things.entry(key);
            let thing = entry.or_insert_with(|| Thing {
                bridge: bridge.clone(),
                seen: Seen { count: 0, ..Seen::first(event) },
            });
            thing.seen.again(event);
            if rank(&bridge) > rank(&thing.bridge) {
                thing.bridge = bridge;
            }
            return;
        }
        self.things.insert(key, Thing { bridge, seen: Seen::first(event) });
    }

    /// Its name, else the beginning of its id.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.container, self.ids.last()) {
            (Some(container), _) if !container.name.is_empty() => container.name.clone(),
            (_, Some(id)) => id.get(..12).unwrap_or(id).to_owned(),
            (_, None) => String::new(),
        }
    }
}

const fn rank(bridge: &Bridge) -> u8 {
    match bridge {
        Bridge::AsWell => 0,
        Bridge::If(_) => 1,
        Bridge::Unclear(_) => 2,
        Bridge::Not(_) => 3,
    }
}
