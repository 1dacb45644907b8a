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
mod document;
mod ends;
mod finding;
mod health;
mod kept;
mod operations;
mod peer;
mod process;
mod who;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use hostnet_abi::Hook;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use self::{
    described::Described,
    document::{Document, Host, Run},
    kept::Kept,
};
use super::Identity;
use crate::event::{Actor, Event, Owner, Peer, Process, Recorded, UserNames};

/// Longest reason that is quoted: it may have a whole hostile line in it.
const LONGEST_REASON: usize = 200;

/// Why bytes are not an event that this version of hostnet can read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// They are no document of hostnet at all.
    #[error("not an event of hostnet: {0}")]
    NotAnEvent(String),
    /// A field is missing, or is not what it should be.
    #[error("{field}: {reason}")]
    Field {
        /// Its name, with dots.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An event of a kind that this version does not know.
    #[error("an event of a kind that this version does not know: {action}")]
    UnknownKind {
        /// `event.action`.
        action: String,
    },
}

impl NotOurs {
    /// Of a kind that this version does not know.
    fn of_kind(action: &str) -> Self {
        Self::UnknownKind { action: action.chars().take(LONGEST_REASON).collect() }
    }

    fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if let Some((at, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(at);
            reason.push('…');
        }
        Self::Field { field: field.into(), reason }
    }

    fn missing(field: impl Into<String>) -> Self {
        Self::field(field, "missing")
    }
}

/// Reads documents. What many of them share is read once and kept.
#[derive(Default)]
pub struct Parser {
    run: Option<(String, Identity)>,
    described: Described,
    owners: Kept<Arc<Owner>>,
    processes: Kept<Arc<Process>>,
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
        let document: Document<'_> = read("", document)?;
        if document.event.module.as_deref().is_some_and(|module| module != "hostnet") {
            return Err(NotOurs::NotAnEvent("event.module is not hostnet".to_owned()));
        }
        self.learn_run(&document)?;
        let wall_ns = document::nanoseconds("@timestamp", &document.timestamp)?;
        let boot_ns = document.hostnet.time.boot_ns;
        let hostnet = &document.hostnet;
        let process = self.process(&document, wall_ns.wrapping_sub(boot_ns))?;
        let socket = ends::socket(&document)?;
        let created = document.event.created.as_deref();
        let seen_ns = created.map(|time| document::nanoseconds("event.created", time));
        let owner = self.owner(&document)?;
        let operation =
            operations::operation(&document, socket, owner.as_deref(), process.as_deref())?;
        let event = Event {
            id: document.event.id,
            boot_ns,
            wall_ns,
            hook: document.event.provider.as_deref().and_then(hook),
            owner,
            creator: self.creator(&document)?,
            actor: actor(&document)?,
            host_users: self.host_users(&document)?,
            socket,
            peer: hostnet.peer.map(|peer| self.peer(peer)).transpose()?,
            amends: hostnet.amends,
            learned: None,
            surface: hostnet.surface.as_ref().and_then(|surface| surface.target),
            operation,
            process,
        };
        let sequence = document.event.sequence.unwrap_or_default();
        Ok(Recorded { sequence, seen_ns: seen_ns.transpose()?.unwrap_or(wall_ns), event })
    }

    /// Which host and run the last document was of.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.run.as_ref().map(|(_, identity)| identity)
    }

    fn learn_run(&mut self, document: &Document<'_>) -> Result<(), NotOurs> {
        let (agent, host) = (document::raw(document.agent), document::raw(document.host));
        let is_known = |known: &str| known.strip_prefix(agent) == Some(host);
        if !self.run.as_ref().is_some_and(|(known, _)| is_known(known)) {
            let run: Run = part("agent", document.agent)?.unwrap_or_default();
            let host: Host = part("host", document.host)?.unwrap_or_default();
            let text = [agent, document::raw(document.host)].concat();
            self.run = Some((text, document::identity(run, host)));
        }
        // Events of the agent itself do not name the namespace.
        let netns = document.hostnet.netns.as_ref().and_then(|netns| netns.inode);
        if let (Some((_, identity)), Some(inode)) = (&mut self.run, netns) {
            identity.network_namespace = inode;
        }
        Ok(())
    }
}

fn hook(provider: &str) -> Option<Hook> {
    Hook::ALL.iter().copied().find(|hook| hook.attach_point() == provider)
}

/// The thread that acted, when the document names one.
fn actor(document: &Document<'_>) -> Result<Option<Actor>, NotOurs> {
    let Some(process) = document.process else { return Ok(None) };
    let thread: document::Thread<'_> = read("process", process.get().as_bytes())?;
    let Some(tid) = thread.thread.map(|thread| thread.id) else { return Ok(None) };
    let tgid = thread.pid.ok_or_else(|| NotOurs::missing("process.pid"))?;
    let id = |field: &str, id: Option<document::Id<'_>>| {
        let id = id.ok_or_else(|| NotOurs::missing(field))?.id;
        id.parse().map_err(|_| NotOurs::field(field, "not the number of a user or group"))
    };
    let (uid, gid) = (id("process.user.id", thread.user)?, id("process.group.id", thread.group)?);
    Ok(Some(Actor { tgid, tid, uid, gid }))
}

/// Reads what is under `field`, when it is there.
fn part<'a, T: Deserialize<'a>>(
    field: &str,
    raw: Option<&'a RawValue>,
) -> Result<Option<T>, NotOurs> {
    raw.map(|raw| read(field, raw.get().as_bytes())).transpose()
}

/// Reads what is under `field`; of the whole document, that is empty.
fn read<'a, T: Deserialize<'a>>(field: &str, json: &'a [u8]) -> Result<T, NotOurs> {
    serde_json::from_slice(json).map_err(|_| why_not::<T>(field, json))
}

/// Reads it again, this time with an eye on where it fails.
#[cold]
fn why_not<'a, T: Deserialize<'a>>(field: &str, json: &'a [u8]) -> NotOurs {
    let not_an_event = || NotOurs::NotAnEvent("not one JSON object".to_owned());
    if serde_json::from_slice::<IgnoredAny>(json).is_err() {
        return not_an_event();
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return not_an_event();
    };
    let path = error.path().to_string();
    let reason = error.inner().to_string();
    // The place in the line is of the part that was read, which says nothing.
    let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
    let name = match (field, path.as_str()) {
        (field, ".") => field.to_owned(),
        ("", path) => path.to_owned(),
        (field, path) => format!("{field}.{path}"),
    };
    match name.as_str() {
        "" => NotOurs::NotAnEvent(reason.chars().take(LONGEST_REASON).collect()),
        _ => NotOurs::field(name, reason),
    }
}
