//! The tables of iptables' older form, by getsockopt(2): entries one after the other, each
//! with its conditions and a target (include/uapi/linux/netfilter_ipv4/ip_tables.h and its
//! IPv6 twin).

use std::{
    fs, io,
    net::IpAddr,
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::{DEEPEST, Found, LOOPBACK, bits, name, narrow, redirects};
use crate::attribute::Redirect;

/// `IPT_SO_GET_INFO` and `IPT_SO_GET_ENTRIES`; IPv6 has the same numbers.
const GET_INFO: i32 = 64;
const GET_ENTRIES: i32 = 65;

/// The name of a table in what is asked for.
const NAME: usize = 32;
/// `struct ipt_getinfo`: name, hooks, where each hook begins and ends, count, size.
const INFO: usize = NAME + 4 + 20 + 20 + 4 + 4;
/// Where the entries of `struct ipt_get_entries` begin.
const ENTRIES: usize = 40;

/// A table larger than this may redirect anything.
const LARGEST: usize = 64 << 20;

const INVERTED_ADDRESS: u8 = 0x10;
const INVERTED_PROTOCOL: u8 = 0x40;

/// Where what matters is in an entry.
struct Layout {
    level: i32,
    is_v6: bool,
    /// Where the destination and its mask are, and how long they are.
    to: usize,
    mask: usize,
    length: usize,
    protocol: usize,
    inverted: usize,
    target: usize,
    next: usize,
    matches: usize,
    /// Where the kernel lists the tables that are in use.
    names: &'static str,
}

const V4: Layout = Layout {
    level: libc::IPPROTO_IP,
    is_v6: false,
    to: 4,
    mask: 12,
    length: 4,
    protocol: 80,
    inverted: 83,
    target: 88,
    next: 90,
    matches: 112,
    names: "/proc/2/net/ip_tables_names",
};

const V6: Layout = Layout {
    level: libc::IPPROTO_IPV6,
    is_v6: true,
    to: 16,
    mask: 48,
    length: 16,
    protocol: 128,
    inverted: 132,
    target: 140,
    next: 142,
    matches: 168,
    names: "/proc/2/net/ip6_tables_names",
};

/// Tables, with the hook from which what the host itself sends comes there. Over loopback it
/// comes in again by the first one.
const TABLES: [(&str, usize); 2] = [("nat", 3), ("mangle", 0)];

/// The tables of both families.
pub struct Tables {
    sockets: [Option<OwnedFd>; 2],
    sizes: Vec<Option<Info>>,
}

type Info = [u8; INFO];

impl Tables {
    /// Those of this thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let open = |family| {
            let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
            socket_with(family, kind, flags, None)
        };
        let v4 = open(AddressFamily::INET)?;
        Ok(Self { sockets: [Some(v4), open(AddressFamily::INET6).ok()], sizes: Vec::new() })
    }

    /// Whether a table has come, gone or become another in size.
    pub fn has_changed(&mut self) -> bool {
        let sizes: Vec<_> = self.each(|socket, layout, table, _| info(socket, layout, table).ok());
        let has_changed = sizes != self.sizes;
        self.sizes = sizes;
        has_changed
    }

    pub fn read(&self, found: &mut Found) -> io::Result<()> {
        self.each(|socket, layout, table, hook| {
            let info = info(socket, layout, table)?;
            let entries = entries(socket, layout, table, number(&info, INFO - 4) as usize)?;
            let at = |of: usize| number(&info, NAME + 4 + of + 4 * hook) as usize;
            if number(&info, NAME) & (1 << hook) != 0 {
                let condition = Redirect { is_v6: Some(layout.is_v6), ..Redirect::default() };
                let table = Table { bytes: &entries, layout };
                table.walk(at(0), Some(at(20)), &condition, 0, found);
            }
            Ok(())
        })
        .into_iter()
        .collect()
    }

    /// Of each table that is in use: one that is asked for otherwise comes into being.
    fn each<T>(&self, mut of: impl FnMut(&OwnedFd, &'static Layout, &str, usize) -> T) -> Vec<T> {
        let mut all = Vec::new();
        for (socket, layout) in self.sockets.iter().zip([&V4, &V6]) {
            let Some(socket) = socket else { continue };
            let names = fs::read_to_string(layout.names).unwrap_or_default();
            for (table, hook) in TABLES {
                if names.lines().any(|line| line == table) {
                    all.push(of(socket, layout, table, hook));
                }
            }
        }
        all
    }
}

