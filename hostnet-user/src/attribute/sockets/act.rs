//! Something done with a socket, and the parts of the stage that are asked about it.

use hostnet_abi::Hook;
use uuid::Uuid;

use crate::{
    attribute::{
        other_end::PeerTable,
        owners::OwnerResolver,
        party::Party,
        reporter::{Report, Reporter},
    },
    event::{Operation, Peer, Socket},
};

/// When it was, what showed it, who did it, and with which socket.
#[derive(Clone, Debug)]
pub struct Act {
    pub at: u64,
    pub hook: Hook,
    pub party: Party,
    pub socket: Socket,
}

/// Whose it is, who is at the other end, and where it is reported.
pub struct Parts<'a> {
    pub owners: &'a mut OwnerResolver,
    pub peers: &'a mut PeerTable,
    pub reporter: &'a mut Reporter,
}

impl Parts<'_> {
    /// Reports what was done.
    pub fn report(&mut self, act: &Act, operation: impl Into<Operation>) -> Uuid {
        self.report_with(act, operation, None)
    }

    /// The same with whoever is at the other end.
    pub fn report_with(
        &mut self,
        act: &Act,
        operation: impl Into<Operation>,
        peer: Option<Box<Peer>>,
    ) -> Uuid {
        let Act { at, hook, party, socket } = act;
        let (at, hook, socket, operation) = (*at, Some(*hook), Some(*socket), operation.into());
        self.reporter.report(self.owners, Report { at, hook, party, socket, operation, peer })
    }
}
