//! What sockets beyond TCP and UDP take of the host's network: raw IP, packet, netlink
//! and other families.

use super::act::{Act, Bridge, Group, Needs};
use crate::event::{Container, Event, FamilySocket, Operation, Owner};

const IPPROTO_RAW: u32 = 255;

pub(super) fn packet_socket(event: &Event) -> Act {
    let says = "on a bridge network it sees only the frames of its own interface, not the host's";
    let is_bind = matches!(event.operation, Operation::PacketBind(_));
    let opened = || "opened a packet socket".to_owned();
    let subject = if is_bind { event.operation.to_string() } else { opened() };
    Act::new(Group::PacketSocket, subject, Bridge::Not(says.into()))
}

pub(super) fn raw_socket(protocol: u32, event: &Event) -> Act {
    let bridge = match protocol as i32 {
        libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6 => Bridge::AsWell,
        _ if protocol == IPPROTO_RAW => Bridge::AsWell,
        libc::IPPROTO_TCP | libc::IPPROTO_UDP => {
            Bridge::Not("on a bridge network it sees only its own packets, not the host's".into())
        }
        _ => Bridge::Not(
            "only TCP, UDP and SCTP can be published to a container on a bridge network".into(),
        ),
    };
    let act = Act::new(Group::RawSocket, event.operation.to_string(), bridge);
    // It is one of Docker's defaults, so only a run without defaults needs it said.
    act.needing(Needs::Capability("NET_RAW"))
}

/// Whether the runtime gave it the capability; `None` when that is not known.
fn has_net_admin(container: Option<&Container>) -> Option<bool> {
    let container = container.filter(|container| container.is_inspected())?;
    let is_it = |capability: &String| {
        let name = capability.to_ascii_uppercase();
        matches!(name.trim_start_matches("CAP_"), "NET_ADMIN" | "ALL")
    };
    Some(container.privileged || container.capabilities.iter().any(is_it))
}

pub(super) fn network_change(event: &Event, owner: &Owner) -> Act {
    let bridge = match has_net_admin(owner.container.as_deref()) {
        Some(true) => {
            Bridge::Not("on a bridge network it changes its own network, not the host's".into())
        }
        Some(false) => Bridge::If(
            "it has no NET_ADMIN capability, so the kernel refuses this with host networking, too".into(),
        ),
        None => Bridge::Unclear("its capabilities are not known, so it is not known whether it may change the host's network".into()),
    };
    Act::new(Group::NetworkChange, event.operation.to_string(), bridge)
}

pub(super) fn family_socket(event: &Event, opened: &FamilySocket) -> Option<Act> {
    of_family(event, opened.socket.family, opened.socket.protocol)
}

pub(super) fn existing_socket(event: &Event) -> Option<Act> {
    let socket = event.socket?.socket;
    match i32::from(socket.family) {
        libc::AF_INET | libc::AF_INET6 if i32::from(socket.kind) == libc::SOCK_RAW => {
            Some(raw_socket(socket.protocol, event))
        }
        libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX => None,
        _ => of_family(event, socket.family, socket.protocol),
    }
}

fn of_family(event: &Event, family: u16, protocol: u32) -> Option<Act> {
    let subject = event.operation.to_string();
    let says = |text: &str| Bridge::Not(text.to_owned());
    Some(match i32::from(family) {
        libc::AF_PACKET => packet_socket(event),
        libc::AF_NETLINK => match protocol as i32 {
            libc::NETLINK_SOCK_DIAG | libc::NETLINK_NETFILTER => Act::new(
                Group::NetworkState,
                subject,
                says("on a bridge network it sees its own sockets and firewall, not the host's"),
            ),
            // Every program that asks for an address opens one.
            _ => return None,
        },
        libc::AF_XDP | libc::AF_CAN | libc::AF_BLUETOOTH | libc::AF_KEY => Act::new(
            Group::Hardware,
            subject,
            says("only the host's network namespace has these devices and keys"),
        ),
        libc::AF_INET | libc::AF_INET6 => return None,
        _ => Act::new(Group::Other, subject, Bridge::AsWell),
    })
}
