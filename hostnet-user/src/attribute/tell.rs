//! Events are made: each with its id and time, and whose it is.

use std::sync::Arc;

use hostnet_abi::Hook;
use uuid::Uuid;

use super::{Attribution, Party};
use crate::event::{Event, Joined, Operation, Owner, OwnerKind, Peer, Socket};

impl Attribution {
    pub(super) fn is_told(&self, owner: &Owner) -> bool {
        self.policy.all || owner.kind != OwnerKind::Host
    }

    /// What a host process does with a container's socket is the container's, too.
    pub(super) fn is_told_of(&self, party: &Party) -> bool {
        self.is_told(&party.owner) || party.creator.as_deref().is_some_and(|one| self.is_told(one))
    }

    /// Tells an operation of `party`, and first that its container is in the
    /// host's network namespace when this is the first sign of it.
    pub(super) fn tell(
        &mut self,
        boot_ns: u64,
        hook: impl Into<Option<Hook>>,
        party: &Party,
        socket: Option<Socket>,
        operation: Operation,
    ) -> Uuid {
        self.tell_with(boot_ns, hook, party, socket, operation, None)
    }

    /// The same with whoever is at the other end.
    pub(super) fn tell_with(
        &mut self,
        boot_ns: u64,
        hook: impl Into<Option<Hook>>,
        party: &Party,
        socket: Option<Socket>,
        operation: Operation,
        peer: Option<Box<Peer>>,
    ) -> Uuid {
        let hook = hook.into();
        // Made and held by the same container, an older socket is a sign of it, too.
        let is_held = matches!(operation, Operation::ExistingSocket(_)) && party.creator.is_none();
        let joined = (party.actor.is_some() || is_held)
            .then(|| party.owner.container_id.clone())
            .flatten()
            .is_some_and(|id| self.registry.containers.joins(&id));
        if joined {
            let event = self.event(boot_ns, hook, Joined::default().into());
            self.push(Event { owner: Some(Arc::clone(&party.owner)), ..event });
        }
        let event = self.event(boot_ns, hook, operation);
        let id = event.id;
        self.push(Event { peer, ..party.did(event, socket) });
        id
    }

    pub(super) fn event(
        &mut self,
        boot_ns: u64,
        hook: Option<Hook>,
        operation: Operation,
    ) -> Event {
        let wall_ns = self.wall_ns(boot_ns);
        self.ids += 1;
        let id = event_id(wall_ns, self.policy.seed, self.ids);
        Event { hook, ..Event::new(id, boot_ns, wall_ns, operation) }
    }
}

/// UUIDv7: the event's own time, then the run's seed and a counter.
fn event_id(wall_ns: u64, seed: u64, counter: u64) -> Uuid {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&(seed as u16).to_be_bytes());
    random[2..].copy_from_slice(&(counter ^ seed.rotate_left(17)).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(wall_ns / 1_000_000, &random).into_uuid()
}
