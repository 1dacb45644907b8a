//! The requests and answers of sock_diag as the kernel lays them out
//! (include/uapi/linux/{inet,unix,packet,netlink}_diag.h).

use hostnet_abi::Address;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct inet_diag_sockid`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct InetId {
    pub source_port: [u8; 2],
    pub destination_port: [u8; 2],
    pub source: Address,
    pub destination: Address,
    pub interface: u32,
    pub cookie: [u32; 2],
}

/// `struct inet_diag_req_v2`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct InetRequest {
    pub family: u8,
    pub protocol: u8,
    pub extensions: u8,
    pub padding: u8,
    pub states: u32,
    pub id: InetId,
}

/// `struct inet_diag_msg`
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct InetMessage {
    pub family: u8,
    pub state: u8,
    pub timer: u8,
    pub retransmits: u8,
    pub id: InetId,
    pub expires: u32,
    pub receive_queue: u32,
    pub send_queue: u32,
    pub user: u32,
    pub inode: u32,
}

/// `struct unix_diag_req`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UnixRequest {
    pub family: u8,
    pub protocol: u8,
    pub padding: u16,
    pub states: u32,
    pub inode: u32,
    pub show: u32,
    pub cookie: [u32; 2],
}

/// `struct unix_diag_msg`, and `struct packet_diag_msg`, whose two bytes of
/// protocol are where this one has state and padding.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct LocalMessage {
    pub family: u8,
    pub kind: u8,
    pub state_or_protocol: [u8; 2],
    pub inode: u32,
    pub cookie: [u32; 2],
}

/// `struct packet_diag_req` and `struct netlink_diag_req`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PlainRequest {
    pub family: u8,
    pub protocol: u8,
    pub padding: u16,
    pub inode: u32,
    pub show: u32,
    pub cookie: [u32; 2],
}

/// `struct netlink_diag_msg`
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetlinkMessage {
    pub family: u8,
    pub kind: u8,
    pub protocol: u8,
    pub state: u8,
    pub port: u32,
    pub peer_port: u32,
    pub peer_groups: u32,
    pub inode: u32,
    pub cookie: [u32; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_kernels() {
        assert_eq!(size_of::<InetRequest>(), 56);
        assert_eq!(size_of::<InetMessage>(), 72);
        assert_eq!(size_of::<UnixRequest>(), 24);
        assert_eq!(size_of::<LocalMessage>(), 16);
        assert_eq!(size_of::<PlainRequest>(), 20);
        assert_eq!(size_of::<NetlinkMessage>(), 28);
    }
}
