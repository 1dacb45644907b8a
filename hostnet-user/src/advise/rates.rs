//! How much a container does in a second: the usual reason given for host networking
//! is performance, and these are the numbers to hold against it.

use serde::Serialize;

use crate::event::{Contact, Direction, Event, Operation, SocketState};

const SECOND_NS: u64 = 1_000_000_000;

/// What is counted as events come.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    connections_in: u64,
    connections_out: u64,
    udp_peers: u64,
    unknown: u64,
    sent: u64,
    received: u64,
    datagrams: u64,
    second: u64,
    in_second: u64,
    peak: u64,
    fastest: f64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// TCP connections that others made to it.
    pub connections_in: u64,
    /// TCP connections that it made.
    pub connections_out: u64,
    /// Most of both in one second.
    pub connections_per_second_peak: u64,
    /// Both per observed second.
    pub connections_per_second_mean: f64,
    /// First datagrams, each of one UDP socket with one peer. A connected socket that
    /// sent nothing has none.
    pub udp_peers: u64,
    /// Datagrams of closed UDP sockets; those of connected ones are not counted.
    pub datagrams: u64,
    /// Bytes sent by connections that ended.
    pub bytes_sent: u64,
    /// Bytes received by them.
    pub bytes_received: u64,
    /// Bytes of both directions per observed second.
    pub bytes_per_second_mean: f64,
    /// Bytes of both directions per second of the fastest connection that lasted a
    /// second or more; 0 when none did.
    pub bytes_per_second_fastest: f64,
}

impl Rates {
    /// Counts what the event says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other kinds are no traffic")]
    pub fn take(&mut self, event: &Event) {
        match &event.operation {
            Operation::Accept(_) => {
                self.connections_in += 1;
                self.connection(event.wall_ns);
            }
            Operation::Connect(_) | Operation::ConnectOutcome(_) => match Contact::of(event) {
                Contact::Reached if event.is_stream() => {
                    self.connections_out += 1;
                    self.connection(event.wall_ns);
                }
                Contact::Reached => self.udp_peers += 1,
                Contact::Unknown => self.unknown += 1,
                Contact::Refused | Contact::Failed | Contact::Pending | Contact::Aimed => {}
            },
            Operation::Datagram(_) => self.udp_peers += 1,
            Operation::ExistingSocket(existing)
                if event.is_stream()
                    && existing.remote.is_some()
                    && existing.state == SocketState::Established =>
            {
                // They were made before, so they are in no second of the window.
                match existing.direction {
                    Some(Direction::Ingress) => self.connections_in += 1,
                    _ => self.connections_out += 1,
                }
            }
            Operation::Close(close) => {
                self.sent += close.sent;
                self.received += close.received;
                if let Some(duration) = close.duration_ns.filter(|ns| *ns >= SECOND_NS) {
                    let bytes = close.sent.saturating_add(close.received) as f64;
                    self.fastest = self.fastest.max(bytes * 1e9 / duration as f64);
                }
            }
            Operation::DatagramClose(close) => {
                let (sent, received) = close.total();
                self.datagrams += sent.saturating_add(received);
            }
            _ => {}
        }
    }

    fn connection(&mut self, wall_ns: u64) {
        let second = wall_ns / SECOND_NS;
        // Events are nearly in order; one of a second that is over is not worth a table.
        if second > self.second {
            (self.second, self.in_second) = (second, 0);
        }
        self.in_second += 1;
        self.peak = self.peak.max(self.in_second);
    }

    /// Adds what another container of the same service did.
    pub fn absorb(&mut self, other: &Self) {
        self.connections_in += other.connections_in;
        self.connections_out += other.connections_out;
        self.udp_peers += other.udp_peers;
        self.unknown += other.unknown;
        self.sent += other.sent;
        self.received += other.received;
        self.datagrams += other.datagrams;
        self.peak = self.peak.max(other.peak);
        self.fastest = self.fastest.max(other.fastest);
    }

    /// Connected sockets of which nobody can say whether anything was sent.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Connections of either direction, and UDP peers.
    #[must_use]
    pub const fn exchanges(&self) -> u64 {
        self.connections_in + self.connections_out + self.udp_peers
    }

    /// What came of it in an observed time.
    #[must_use]
    pub fn over(&self, observed_ns: u64) -> Rate {
        let seconds = (observed_ns as f64 / 1e9).max(1.0);
        let connections = self.connections_in + self.connections_out;
        Rate {
            connections_in: self.connections_in,
            connections_out: self.connections_out,
            connections_per_second_peak: self.peak,
            connections_per_second_mean: connections as f64 / seconds,
            udp_peers: self.udp_peers,
            datagrams: self.datagrams,
            bytes_sent: self.sent,
            bytes_received: self.received,
            bytes_per_second_mean: self.sent.saturating_add(self.received) as f64 / seconds,
            bytes_per_second_fastest: self.fastest,
        }
    }
}
