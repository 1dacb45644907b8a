//! Which connections of a container were counted: another run of the agent shows those
//! that are still there again.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
};

use crate::event::{Contact, Event, Operation};

/// Most connections remembered; one beyond may be counted once more.
const MOST: usize = 1 << 14;

/// How far the time since boot goes back when it is another boot's.
const OTHER_BOOT_NS: u64 = 60_000_000_000;

/// Those that were counted and have not ended, by socket.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    open: HashMap<u64, HashSet<SocketAddr>>,
    count: usize,
    boot_ns: u64,
}

impl Connections {
    /// Whether the event shows a connection that was counted before; one that is new is
    /// remembered.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other kinds neither begin nor end a connection"
    )]
    pub fn is_again(&mut self, event: &Event) -> bool {
        let Some(cookie) = event.socket.map(|socket| socket.cookie).filter(|cookie| *cookie != 0)
        else {
            return false;
        };
        // Sockets are numbered anew with each boot.
        if event.boot_ns.saturating_add(OTHER_BOOT_NS) < self.boot_ns {
            *self = Self::default();
        }
        self.boot_ns = event.boot_ns;
        let begins = match &event.operation {
            Operation::Connect(_) | Operation::ExistingSocket(_) => {
                matches!(Contact::of(event), Contact::Reached | Contact::Pending)
            }
            Operation::Accept(_) | Operation::Datagram(_) => true,
            Operation::ConnectOutcome(_) => {
                let contact = Contact::of(event);
                if contact.has_failed() {
                    self.end(cookie);
                }
                contact == Contact::Reached && !event.is_stream()
            }
            Operation::Close(_) | Operation::DatagramClose(_) => {
                self.end(cookie);
                false
            }
            _ => false,
        };
        let Some(remote) = event.remote().filter(|_| begins) else { return false };
        let is_known = self.open.get(&cookie).is_some_and(|of| of.contains(&remote));
        if !is_known && self.count < MOST {
            self.open.entry(cookie).or_default().insert(remote);
            self.count += 1;
        }
        is_known
    }

    fn end(&mut self, cookie: u64) {
        let ended = self.open.remove(&cookie).map_or(0, |of| of.len());
        self.count -= ended;
    }
}
