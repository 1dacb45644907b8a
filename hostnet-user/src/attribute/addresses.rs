//! The host's own addresses, asked by rtnetlink(7), and whether they have changed
//! since. It fetches for peer.rs and decides nothing.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::OwnedFd,
};

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink,
    recv, socket_with,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::sock_diag::{
    Connection,
    netlink::{attributes, number},
};

// include/uapi/linux/rtnetlink.h, include/uapi/linux/if_addr.h
/// `NETLINK_ROUTE` is 0, which rustix has as no protocol in particular.
const ROUTE: Option<Protocol> = None;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// What Linux chooses from unless it is told otherwise.
const CHOSEN_PORTS: (u16, u16) = (32_768, 60_999);

/// `struct ifaddrmsg`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct AddressMessage {
    family: u8,
    prefix_length: u8,
    flags: u8,
    scope: u8,
    interface: u32,
}

/// The host's addresses as they are and as they change.
pub struct Addresses {
    connection: Connection,
    changes: OwnedFd,
    chosen_ports: (u16, u16),
}

impl Addresses {
    /// Begins to mind changes in this thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no rtnetlink.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let changes = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE)?;
        bind(&changes, &SocketAddrNetlink::new(0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))?;
        let connection = Connection::open_for(ROUTE)?;
        Ok(Self { connection, changes, chosen_ports: chosen_ports() })
    }

    /// The addresses now, in order.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn read(&self) -> io::Result<Vec<IpAddr>> {
        let mut found = Vec::new();
        let request = AddressMessage::default();
        self.connection.dump_as((RTM_GETADDR, RTM_NEWADDR), request.as_bytes(), |answer| {
            found.extend(address(answer));
        })?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The lowest and the highest port that the kernel chooses.
    #[must_use]
    pub const fn chosen_ports(&self) -> (u16, u16) {
        self.chosen_ports
    }

    /// Whether they may have changed since the last call.
    pub fn have_changed(&self) -> bool {
        let mut have_changed = false;
        let mut buffer = [0; 1 << 13];
        loop {
            match recv(&self.changes, &mut buffer[..], RecvFlags::empty()) {
                // What did not fit was a change, too.
                Ok(_) | Err(rustix::io::Errno::NOBUFS) => have_changed = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_nothing) => return have_changed,
            }
        }
    }
}

/// The lowest and the highest port that the kernel chooses in this thread's network
/// namespace (`ip_local_port_range`).
#[must_use]
pub fn chosen_ports() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map_while(|word| word.parse().ok());
    numbers.next().zip(numbers.next()).unwrap_or(CHOSEN_PORTS)
}

/// The address of the host's end: of a point-to-point link the other is not it.
fn address(answer: &[u8]) -> Option<IpAddr> {
    let (message, rest) = AddressMessage::read_from_prefix(answer).ok()?;
    let (mut own, mut any) = (None, None);
    for (kind, value) in attributes(rest) {
        match kind {
            IFA_LOCAL => own = ip(message.family, value),
            IFA_ADDRESS => any = ip(message.family, value),
            _ => {}
        }
    }
    own.or(any)
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => number::<[u8; 4]>(value).map(|octets| Ipv4Addr::from(octets).into()),
        libc::AF_INET6 => number::<[u8; 16]>(value).map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_end_of_a_link() {
        let message = AddressMessage { family: libc::AF_INET as u8, ..AddressMessage::default() };
        let attribute = |kind: u8, last| [8, 0, kind, 0, 10, 0, 0, last];
        let mut answer = message.as_bytes().to_vec();
        answer.extend(attribute(1, 2));
        assert_eq!(address(&answer), Some([10, 0, 0, 2].into()));
        answer.extend(attribute(2, 1));
        assert_eq!(address(&answer), Some([10, 0, 0, 1].into()));
        assert_eq!(address(&answer[..5]), None);
        assert_eq!(address(&answer[..12]), None);
    }

    #[test]
    fn loopback_is_among_them_unless_it_is_down() {
        let found = Addresses::open().and_then(|addresses| addresses.read());
        let is_up = std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
        assert!(found.is_err() || !is_up || found.unwrap().contains(&Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn ports_to_choose_from_are_a_range() {
        let (low, high) = chosen_ports();
        assert!(low < high);
    }
}
