//! Events are made: each with its id and time, and whose it is. One whose container the
//! runtime has not named yet waits for that, for a moment.

use std::sync::Arc;

use hostnet_abi::{EventKind, Hook};
use uuid::Uuid;

use super::{
    held::Held,
    owners::OwnerResolver,
    party::Party,
    unkept::{self, Unkept},
};
use crate::event::{
    Event, Health, Joined, LossCount, Operation, Owner, OwnerKind, Peer, Socket, UserNames,
    shares::Fill, total,
};

/// What is reported: an operation, when it was, what showed it, by whom, with which socket
/// and whom at the other end.
#[derive(Debug)]
pub struct Report<'a> {
    pub at: u64,
    pub hook: Option<Hook>,
    pub party: &'a Party,
    pub socket: Option<Socket>,
    pub operation: Operation,
    pub peer: Option<Box<Peer>>,
}

/// Makes events.
#[derive(Debug)]
pub struct Reporter {
    /// Random per run; ids are derived from it.
    seed: u64,
    /// Events made so far.
    ids: u64,
    wall_minus_boot: i64,
    /// The boot clock, as it was last read.
    now_ns: u64,
    held: Held,
    /// The runtime does not answer: nobody waits for names.
    runtime_is_silent: bool,
    /// What the host calls its users.
    users: Option<Arc<UserNames>>,
    unkept: Unkept,
    events: Vec<Event>,
}

