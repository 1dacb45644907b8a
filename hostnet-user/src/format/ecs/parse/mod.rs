//! The inverse of the encoder: an event again, from one of our ECS documents.
//!
//! Whoever can write to a file of events can write anything into it, so every field
//! may be nonsense: the error names it, and nothing panics. Fields that are not
//! known are passed over, and fields that are not there are absent.
//!
//! What a document does not hold does not come back:
//! - of an image, the digest beside its tag; of labels, dots (they are underscores),
//!   but for those of Compose, Swarm, Kubernetes and hostnet itself, and labels that only
//!   an event before the first that is read has;
//! - the rest of what `hostnet.truncated` names;
//! - of a container, what only the agent needs (first process, cgroup, addresses), and
//!   of its users all but the one that acted;
//! - of a creator's or a peer's container, what the runtime declares; of a peer's
//!   owner, method and confidence; of its process and of ancestors, the start;
//! - of a UDP socket with more than 64 peers, the others' counts; of a bind, the
//!   address asked for, which is taken to be the one given; of an exit by signal,
//!   whether there was a core dump.

mod described;
mod kept;
mod peer;
mod process;
mod run;
mod who;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use hostnet_abi::Hook;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::{
    described::Described,
    kept::Kept,
    process::Acting,
    run::{Host, Run, identity},
};
use super::{Identity, document::Document, ends::End, network, who_fields::Netns};
pub use crate::event::NotOurs;
use crate::event::{
    Action, Common, Event, Operation, Owner, Peer, Recorded, Side, UserNames,
    document::{nanoseconds, read, read_bytes},
};

/// Reads documents. What many of them share is read once and kept.
#[derive(Default)]
pub struct Parser {
    run: Option<(String, Identity)>,
    described: Described,
    owners: Kept<Arc<Owner>>,
    processes: Kept<Acting>,
    peers: Kept<Arc<Peer>>,
    users: Kept<Arc<UserNames>>,
}

/// The event of one document.
///
/// # Errors
/// When the bytes are not an event of ours.
pub fn event(document: &[u8]) -> Result<Event, NotOurs> {
    Parser::default().record(document).map(|record| record.event)
}

impl Parser {
    /// The event of a document, with its place in its run.
    ///
    /// # Errors
    /// When the bytes are not an event of ours.
    pub fn record(&mut self, document: &[u8]) -> Result<Recorded, NotOurs> {
        // An array would be taken for the fields in their order.
        if document.trim_ascii_start().first() != Some(&b'{') {
            return Err(NotOurs::NotAnEvent("not one JSON object".to_owned()));
        }
        let mut document: Document<'_> = read_bytes("", document)?;
        let own = std::mem::take(&mut document.hostnet.own).unread();
        let Document { event, hostnet, .. } = &document;
        if event.module.as_deref().is_some_and(|module| module != "hostnet") {
            return Err(NotOurs::NotAnEvent("event.module is not hostnet".to_owned()));
        }
        let netns: Netns<'_> = part("hostnet.netns", hostnet.netns)?.unwrap_or_default();
        let declared = netns.declared.as_deref();
        self.learn_run(&document, netns.inode)?;
        let wall_ns = nanoseconds("@timestamp", &document.timestamp)?;
        let time = hostnet.time.as_ref().ok_or_else(|| NotOurs::missing("hostnet.time"))?;
        let boot_ns = time.boot_ns;
        let operation = hostnet.operation.as_ref();
        let operation = operation.ok_or_else(|| NotOurs::missing("hostnet.operation"))?;
        let (process, actor) = self.process(&document, wall_ns.wrapping_sub(boot_ns))?;
        let fields = hostnet.socket.as_ref();
        let socket = fields.map(|fields| network::socket(fields, document.network.as_ref()));
        let socket = socket.transpose()?;
        let created = event.created.as_deref();
        let seen_ns = created.map(|time| nanoseconds("event.created", time)).transpose()?;
        let owner = self.owner(&document, &operation.0, declared)?;
        let address = |side: &Option<Side>| side.as_ref()?.address(socket);
        let name = |field, side: &Option<Side>| {
            side.as_ref().map_or(Ok(None), |side| side.unix_name(field))
        };
        let bytes = |end: &Option<End>| end.as_ref().and_then(|end| end.bytes).unwrap_or(0);
        let common = Common {
            operation: &operation.0,
            action_name: &event.action,
            action: Action::from_name(&event.action),
            wall_ns,
            boot_ns,
            message: &document.message,
            outcome: event.outcome.as_deref(),
            reason: event.reason.as_deref(),
            start: event.start.as_deref(),
            end: event.end.as_deref(),
            duration_ns: event.duration,
            direction: document.network.as_ref().and_then(|network| network.direction.as_deref()),
            bytes: (bytes(&document.source), bytes(&document.destination)),
            user: document.user.as_ref().and_then(|user| user.id.as_deref()),
            rule: document.rule,
            threat: document.threat,
            declared,
            socket,
            errno: fields.and_then(|fields| fields.errno),
            local: address(&hostnet.local),
            remote: address(&hostnet.remote),
            local_name: name("hostnet.local", &hostnet.local)?,
            remote_name: name("hostnet.remote", &hostnet.remote)?,
            owner: owner.as_deref(),
            process: process.as_deref(),
            own,
            read_parties: peer::parties,
        };
        let operation = Operation::read(&common)?;
        let event = Event {
            id: event.id,
            boot_ns,
            wall_ns,
            hook: event.provider.as_deref().and_then(hook),
            creator: self.creator(&document)?,
            actor,
            host_users: self.host_users(&document)?,
            socket,
            peer: hostnet.peer.map(|peer| self.peer(peer)).transpose()?,
            amends: hostnet.amends,
            learned: None,
            surface: hostnet.surface.as_ref().and_then(|surface| surface.target),
            operation,
            owner,
            process,
        };
        let sequence = document.event.sequence;
        Ok(Recorded { sequence, seen_ns: seen_ns.unwrap_or(wall_ns), event })
    }

    /// Which host and run the last document was of.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.run.as_ref().map(|(_, identity)| identity)
    }

    fn learn_run(&mut self, document: &Document<'_>, netns: Option<u32>) -> Result<(), NotOurs> {
        let (agent, host) = (raw(document.agent), raw(document.host));
        let is_known = |known: &str| known.strip_prefix(agent) == Some(host);
        if !self.run.as_ref().is_some_and(|(known, _)| is_known(known)) {
            let run: Run = part("agent", document.agent)?.unwrap_or_default();
            let host_of_run: Host = part("host", document.host)?.unwrap_or_default();
            self.run = Some(([agent, host].concat(), identity(run, host_of_run)));
        }
        // Events of the agent itself do not name the namespace.
        if let (Some((_, identity)), Some(inode)) = (&mut self.run, netns) {
            identity.network_namespace = inode;
        }
        Ok(())
    }
}

fn hook(provider: &str) -> Option<Hook> {
    Hook::ALL.iter().copied().find(|hook| hook.attach_point() == provider)
}

/// Reads what is under `field`, when it is there.
fn part<'a, T: Deserialize<'a>>(
    field: &str,
    raw: Option<&'a RawValue>,
) -> Result<Option<T>, NotOurs> {
    raw.map(|raw| read(field, raw)).transpose()
}

/// The text of a part; empty when it is not there.
fn raw(part: Option<&RawValue>) -> &str {
    part.map_or("", RawValue::get)
}
