//! Raw IP sockets as /proc/net/raw lists them, for kernels whose sock_diag cannot
//! (`CONFIG_INET_DIAG_RAW` is often left out). Text in, facts out: no cookie, no
//! cgroup, only who holds them tells whose they are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hostnet_abi::Socket;

use crate::attribute::Found;
use crate::event::endpoint;

/// Each socket with its inode.
pub fn sockets(table: &str, family: i32) -> impl Iterator<Item = (u32, Found)> {
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        // sl, local, remote, state, queues, timer, retransmits, user, timeout, inode.
        let (address, protocol) = end(fields.get(1)?)?;
        let user = fields.get(7)?.parse().ok()?;
        let inode = fields.get(9)?.parse().ok()?;
        let protocol = u32::from(protocol);
        let socket = Socket { family: family as u16, kind: libc::SOCK_RAW as u16, protocol };
        let local = (!address.is_unspecified()).then_some(SocketAddr::new(address, 0));
        Some((inode, Found { socket, local, user: Some(user), ..Found::default() }))
    })
}

/// `0100007F:0001`: the address in words of the machine's byte order, and where
/// others have a port, the protocol.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = match address.len() {
        8 => Ipv4Addr::from(word(0)?.to_ne_bytes()).into(),
        32 => endpoint([word(0)?, word(8)?, word(16)?, word(24)?], 0).ip(),
        _ => return None,
    };
    Some((ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_socket_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode ref pointer drops\n   1: 0100007F:0001 00000000:0000 07 \
                     00000000:00000000 00:00000000 00000000     5        0 77 2 0000000000000000 0\n\
                     nonsense\n   1: xx\n";
        let found: Vec<(u32, Found)> = sockets(table, libc::AF_INET).collect();
        assert_eq!(found.len(), 1);
        let (inode, one) = &found[0];
        assert_eq!((*inode, one.user, one.socket.protocol), (77, Some(5), 1));
        if cfg!(target_endian = "little") {
            assert_eq!(one.local, Some(([127, 0, 0, 1], 0).into()));
        }
    }
}
