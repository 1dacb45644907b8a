//! `hostnet.udp`: whether a datagram left, and how many with whom.

use serde::Serialize;

use super::ends::Side;
use crate::event::{DatagramClose, SentToPeer};

#[derive(Default, Serialize)]
pub struct UdpFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_to_peer: Option<SentToPeer>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    further_peers_counted: bool,
    #[serde(flatten)]
    counts: Option<UdpCounts>,
}

#[derive(Serialize)]
struct UdpCounts {
    peers: usize,
    datagrams_sent: u64,
    datagrams_received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    others_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others_received: Option<u64>,
    flows: Vec<FlowFields>,
}

#[derive(Serialize)]
struct FlowFields {
    remote: Side,
    sent: u64,
    received: u64,
}

impl UdpFields {
    pub fn of_connect(sent: SentToPeer) -> Self {
        Self { sent_to_peer: Some(sent), ..Self::default() }
    }

    /// Of the last peer that has an event of its own.
    pub fn of_last_peer() -> Self {
        Self { further_peers_counted: true, ..Self::default() }
    }

    pub fn of_close(close: &DatagramClose) -> Self {
        let counts = Some(udp_counts(close));
        Self { sent_to_peer: close.sent, counts, ..Self::default() }
    }
}

fn udp_counts(close: &DatagramClose) -> UdpCounts {
    let (datagrams_sent, datagrams_received) = close.total();
    let others = (close.others != (0, 0)).then_some(close.others);
    UdpCounts {
        peers: close.flows.peers(),
        datagrams_sent,
        datagrams_received,
        others_sent: others.map(|(sent, _)| sent),
        others_received: others.map(|(_, received)| received),
        flows: close
            .flows
            .listed()
            .iter()
            .map(|flow| FlowFields {
                remote: Side::of(flow.remote),
                sent: flow.sent,
                received: flow.received,
            })
            .collect(),
    }
}
