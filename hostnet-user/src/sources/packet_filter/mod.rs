//! What the host's packet filters may lead elsewhere: iptables in both its forms, nftables,
//! and the services of IPVS, read anew when they have changed.
//!
//! Rules are followed from where the host's own packets begin, with the conditions on the
//! way. A condition that is not understood counts for none, so that a rule matches rather
//! too much than too little.

mod ipvs;
mod legacy;
mod nft;

use std::{
    io,
    net::IpAddr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, netlink::SocketAddrNetlink,
    recvfrom, socket_with,
};

use super::netlink::{Connection, is_kernel};
use crate::attribute::{Redirect, Redirects};

/// Between two looks at rules that keep changing, at least, and as many times what the last
/// look took.
const REST: Duration = Duration::from_millis(20);
const SHARE: u32 = 20;

/// Rules may be others without a sign of it.
const LONGEST: Duration = Duration::from_secs(5);

/// Messages about changes that are read at a time.
const MAX_READS: usize = 64;

/// Steps from rule to rule; beyond it anything may be redirected.
const MOST_STEPS: usize = 1 << 17;

/// Redirects that are kept; beyond it anything may be redirected.
const MOST: usize = 1 << 13;

/// How deep chains call each other; the kernel allows 16.
const DEEPEST: usize = 16;

/// 127.0.0.0/8, which rules for published ports leave out.
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The packet filters of the host.
pub struct PacketFilters {
    nft: Option<Connection>,
    changes: Option<OwnedFd>,
    legacy: legacy::Tables,
    last: Option<Redirects>,
    is_stale: bool,
    read: Instant,
    next: Instant,
}

impl PacketFilters {
    /// Begins to mind those of this thread's network namespace.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn open() -> io::Result<Self> {
        let netfilter = Some(netlink::NETFILTER);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let changes = || {
            let changes = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, netfilter)?;
            bind(&changes, &SocketAddrNetlink::new(0, nft::GROUPS))?;
            io::Result::Ok(changes)
        };
        let now = Instant::now();
        Ok(Self {
            // A kernel without nftables has none of its rules.
            nft: Connection::open_for(netfilter).ok(),
            changes: changes().ok(),
            legacy: legacy::Tables::open()?,
            last: None,
            is_stale: true,
            read: now,
            next: now,
        })
    }

    /// What they may redirect, when that is another than what was last said. Where they
    /// cannot be read, that is anything.
    pub fn changed(&mut self) -> Option<Redirects> {
        self.is_stale |= self.has_news() | self.legacy.has_changed();
        let begun = Instant::now();
        let is_due = self.is_stale || begun.duration_since(self.read) >= LONGEST;
        if !is_due || begun < self.next {
            return None;
        }
        self.is_stale = false;
        let mut found = Found::default();
        if let Err(error) = self.ask(&mut found) {
            if self.last.as_ref() != Some(&anything()) {
                tracing::warn!(
                    "cannot read the host's packet filters: {error}; who receives a datagram on \
                     this host is not named, because it may be redirected"
                );
            }
            found.is_anything = true;
        }
        (self.read, self.next) = (begun, Instant::now() + REST.max(begun.elapsed() * SHARE));
        let redirects = if found.is_anything { anything() } else { Redirects(found.redirects) };
        let is_news = self.last.as_ref() != Some(&redirects);
        is_news.then(|| self.last.insert(redirects).clone())
    }

    fn ask(&mut self, found: &mut Found) -> io::Result<()> {
        self.legacy.read(found)?;
        if let Some(nft) = &self.nft {
            nft::read(nft, found)?;
        }
        ipvs::read(found);
        Ok(())
    }

    fn has_news(&self) -> bool {
        let Some(changes) = &self.changes else { return false };
        let (mut has_news, mut buffer) = (false, [0; 1 << 13]);
        // What is left is news as well, and who keeps sending must not keep us here.
        for _ in 0..MAX_READS {
            match recvfrom(changes, &mut buffer[..], RecvFlags::empty()) {
                Ok((_, _, sender)) => has_news |= is_kernel(sender),
                // What did not fit was a change, too.
                Err(rustix::io::Errno::NOBUFS) => has_news = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_nothing) => return has_news,
            }
        }
        has_news
    }
}

fn anything() -> Redirects {
    Redirects(vec![Redirect::default()])
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    redirects: Vec<Redirect>,
    is_anything: bool,
    steps: usize,
}

impl Found {
    /// Whether there may be another step.
    fn step(&mut self) -> bool {
        self.steps += 1;
        self.is_anything |= self.steps > MOST_STEPS;
        !self.is_anything
    }

    fn add(&mut self, redirect: Redirect) {
        if self.redirects.contains(&redirect) {
            return;
        }
        self.is_anything |= self.redirects.len() >= MOST;
        if !self.is_anything {
            self.redirects.push(redirect);
        }
    }
}

/// How many bits of an address a mask has; `None` when they are not the first ones.
fn bits(mask: IpAddr) -> Option<u8> {
    let (ones, all) = match mask {
        IpAddr::V4(mask) => (mask.to_bits().leading_ones(), mask.to_bits().count_ones()),
        IpAddr::V6(mask) => (mask.to_bits().leading_ones(), mask.to_bits().count_ones()),
    };
    (ones == all).then_some(ones as u8)
}

/// The matches that iptables has in both its forms, by their names and the kernel's structs.
fn narrow(by: &mut Redirect, name: &[u8], revision: u8, data: &[u8]) {
    let half = |at: usize| Some(u16::from_ne_bytes(data.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(data.get(at..at + 4)?.try_into().ok()?));
    // include/uapi/linux/netfilter/xt_tcpudp.h, xt_addrtype.h
    const INVERTED_PORT: u8 = 2;
    const LOCAL: u16 = 1 << 2;
    let inverted = match name {
        b"tcp" => data.get(11),
        b"udp" => data.get(8),
        b"addrtype" => {
            let inverts = if revision == 0 { word(8) } else { word(4).map(|flags| flags & 2) };
            by.own_only |= half(2) == Some(LOCAL) && inverts == Some(0);
            return;
        }
        _ => return,
    };
    if let (Some(low), Some(high), Some(flags)) = (half(4), half(6), inverted)
        && flags & INVERTED_PORT == 0
        && (low, high) != (0, u16::MAX)
    {
        by.ports = Some((low, high));
    }
}

/// Whether a target of iptables changes where something goes.
fn redirects(target: &[u8]) -> bool {
    matches!(target, b"DNAT" | b"REDIRECT" | b"TPROXY" | b"NETMAP")
}

/// Up to the first zero byte.
fn name(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
