//! An event as one sentence.

use std::fmt::Write as _;

use super::{
    Event, Operation, OwnerKind,
    who::{process_name, subject},
};

/// The event as one sentence.
pub fn message(event: &Event, to: &mut String) {
    if let Some(owner) = &event.owner {
        subject(owner, event.process.as_deref(), to);
        to.push(' ');
    }
    let sentence = to.len();
    if let (Operation::Exit(_), Some(process)) = (&event.operation, &event.process) {
        let is_named = event.owner.as_ref().is_some_and(|owner| owner.kind != OwnerKind::Container);
        if !is_named {
            process_name(process, to);
            to.push(' ');
        }
    }
    // Writing to a string cannot fail.
    let _infallible = write!(to, "{}", event.operation);
    // The process is the subject then, not the container: `web: process sh (pid 7) …`.
    if sentence > 0 && to[sentence..].starts_with("process ") {
        to.insert(sentence - 1, ':');
    }
    // A finding's own sentence says whose it is.
    if let Some(peer) = event.peer.as_ref().filter(|_| !event.is_finding()) {
        let _infallible = write!(to, " ({peer})");
    }
}