fn info(socket: &OwnedFd, layout: &Layout, table: &str) -> io::Result<Info> {
    let mut info = [0; INFO];
    info[..table.len()].copy_from_slice(table.as_bytes());
    ask(socket, layout.level, GET_INFO, &mut info)?;
    Ok(info)
}

fn entries(socket: &OwnedFd, layout: &Layout, table: &str, size: usize) -> io::Result<Vec<u8>> {
    if size > LARGEST {
        return Err(io::Error::other(format!("the table {table} has {size} bytes")));
    }
    let mut all = vec![0; ENTRIES + size];
    all[..table.len()].copy_from_slice(table.as_bytes());
    all[NAME..NAME + 4].copy_from_slice(&(size as u32).to_ne_bytes());
    ask(socket, layout.level, GET_ENTRIES, &mut all)?;
    Ok(all.split_off(ENTRIES))
}

fn ask(socket: &OwnedFd, level: i32, option: i32, answer: &mut [u8]) -> io::Result<()> {
    let mut length = answer.len() as libc::socklen_t;
    // SAFETY: a socket of our own, and a buffer as long as it is said to be.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            answer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> usize {
    let half = bytes.get(at..at + 2).and_then(|half| half.try_into().ok());
    half.map_or(0, u16::from_ne_bytes).into()
}

struct Table<'a> {
    bytes: &'a [u8],
    layout: &'static Layout,
}

impl Table<'_> {
    /// Follows the entries from `at` to the end of their chain: the entry at `last`, or
    /// where another begins.
    fn walk(
        &self,
        mut at: usize,
        last: Option<usize>,
        condition: &Redirect,
        depth: usize,
        found: &mut Found,
    ) {
        while let Some(entry) = self.bytes.get(at..)
            && found.step()
        {
            let (matches, next) = (half(entry, self.layout.target), half(entry, self.layout.next));
            // size, name, revision; then what the target is told.
            let Some(target) = entry.get(matches..next).filter(|target| target.len() >= 32) else {
                return;
            };
            let of = name(&target[2..31]);
            match of {
                b"ERROR" => return,
                b"" => {
                    // A jump is to a later place than any verdict, which are negative.
                    let to = number(target, 32) as i32;
                    if let Ok(to) = usize::try_from(to)
                        && to != at + next
                        && depth < DEEPEST
                        && let Some(narrowed) = self.narrowed(entry, matches, condition)
                    {
                        self.walk(to, None, &narrowed, depth + 1, found);
                    }
                }
                of if redirects(of) => {
                    if let Some(narrowed) = self.narrowed(entry, matches, condition) {
                        found.add(narrowed);
                    }
                }
                _ => {}
            }
            if last == Some(at) || next == 0 {
                return;
            }
            at += next;
        }
    }

    /// The condition with those of an entry; `None` when both never hold.
    fn narrowed(&self, entry: &[u8], matches: usize, condition: &Redirect) -> Option<Redirect> {
        let Layout { to, mask, length, protocol, inverted, matches: first, .. } = *self.layout;
        let inverted = *entry.get(inverted)?;
        let mut own = Redirect::default();
        let address = |at: usize| -> Option<IpAddr> {
            let bytes = entry.get(at..at + length)?;
            match <[u8; 4]>::try_from(bytes) {
                Ok(v4) => Some(v4.into()),
                Err(_) => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            }
        };
        if let (Some(ip), Some(bits)) = (address(to), address(mask).and_then(bits))
            && bits != 0
        {
            if inverted & INVERTED_ADDRESS == 0 {
                own.to = Some((ip, bits));
            } else {
                own.not_loopback = crate::attribute::Redirects::covers((ip, bits), LOOPBACK);
            }
        }
        let of = half(entry, protocol) as u32;
        if of != 0 && inverted & INVERTED_PROTOCOL == 0 {
            own.protocol = Some(of);
        }
        let mut rest = entry.get(first..matches)?;
        while rest.len() >= 32 {
            let size = half(rest, 0);
            let data = rest.get(32..size)?;
            narrow(&mut own, name(&rest[2..31]), rest[31], data);
            rest = rest.get(size..)?;
        }
        condition.and(&own)
    }
}
