//! Whose operation it is: what is known of who did it, kept for the records that come
//! later. Plain data.

use std::sync::Arc;

use crate::event::{Actor, Event, Owner, Process, Socket};

/// Who did it.
#[derive(Clone, Debug)]
pub struct Party {
    pub owner: Arc<Owner>,
    pub creator: Option<Arc<Owner>>,
    pub process: Option<Arc<Process>>,
    pub actor: Option<Actor>,
}

impl Party {
    /// Of whom nothing but the owner is known.
    pub const fn of(owner: Arc<Owner>) -> Self {
        Self { owner, creator: None, process: None, actor: None }
    }

    /// The event, as done by it with `socket`.
    pub fn did(&self, event: Event, socket: Option<Socket>) -> Event {
        Event {
            owner: Some(Arc::clone(&self.owner)),
            creator: self.creator.clone(),
            process: self.process.clone(),
            actor: self.actor,
            socket,
            ..event
        }
    }
}