impl Reporter {
    /// One that has made none yet.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            ids: 0,
            wall_minus_boot: 0,
            now_ns: 0,
            held: Held::default(),
            runtime_is_silent: false,
            users: None,
            unkept: Unkept::default(),
            events: Vec::new(),
        }
    }

    /// Events since the last call, in the order they are to be told.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        if into.is_empty() {
            std::mem::swap(into, &mut self.events);
        } else {
            into.append(&mut self.events);
        }
    }

    /// The clock: both readings of the same moment, nanoseconds.
    pub const fn clock(&mut self, boot_ns: u64, wall_ns: u64) {
        self.wall_minus_boot = wall_ns.cast_signed().wrapping_sub(boot_ns.cast_signed());
        self.now_ns = boot_ns;
    }

    /// The boot clock, as it was last read.
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// What the wall clock said at a time of the boot clock, as far as is known.
    pub const fn wall_ns(&self, boot_ns: u64) -> u64 {
        boot_ns.saturating_add_signed(self.wall_minus_boot)
    }

    /// What the host calls its users from now on.
    pub fn users(&mut self, users: UserNames) {
        self.users = Some(Arc::new(users));
    }

    /// Whether the runtime answers. Where it does not, nobody waits for it.
    pub fn runtime_answers(&mut self, owners: &mut OwnerResolver, answers: bool) {
        self.runtime_is_silent = !answers;
        if !answers {
            self.release_overdue(owners, u64::MAX);
        }
    }

    /// An event that is nobody's yet.
    pub fn event(&mut self, boot_ns: u64, hook: Option<Hook>, operation: Operation) -> Event {
        let wall_ns = self.wall_ns(boot_ns);
        self.ids += 1;
        let id = event_id(wall_ns, self.seed, self.ids);
        Event { hook, ..Event::new(id, boot_ns, wall_ns, operation) }
    }

    /// Reports an operation, and first that its container is in the host's network
    /// namespace when this is the first sign of it.
    pub fn report(&mut self, owners: &mut OwnerResolver, report: Report<'_>) -> Uuid {
        let Report { at, hook, party, socket, operation, peer } = report;
        // Made and held by the same container, an older socket is a sign of it, too.
        let is_held = matches!(operation, Operation::ExistingSocket(_)) && party.creator.is_none();
        let joined = (party.actor.is_some() || is_held)
            .then(|| party.owner.container_id.clone())
            .flatten()
            .is_some_and(|id| owners.joins(&id));
        if joined {
            let event = self.event(at, hook, Joined::default().into());
            self.push(owners, Event { owner: Some(Arc::clone(&party.owner)), ..event });
        }
        let event = self.event(at, hook, operation);
        let id = event.id;
        self.push(owners, Event { peer, ..party.did(event, socket) });
        id
    }

    /// Something about the agent itself.
    pub fn health(&mut self, boot_ns: u64, health: Health) {
        let event = self.event(boot_ns, None, health.into());
        self.events.push(event);
    }

    /// Adds an event, or holds it while its container's name is on its way.
    pub fn push(&mut self, owners: &mut OwnerResolver, event: Event) {
        let awaited = event.owner.as_ref().and_then(|owner| owner.container_id.clone());
        let awaited = awaited.filter(|id| !self.runtime_is_silent && owners.awaits_name(id));
        match awaited {
            Some(id) => {
                let now_ns = self.now_ns.max(event.boot_ns);
                if !self.held.hold(&id, event, now_ns) {
                    self.give_up(owners, &id);
                }
            }
            None => self.push_now(owners, event),
        }
    }

    /// Adds an event as it is.
    pub fn push_as_is(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds what waits for a container's name.
    pub fn release(&mut self, owners: &mut OwnerResolver, id: &str) {
        for event in self.held.take(id) {
            self.push_now(owners, event);
        }
    }

    /// Adds what has waited long enough for a name.
    pub fn release_overdue(&mut self, owners: &mut OwnerResolver, now_ns: u64) {
        for id in self.held.overdue(now_ns) {
            self.give_up(owners, &id);
        }
    }

    fn give_up(&mut self, owners: &mut OwnerResolver, id: &str) {
        owners.waited(id);
        self.release(owners, id);
    }

    fn push_now(&mut self, owners: &mut OwnerResolver, mut event: Event) {
        let others = event.peer.iter_mut().flat_map(|peer| &mut peer.possible);
        let others = others.map(|party| &mut party.owner);
        let own = [&mut event.owner, &mut event.creator].into_iter().flatten();
        for owner in own.chain(others) {
            *owner = owners.renewed(owner);
        }
        if let Some(owner) = &event.owner {
            if owner.kind == OwnerKind::Host {
                event.host_users.clone_from(&self.users);
            }
            let described = owner.container.as_ref().filter(|container| container.is_inspected());
            match (described, &owner.container_id, &mut event.operation) {
                (Some(container), _, Operation::Joined(joined)) => {
                    joined.declared = Some(container.network_mode.clone());
                }
                (Some(container), _, Operation::Present(present)) => {
                    present.declared = Some(container.network_mode.clone());
                }
                (None, Some(id), _) => owners.told_undescribed(id, event.id),
                _ => {}
            }
        }
        self.events.push(event);
    }

    /// What a record of this kind says of `owner` at `at` goes unreported, because a table
    /// has no room for what came before it.
    pub fn not_kept(&mut self, at: u64, owner: &Arc<Owner>, kind: EventKind) {
        self.unkept.count(at, owner, kind);
    }

    /// Reports what no table had room for, at most once a second, and returns how many
    /// records that were.
    pub fn report_unkept(&mut self, owners: &mut OwnerResolver, boot_ns: u64) -> u64 {
        let Some((from_ns, counts)) = self.unkept.take(boot_ns) else { return 0 };
        let renewed = |loss: LossCount| LossCount {
            owner: loss.owner.map(|owner| owners.renewed(&owner)),
            ..loss
        };
        let by: Vec<LossCount> = counts.into_iter().map(renewed).collect();
        let count = total(by.iter().map(|loss| loss.count));
        let to_ns = self.now_ns.max(from_ns);
        self.health(to_ns, Health::Lost { place: unkept::PLACE.to_owned(), from_ns, to_ns, by });
        count
    }

    /// How long the oldest container has waited for its name, nanoseconds, and how many do.
    pub fn names_awaited(&self) -> (u64, usize) {
        let (since_ns, count) = self.held.containers();
        (since_ns.map_or(0, |since_ns| self.now_ns.saturating_sub(since_ns)), count)
    }

    /// When the oldest event that waits for a name happened.
    pub fn waits_since(&self) -> Option<u64> {
        self.held.waits_since()
    }

    /// How many events wait for a name.
    pub const fn fill(&self) -> Fill {
        self.held.fill()
    }
}

/// UUIDv7: the event's own time, then the run's seed and a counter.
fn event_id(wall_ns: u64, seed: u64, counter: u64) -> Uuid {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&(seed as u16).to_be_bytes());
    random[2..].copy_from_slice(&(counter ^ seed.rotate_left(17)).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(wall_ns / 1_000_000, &random).into_uuid()
}
