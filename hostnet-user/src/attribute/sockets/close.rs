//! The end of a TCP socket: of a listener, or of a connection with what passed over it.

use hostnet_abi::Close as CloseRecord;

use super::{
    SocketCorrelator,
    act::{Act, Parts},
    connect::Ended,
};
use crate::event::{Close, Direction, ListenerClosed, Outcome, endpoint};

impl SocketCorrelator {
    pub(super) fn closed(&mut self, parts: &mut Parts<'_>, mut act: Act, record: &CloseRecord) {
        let (at, socket) = (act.at, act.socket);
        self.report_pending_accept(parts, socket.cookie);
        let local = endpoint(record.local, record.local_port);
        let remote = endpoint(record.remote, record.remote_port);
        self.report_unconfirmed_of(parts, socket.cookie, (local, remote));
        let mut tracked = self.table.remove(socket.cookie);
        if let Some(tracked) = &mut tracked {
            act.party = tracked.party.clone();
            // What has an end was established, even if the record of that was lost.
            if !record.is_of_listener()
                && let Some(connect) = tracked.connect.take()
            {
                tracked.direction = Some(Direction::Egress);
                let (outcome, ends) = (Outcome::Success, Some((local, remote)));
                let peer = self.peer_without_connection(parts, socket, &connect, outcome);
                self.report_connect(parts, &act, *connect, Ended { outcome, ends, peer });
            }
        }
        if record.is_of_listener() {
            parts.report(&act, ListenerClosed { local });
            return;
        }
        let operation = Close {
            local,
            remote,
            direction: tracked.as_ref().and_then(|tracked| tracked.direction),
            sent: record.sent,
            received: record.received,
            duration_ns: tracked
                .and_then(|tracked| tracked.since_ns)
                .map(|since| at.saturating_sub(since)),
            errno: (record.errno != 0).then_some(record.errno),
        };
        parts.report(&act, operation);
    }
}
