//! Netlink: changes asked of the kernel, and reports asked for.

use std::{borrow::Cow, fmt};

use super::{Action, Colour, Common, Documented, Field, Fitted, Info, NotOurs, Surface, Told};
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
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::RequestedNetlinkChange, &["change"], Colour::Magenta)
            .aimed_at(Surface::Netlink)
    }
    fn short(&self) -> &'static str {
        "netlink"
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

part! {
    /// `hostnet.netlink` of a request.
    struct RequestFields at "netlink" {
        message: u16 = Number, "`nlmsg_type`: the change that was asked for.";
        #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
        message_name: Option<String> = Text, "Its name in the kernel's headers, when it is known.";
        #[serde(default)]
        flags: u16 = Number, "`nlmsg_flags`.";
        #[serde(skip_serializing_if = "Option::is_none")]
        unread_bytes: Option<u32> = Number, "Bytes of a batch from this message on, when it held more messages than are looked at (16).";
    }
}

own!(OwnOfRequest { netlink: RequestFields });

impl Documented for NetlinkRequest {
    const OPERATIONS: &'static [&'static str] = &["netlink-request"];
    const FIELDS: &'static [&'static [Field]] = &[RequestFields::ROWS];
    type Own<'a> = OwnOfRequest;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfRequest {
        let netlink = RequestFields {
            message: self.message,
            message_name: self.name(),
            flags: self.flags,
            unread_bytes: (self.unread > 0).then_some(self.unread),
        };
        OwnOfRequest { netlink }
    }
    fn read(own: OwnOfRequest, common: &Common<'_>) -> Result<Self, NotOurs> {
        let RequestFields { message, flags, unread_bytes, .. } = own.netlink;
        let (protocol, unread) = (common.socket()?.protocol, unread_bytes.unwrap_or_default());
        Ok(Self { protocol, message, flags, unread })
    }
}

part! {
    /// A netlink socket joined multicast groups: it is told what changes.
    #[derive(Copy)]
    struct NetlinkBind at "netlink" {
        groups: u32 = Number, "The first 32 multicast groups joined, as a mask.";
    }
}

impl Told for NetlinkBind {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::JoinedNetlinkGroups, &["info"], Colour::Magenta)
            .aimed_at(Surface::Netlink)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subscribed to netlink groups {:#x}", self.groups)
    }
}

own!(OwnOfNetlinkBind<'a> { netlink: Cow<'a, NetlinkBind> });

impl Documented for NetlinkBind {
    const OPERATIONS: &'static [&'static str] = &["netlink-bind"];
    const FIELDS: &'static [&'static [Field]] = &[Self::ROWS];
    type Own<'a> = OwnOfNetlinkBind<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfNetlinkBind<'a> {
        OwnOfNetlinkBind { netlink: Cow::Borrowed(self) }
    }
    fn read(own: OwnOfNetlinkBind<'_>, _: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(own.netlink.into_owned())
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
