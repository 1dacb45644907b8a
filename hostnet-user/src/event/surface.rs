//! What part of the world an operation is aimed at, seen from the host.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! surfaces {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A part of the host, or of the world beyond it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Surface {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Surface {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in events, rules and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

surfaces! {
    /// 127.0.0.0/8, `::1`, and no address in particular, which connect(2) takes for it.
    HostLoopback = "host-loopback",
    /// An address of the host's own that is not of a bridge.
    HostAddress = "host-address",
    /// The host's end of a bridge that is not its own way out: containers and virtual
    /// machines know the host by it.
    BridgeGateway = "bridge-gateway",
    /// A neighbour on such a bridge: a container or a virtual machine of this host.
    BridgeNetwork = "bridge-network",
    /// An address at which a cloud tells its machines who they are (`judge::surface`).
    Metadata = "metadata",
    /// Any other link-local address.
    LinkLocal = "link-local",
    /// A neighbour on a network that the host is attached to.
    Lan = "lan",
    /// An address of private use behind a gateway (RFC 1918, 4193, 6598).
    Private = "private",
    /// Any other address.
    Internet = "internet",
    /// A multicast group.
    Multicast = "multicast",
    /// Everybody on a network that the host is attached to.
    Broadcast = "broadcast",
    /// A unix socket that has a name of the host's network namespace.
    AbstractUnix = "abstract-unix",
    /// A unix socket that has a path.
    PathUnix = "path-unix",
    /// Frames of the host's interfaces.
    Packet = "packet",
    /// IP packets of the host's.
    Raw = "raw",
    /// The kernel's own configuration.
    Netlink = "netlink",
    /// Sockets of another family, such as vsock or XDP.
    Other = "other",
}

impl Surface {
    /// That of a socket of a family beyond IP and unix sockets.
    #[must_use]
    pub fn of_family(family: u16) -> Option<Self> {
        match i32::from(family) {
            libc::AF_PACKET => Some(Self::Packet),
            libc::AF_NETLINK => Some(Self::Netlink),
            _ => None,
        }
    }

    /// Whether what is there is of this host itself.
    #[must_use]
    pub const fn is_own_address(self) -> bool {
        matches!(self, Self::HostLoopback | Self::HostAddress | Self::BridgeGateway)
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
