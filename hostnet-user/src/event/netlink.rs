//! Netlink: changes asked of the kernel, and reports asked for.

use std::fmt;

use super::{Action, Told};
use crate::event::family;

/// A process asked the kernel to change something.
#[derive(Clone, Copy, Debug)]
pub struct NetlinkRequest {
    /// Which part of the kernel, `NETLINK_*`.
    pub protocol: u32,
    /// `nlmsg_type`.
    pub message: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// Bytes from this message on that nobody looked at, because the batch held
    /// more messages than are looked at; else 0.
    pub unread: u32,
}

impl NetlinkRequest {
    /// The message's name in the kernel's headers, for the routing protocol
    /// (include/uapi/linux/rtnetlink.h) and `SOCK_DESTROY`.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        const ROUTE: [&str; 6] = ["LINK", "ADDR", "ROUTE", "NEIGH", "RULE", "QDISC"];
        const MORE: [(u16, &str); 5] =
            [(40, "TCLASS"), (44, "TFILTER"), (48, "ACTION"), (52, "PREFIX"), (64, "NEIGHTBL")];
        const VERBS: [&str; 4] = ["NEW", "DEL", "GET", "SET"];
        const BASE: u16 = 16;
        if self.protocol == libc::NETLINK_SOCK_DIAG as u32 {
            return (self.message == 21).then(|| "SOCK_DESTROY".to_owned());
        }
        if self.protocol != libc::NETLINK_ROUTE as u32 || self.message < BASE {
            return None;
        }
        let group = (self.message - BASE) / 4;
        let start = BASE + group * 4;
        let noun = ROUTE
            .get(usize::from(group))
            .or_else(|| MORE.iter().find(|(at, _)| *at == start).map(|(_, noun)| noun))?;
        Some(format!("RTM_{}{noun}", VERBS[usize::from(self.message % 4)]))
    }
}

impl Told for NetlinkRequest {
    fn operation(&self) -> &'static str {
        "netlink-request"
    }
    fn action(&self) -> Action {
        Action::RequestedNetlinkChange
    }
    fn types(&self) -> &'static [&'static str] {
        &["change"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol =
            family::protocol(libc::AF_NETLINK as u16, self.protocol).unwrap_or("unknown");
        if self.unread > 0 {
            let bytes = self.unread;
            return write!(
                f,
                "sent a batch over netlink {protocol} of which hostnet did not read the last {bytes} bytes"
            );
        }
        match self.name() {
            Some(name) => write!(f, "sent {name} over netlink {protocol}"),
            None => write!(f, "sent message {} over netlink {protocol}", self.message),
        }
    }
}

/// A netlink socket joined multicast groups: it is told what changes.
#[derive(Clone, Copy, Debug)]
pub struct NetlinkBind {
    /// The first 32 groups as a mask, group 1 in the lowest bit.
    pub groups: u32,
}

impl Told for NetlinkBind {
    fn operation(&self) -> &'static str {
        "netlink-bind"
    }
    fn action(&self) -> Action {
        Action::JoinedNetlinkGroups
    }
    fn types(&self) -> &'static [&'static str] {
        &["info"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subscribed to netlink groups {:#x}", self.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names() {
        let name = |protocol: i32, message| {
            NetlinkRequest { protocol: protocol as u32, message, flags: 0, unread: 0 }.name()
        };
        for (message, expected) in [
            (libc::RTM_NEWLINK, "RTM_NEWLINK"),
            (libc::RTM_SETLINK, "RTM_SETLINK"),
            (libc::RTM_DELADDR, "RTM_DELADDR"),
            (libc::RTM_NEWROUTE, "RTM_NEWROUTE"),
            (libc::RTM_NEWRULE, "RTM_NEWRULE"),
            (libc::RTM_DELQDISC, "RTM_DELQDISC"),
            (libc::RTM_NEWTFILTER, "RTM_NEWTFILTER"),
        ] {
            assert_eq!(name(libc::NETLINK_ROUTE, message).as_deref(), Some(expected));
        }
        assert_eq!(name(libc::NETLINK_SOCK_DIAG, 21).as_deref(), Some("SOCK_DESTROY"));
        assert_eq!(name(libc::NETLINK_NETFILTER, 0x0a00), None);
    }
}
