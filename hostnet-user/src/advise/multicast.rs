//! Multicast groups, which bridge networks cut off: those that a socket was seen to join,
//! and servers of which that cannot be told.

use super::{
    act::{Act, Bridge, Group, MACVLAN},
    publish::Port,
    window::Window,
};
use crate::event::MulticastJoin;

/// Index of the loopback interface.
const LOOPBACK: u32 = 1;

/// What it takes of the host's network to be in a group.
pub fn group(join: &MulticastJoin) -> Act {
    let subject = format!("joined multicast group {}", join.group);
    let bridge = if join.interface == Some(LOOPBACK) {
        Bridge::Unclear(
            "it asked for what processes of this host send there over loopback, and a bridge \
             network has a loopback of its own"
                .into(),
        )
    } else {
        Bridge::Not(format!(
            "multicast on the host's links does not reach a bridge network, and no published \
             port passes it on; {MACVLAN}"
        ))
    };
    Act::new(Group::Multicast, subject, bridge)
}

/// UDP servers of which it cannot be told whether they live on multicast or broadcast:
/// what comes to a socket on all addresses does not say where it was sent, and that a
/// group was joined may not have been seen.
pub fn unseen(ports: &[Port], window: &Window) -> Option<String> {
    let is_seen = window.sees_groups_joined();
    let may_be = |port: &&Port| port.takes_any_datagram() && (!is_seen || port.is_from_before);
    let mut servers = ports.iter().filter(may_be).map(Port::place);
    let (first, more) = (servers.next()?, servers.count());
    let which = match more {
        0 => format!("{first} may be a multicast or broadcast server"),
        _ => format!("{first} and {more} more may be multicast or broadcast servers"),
    };
    let why = if is_seen {
        "a socket from before the agent began may have joined a group then"
    } else {
        "multicast groups that sockets join were not seen (hostnet doctor says why)"
    };
    Some(format!("{which}, which a published port does not serve: {why}"))
}
