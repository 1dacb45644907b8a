//! Packet sockets, which see frames below IP, and the filters sockets carry.

use std::{borrow::Cow, fmt};

use super::{
    Action, Colour, Common, Documented, Field, Fitted, Info, NotOurs, Outcome, Surface, Told,
};
use crate::event::{errno, family};

/// A packet socket was bound to an interface and a protocol.
#[derive(Clone, Copy, Debug)]
pub struct PacketBind {
    /// Index of the interface; 0 for all of them.
    pub interface: u32,
    /// `ETH_P_*` of the frames it gets; 0 for none.
    pub protocol: u32,
    /// How it ended.
    pub outcome: Outcome,
}

impl Told for PacketBind {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::BoundPacketSocket, &["start"], Colour::Magenta)
            .aimed_at(Surface::Packet)
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = matches!(self.outcome, Outcome::Failure(_));
        f.write_str(if failed { "failed to capture " } else { "captures " })?;
        match family::protocol(libc::AF_PACKET as u16, self.protocol) {
            Some(name) => write!(f, "{name} frames")?,
            None => write!(f, "frames of type {:#06x}", self.protocol)?,
        }
        match self.interface {
            0 => write!(f, " on all interfaces")?,
            index => write!(f, " on interface {index}")?,
        }
        errno::suffix(f, self.outcome.errno())
    }
}

part! {
    /// `hostnet.packet`.
    struct PacketFields at "packet" {
        interface_index: u32 = Number, "Interface the packet socket is bound to; 0 for all.";
        ether_type: u32 = Number, "`ETH_P_*` of the frames it gets: 3 for all, 0 for none.";
    }
}

own!(OwnOfPacketBind { packet: PacketFields });

impl Documented for PacketBind {
    const OPERATIONS: &'static [&'static str] = &["packet-bind"];
    const FIELDS: &'static [&'static [Field]] = &[PacketFields::ROWS];
    type Own<'a> = OwnOfPacketBind;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfPacketBind {
        let (interface_index, ether_type) = (self.interface, self.protocol);
        OwnOfPacketBind { packet: PacketFields { interface_index, ether_type } }
    }
    fn read(own: OwnOfPacketBind, common: &Common<'_>) -> Result<Self, NotOurs> {
        let PacketFields { interface_index: interface, ether_type: protocol } = own.packet;
        Ok(Self { interface, protocol, outcome: common.outcome()? })
    }
}

part! {
    /// A classic BPF filter was attached to a socket.
    struct SocketFilter at "filter" {
        instructions: u32 = Number, "Length of the classic BPF filter.";
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<String> = Text, "SHA-256 of its instructions, eight bytes each in host byte order; absent beyond 256, and when they could not be read.";
    }
}

impl Told for SocketFilter {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::AttachedSocketFilter, &["info"], Colour::Magenta)
    }
    fn short(&self) -> &'static str {
        "filter"
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attached a BPF filter of {} instructions to a socket", self.instructions)
    }
}

own!(OwnOfFilter<'a> { filter: Cow<'a, SocketFilter> });

impl Documented for SocketFilter {
    const OPERATIONS: &'static [&'static str] = &["socket-filter"];
    const FIELDS: &'static [&'static [Field]] = &[Self::ROWS];
    type Own<'a> = OwnOfFilter<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfFilter<'a> {
        OwnOfFilter { filter: Cow::Borrowed(self) }
    }
    fn read(own: OwnOfFilter<'_>, _: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(own.filter.into_owned())
    }
}
