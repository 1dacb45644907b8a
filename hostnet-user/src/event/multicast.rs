//! IP multicast groups that sockets join.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::{
    Action, Colour, Common, Documented, Field, Fitted, Info, NotOurs, Surface, Told,
    act::{Act, Bridge, Group, MACVLAN},
};

part! {
    /// A socket joined a multicast group: it receives what anybody on the link sends there.
    #[derive(Copy)]
    struct MulticastJoin at "multicast" {
        /// Where the socket is bound; `None` when it is not yet.
        #[serde(skip)]
        local: Option<SocketAddr>;
        group: IpAddr = Ip, "The multicast group that the socket joined.";
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<IpAddr> = Ip, "The only sender that it asked for; absent for any.";
        #[serde(skip_serializing_if = "Option::is_none")]
        interface: Option<u32> = Number as "interface_index", "Index of the interface; absent when the kernel chose it and did not say which.";
    }
}

/// Index of the loopback interface.
const LOOPBACK: u32 = 1;

impl Told for MulticastJoin {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::JoinedMulticastGroup, &["info"], Colour::Magenta)
            .aimed_at(Surface::Multicast)
    }
    fn local(&self) -> Option<SocketAddr> {
        self.local
    }
    fn act(&self) -> Option<Act> {
        let subject = format!("joined multicast group {}", self.group);
        let bridge = if self.interface == Some(LOOPBACK) {
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
        Some(Act::new(Group::Multicast, subject, bridge))
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "joined multicast group {}", self.group)?;
        if let Some(source) = self.source {
            write!(f, " for what {source} sends")?;
        }
        if let Some(interface) = self.interface {
            write!(f, " on interface {interface}")?;
        }
        match self.local {
            Some(local) => write!(f, " with the socket on port {}", local.port()),
            None => Ok(()),
        }
    }
}

own!(OwnOfJoin<'a> { multicast: Cow<'a, MulticastJoin> });

impl Documented for MulticastJoin {
    const OPERATIONS: &'static [&'static str] = &["multicast-join"];
    const FIELDS: &'static [&'static [Field]] = &[Self::ROWS];
    #[cfg(test)]
    fn samples() -> Vec<(Option<hostnet_abi::Socket>, Self)> {
        let socket = Some(hostnet_abi::Socket {
            family: libc::AF_INET as u16,
            kind: libc::SOCK_DGRAM as u16,
            protocol: 17,
        });
        let group = IpAddr::from([239, 255, 255, 250]);
        let local = Some(SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, 0, 0], 1900)));
        let source = Some(IpAddr::from([192, 0, 2, 1]));
        let least = Self { local: None, group, source: None, interface: None };
        vec![(socket, least), (socket, Self { local, source, interface: Some(2), ..least })]
    }
    type Own<'a> = OwnOfJoin<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfJoin<'a> {
        OwnOfJoin { multicast: Cow::Borrowed(self) }
    }
    fn read(own: OwnOfJoin<'_>, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { local: common.local, ..own.multicast.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Operation;

    #[test]
    fn the_sentence_says_what_is_known() {
        let group = "239.255.255.250".parse().unwrap();
        let join = MulticastJoin { local: None, group, source: None, interface: None };
        let said = |join: MulticastJoin| Operation::from(join).to_string();
        assert_eq!(said(join), "joined multicast group 239.255.255.250");
        let local = Some("0.0.0.0:1900".parse().unwrap());
        let source = Some("192.0.2.1".parse().unwrap());
        assert_eq!(
            said(MulticastJoin { local, source, interface: Some(2), ..join }),
            "joined multicast group 239.255.255.250 for what 192.0.2.1 sends on interface 2 with \
             the socket on port 1900"
        );
    }
}
