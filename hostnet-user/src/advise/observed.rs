//! Everything that was seen of one container, as far as the advice needs it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    act::{Act, Bridge, End, Group, Needs},
    connections::Connections,
    failed::Failed,
    ports::Ports,
    rates::Rates,
    seen::Seen,
    service::{self, Manager},
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
/// Most names that a container had.
const MOST_OWN_NAMES: usize = 64;

/// A thing that was seen.
#[derive(Clone, Debug)]
pub struct Thing {
    /// What bridge networking would make of it.
    pub bridge: Bridge,
    /// How often, and when.
    pub seen: Seen,
    /// Where, when who is there decides.
    to: Option<End>,
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

/// What was seen of one container, or of all containers of one service.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Full ids.
    pub ids: BTreeSet<String>,
    /// What the runtime says of the last.
    pub container: Option<Arc<Container>>,
    /// Every name that it had.
    pub names: BTreeSet<String>,
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
    /// Connections of its own that failed.
    pub failed: Failed,
    connections: Connections,
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
        if let Some(container) = &owner.container
            && !container.name.is_empty()
            && self.names.len() < MOST_OWN_NAMES
            && !self.names.contains(&container.name)
        {
            self.names.insert(container.name.clone());
        }
        self.live(event);
        if self.connections.is_again(event) {
            return;
        }
        let reach = Reach::of(event);
        self.ports.take(event, owner, Offer::of(event));
        self.rates.take(event);
        self.failed.take(event, reach.as_ref());
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

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other kinds say nothing of the network mode"
    )]
    fn live(&mut self, event: &Event) {
        let now = event.wall_ns;
        let is_gone = self.lives.last().is_none_or(|life| life.until_ns.is_some());
        let declared = match &event.operation {
            Operation::Joined(joined) => Some(&joined.declared),
            Operation::Present(present) => Some(&present.declared),
            _ => None,
        };
        if let Some(declared) = declared {
            let other = declared.as_ref().filter(|mode| !matches!(mode.as_str(), "host" | ""));
            self.declared = other.cloned();
        }
        // The ends of what it did may be told after it has gone.
        let begins = self.lives.is_empty()
            || matches!(event.operation, Operation::Joined(_) | Operation::Present(_));
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
        if let Operation::Bind(bind) = &event.operation
            && bind.outcome == Outcome::Success
            && bind.scope() == Scope::Specific
        {
            if self.bound.len() == MOST_SOCKETS {
                self.bound.pop_front();
            }
            return self.bound.push_back(cookie);
        }
        let goes_out = reach.is_some_and(|reach| {
            reach.contact.may_be_made() && !matches!(reach.surface, Surface::HostLoopback)
        });
        let Some(local) = event.local().filter(|_| goes_out) else { return };
        let Some(at) = self.bound.iter().position(|bound| *bound == cookie) else { return };
        self.bound.remove(at);
        let says = "the host's address is not the container's on a bridge network: do not \
                    bind to it; others still see an address of the host";
        let subject = format!("{} as the source", canonical(local).ip());
        let bridge = Bridge::If(says.to_owned());
        let group = Group::SourceAddress;
        let act = Act { group, subject, bridge, needs: None, to: None };
        self.note(act, event);
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
        let Act { group, subject, bridge, needs, to } = act;
        self.needs.extend(needs);
        let key = (group, subject);
        match self.things.get_mut(&key) {
            Some(known) => {
                known.seen.again(event);
                known.worsen(bridge);
            }
            None => self.add(key, Thing { bridge, seen: Seen::first(event), to }),
        }
    }

    /// One more thing, or one that is there again.
    fn add(&mut self, key: (Group, String), thing: Thing) {
        if let Some(known) = self.things.get_mut(&key) {
            known.absorb(thing);
            return;
        }
        let is_of_group = |(of, _): &&(Group, String)| *of == key.0;
        if self.things.keys().filter(is_of_group).count() < MOST_SUBJECTS {
            self.things.insert(key, thing);
            return;
        }
        self.beyond += 1;
        // What is beyond is one thing, which says the worst of them.
        let others = (key.0, "others".to_owned());
        match self.things.get_mut(&others) {
            Some(known) => known.absorb(thing),
            None => {
                self.things.insert(others, Thing { to: None, ..thing });
            }
        }
    }

    /// Adds what was seen of another container of the same service.
    pub fn absorb(&mut self, other: Self) {
        let last = |one: &Self| one.lives.last().map(|life| life.last_ns);
        if other.container.is_some() && (self.container.is_none() || last(&other) >= last(self)) {
            self.container = other.container;
            self.declared = other.declared;
        }
        self.ids.extend(other.ids);
        self.names.extend(other.names);
        self.lives.extend(other.lives);
        self.lives.sort_by_key(|life| life.from_ns);
        for (key, thing) in other.things {
            self.add(key, thing);
        }
        self.beyond += other.beyond;
        self.needs.extend(other.needs);
        self.ports.absorb(other.ports);
        self.rates.absorb(&other.rates);
        self.failed.absorb(other.failed);
    }

    /// Decides who was at addresses where that was not known at first: the container
    /// itself, or whoever was known there at another time.
    pub fn settle(&mut self) {
        let is_unknown = |thing: &Thing| thing.to.clone().filter(|end| !end.is_known);
        let unknown: Vec<((Group, String), End)> = self
            .things
            .iter()
            .filter_map(|(key, thing)| Some((key.clone(), is_unknown(thing)?)))
            .collect();
        for (key, end) in unknown {
            let to = Some(End { is_known: true, ..end.clone() });
            let known = self.things.iter().filter(|(of, one)| of.0 == key.0 && one.to == to);
            let known = known.max_by_key(|(_, one)| one.seen.count).map(|(key, _)| key.clone());
            let is_own = end.address.is_some_and(|(transport, at)| self.ports.has(transport, at));
            let own = is_own.then(|| (Group::Itself, key.1.clone()));
            let Some(into) = known.or(own) else { continue };
            if let Some(thing) = self.things.remove(&key) {
                self.add(into, Thing { bridge: Bridge::AsWell, to, ..thing });
            }
        }
    }

    /// When the runtime made it: UTC nanoseconds since 1970.
    #[must_use]
    pub fn created_ns(&self) -> Option<u64> {
        let created: jiff::Timestamp = self.container.as_ref()?.created.parse().ok()?;
        u64::try_from(created.as_nanosecond()).ok()
    }

    /// What started it.
    #[must_use]
    pub fn manager(&self) -> Manager {
        self.container.as_deref().map(Manager::of).unwrap_or_default()
    }

    /// What it is one of: containers with the same are one service. `None` while nothing
    /// but its id is known.
    #[must_use]
    pub fn identity(&self) -> Option<(bool, String, String)> {
        let container = self.container.as_deref().filter(|one| !one.name.is_empty())?;
        let manager = Manager::of(container);
        let service = manager.service();
        let is_service = service.is_some();
        let name = service.unwrap_or_else(|| service::name(container).to_owned());
        Some((is_service, name, container.image.clone()))
    }

    /// The service's name, where it had several containers; else its name, else the
    /// beginning of its id.
    #[must_use]
    pub fn label(&self) -> String {
        let named = self.container.as_deref().filter(|container| !container.name.is_empty());
        match (named, self.ids.last()) {
            (Some(container), _) => match (Manager::of(container), self.ids.len()) {
                (Manager::Swarm { service, .. }, _) => service,
                (manager @ Manager::Compose { .. }, 2..) if !self.has_one_name() => {
                    manager.service().unwrap_or_default()
                }
                (_, 1) => container.name.clone(),
                _ => service::name(container).to_owned(),
            },
            (None, Some(id)) => id.get(..12).unwrap_or(id).to_owned(),
            (None, None) => String::new(),
        }
    }

    /// Whether it had one name all the time, but for those that Compose gives the old one
    /// while it makes a new one.
    fn has_one_name(&self) -> bool {
        let stays = |name: &str| {
            let of_old = |id: &String| name.strip_prefix(id.get(..12)?)?.strip_prefix('_');
            self.ids.iter().find_map(of_old).unwrap_or(name).to_owned()
        };
        self.names.iter().map(|name| stays(name)).collect::<BTreeSet<String>>().len() <= 1
    }
}

impl Thing {
    /// Who is there may be another later: the worst holds.
    fn absorb(&mut self, other: Self) {
        self.seen.absorb(other.seen);
        self.worsen(other.bridge);
    }

    fn worsen(&mut self, bridge: Bridge) {
        if rank(&bridge) > rank(&self.bridge) {
            self.bridge = bridge;
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
