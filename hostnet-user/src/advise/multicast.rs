//! Servers of which it cannot be told whether they live on multicast, which bridge networks
//! cut off.

use super::{publish::Port, window::Window};

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
