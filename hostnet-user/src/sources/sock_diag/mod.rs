//! The sockets that exist now in the host's network namespace, asked of the
//! kernel by sock_diag(7), with the processes that hold them.
//!
//! The requests are our own few structs: the crate that has them takes the name
//! of a unix socket for text, and knows no packet sockets.

mod families;
mod layout;
mod proc_raw;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    path::Path,
};

use anyhow::Context as _;
use families::{BOUND, BOUND_SINCE, Family, ROWS, Row, Shown};

pub use super::netlink::Connection;
use super::procfs;
use crate::{
    attribute::Found,
    event::UnixAddress,
    kernel::{self, Programs, State},
};

/// What became of one family.
struct Asked {
    /// What it shows, for a person.
    sees: &'static str,
    /// By what.
    by: &'static str,
    /// Why it does not.
    refused: Option<String>,
}

/// The same question, to be asked later in the run.
pub struct Again {
    connection: Connection,
    /// What the kernel has shown, by what it was asked for.
    shown: HashSet<&'static str>,
}

/// The sockets there are in the host's network namespace, and how to ask for them again;
/// what the kernel cannot show is noted in the coverage.
pub fn of_host(programs: &mut Programs) -> (Vec<Found>, Option<Again>) {
    let Programs { host, root, coverage, .. } = programs;
    let (found, asked, connection) = ask(host.network_namespace, root.path());
    let shown = asked.iter().filter(|row| row.refused.is_none()).map(|row| row.by).collect();
    for row in asked {
        let state = row.refused.map_or(State::Proven, State::Refused);
        coverage.set_start(row.sees, row.by, state);
    }
    (found, connection.map(|connection| Again { connection, shown }))
}

/// The same for whoever has no programs loaded. What cannot be shown comes as
/// sentences, but for what some kernels do not have at all.
#[must_use]
pub fn once(network_namespace: u32, cgroup_root: &Path) -> (Vec<Found>, Vec<String>) {
    let (mut found, mut asked, _) = ask(network_namespace, cgroup_root);
    for (by, file, family) in
        [("sock_diag/raw", "raw", libc::AF_INET), ("sock_diag/raw6", "raw6", libc::AF_INET6)]
    {
        let refused = asked.iter_mut().find(|row| row.by == by && row.refused.is_some());
        // The kernel's own threads are in the host's network namespace.
        if let Some(row) = refused
            && let Ok(table) = std::fs::read_to_string(format!("/proc/2/net/{file}"))
        {
            row.refused = None;
            found.extend(raw_sockets(&table, family, cgroup_root));
        }
    }
    let is_everywhere = |row: &Asked| row.by != BOUND.1 && !row.by.contains("udplite");
    let refused = |row: Asked| {
        let what = row.sees.replace(" existing at start", "");
        Some(format!("{what} are not shown: {}", row.refused?))
    };
    (found, asked.into_iter().filter(is_everywhere).filter_map(refused).collect())
}

fn raw_sockets(table: &str, family: i32, cgroup_root: &Path) -> Vec<Found> {
    let shown: HashMap<u32, Found> = proc_raw::sockets(table, family).collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let mut holders = procfs::socket_holders(&shown.keys().copied().collect(), cgroup_root);
    let held = |(inode, found)| {
        let holders = holders.remove(&inode).unwrap_or_default();
        Found { holders, ..found }
    };
    shown.into_iter().map(held).collect()
}

fn ask(network_namespace: u32, cgroup_root: &Path) -> (Vec<Found>, Vec<Asked>, Option<Connection>) {
    let opened = kernel::in_network_namespace(network_namespace, || {
        Connection::open().context("the kernel has no sock_diag")
    });
    match opened {
        Ok(connection) => {
            let (found, asked) = existing(&connection, cgroup_root);
            (found, asked, Some(connection))
        }
        Err(error) => {
            let reason = format!("{error:#}");
            (Vec::new(), asked(|_| Some(reason.clone())), None)
        }
    }
}

impl Again {
    /// The sockets there are now; `None` where the kernel no longer shows what it has shown:
    /// then a socket that is not among them may be there all the same.
    #[must_use]
    pub fn ask(&self, cgroup_root: &Path) -> Option<Vec<Found>> {
        let (found, asked) = existing(&self.connection, cgroup_root);
        let fails = |row: &Asked| row.refused.is_some() && self.shown.contains(row.by);
        (!asked.iter().any(fails)).then_some(found)
    }
}

/// Everything there is, and what could not be asked for. `cgroup_root` is where
/// the holders' cgroups are looked up.
fn existing(connection: &Connection, cgroup_root: &Path) -> (Vec<Found>, Vec<Asked>) {
    let mut refused = HashMap::new();
    let mut shown = dump(connection, |_| true, &mut refused);
    let of_all = inodes(&shown);
    let mut holders = procfs::socket_holders(&of_all, cgroup_root);
    name_peers(&mut shown);
    // Without a holder it was closed since, or it is on its way between two processes.
    let is_lone = |one: &Shown, holders: &HashMap<u32, _>| {
        one.inode != 0 && !holders.contains_key(&one.inode) && is_told_of(one, &of_all)
    };
    if shown.values().any(|one| is_lone(one, &holders)) {
        let still = dump(connection, |row| is_local(row.family), &mut refused);
        shown.retain(|cookie, one| {
            one.found.cgroup.is_some() || !is_lone(one, &holders) || still.contains_key(cookie)
        });
        let lone = shown.values().filter(|one| is_lone(one, &holders));
        let lone: HashSet<u32> = lone.map(|one| one.inode).collect();
        if !lone.is_empty() {
            holders.extend(procfs::socket_holders(&lone, cgroup_root));
        }
    }
    let own = connection.inode();
    let inodes = inodes(&shown);
    let mut found: Vec<Found> = shown
        .into_values()
        .filter(|one| one.inode != own && is_told_of(one, &inodes))
        .map(|one| Found { holders: holders.remove(&one.inode).unwrap_or_default(), ..one.found })
        .collect();
    // Who tells of them looks up an owner once, not once for each of its sockets.
    found.sort_by_key(|one| (one.holders.first().map(|holder| holder.pid), one.cookie));
    (found, asked(|row| refused.remove(row.by)))
}

/// The inodes of those that have one.
fn inodes(shown: &BTreeMap<u64, Shown>) -> HashSet<u32> {
    shown.values().map(|one| one.inode).filter(|inode| *inode != 0).collect()
}

/// The local ports of TCP listeners, by cookie; what cannot be asked for is left out.
/// The kernel walks its listeners alone, not all its TCP sockets
/// (`inet_diag_dump_icsk`, net/ipv4/inet_diag.c, 4.4–7.3).
pub fn listening_ports(connection: &Connection, mut each: impl FnMut(u64, u16)) {
    for family in [libc::AF_INET, libc::AF_INET6] {
        let tcp = Family::Inet { family, protocol: libc::IPPROTO_TCP };
        let outcome = connection.dump(&tcp.listeners_request(), |answer| {
            if let Some(shown) = tcp.read(answer)
                && let Some(local) = shown.found.local
            {
                each(shown.found.cookie, local.port());
            }
        });
        if let Err(error) = outcome {
            tracing::debug!("cannot ask for listeners: {error}");
        }
    }
}

fn asked(mut refused: impl FnMut(&Row) -> Option<String>) -> Vec<Asked> {
    let of = |row: &Row| Asked { sees: row.sees, by: row.by, refused: refused(row) };
    let mut rows: Vec<Asked> = ROWS.iter().map(of).collect();
    let (major, minor) = BOUND_SINCE;
    let is_older = kernel::running_release() < BOUND_SINCE;
    let bound = is_older.then(|| format!("needs Linux {major}.{minor}"));
    // Without TCP there is nothing to say of a part of it.
    let refused = rows.first().and_then(|tcp| tcp.refused.clone()).or(bound);
    rows.push(Asked { sees: BOUND.0, by: BOUND.1, refused });
    rows
}

/// How often a family is asked, at most.
const MOST_ASKED: u32 = 8;

/// Every socket by cookie. A dump that goes on in a second message finds its
/// place by counting and may step over one where others have gone meanwhile, so
/// each family is asked until an answer has nothing new.
fn dump(
    connection: &Connection,
    is_wanted: impl Fn(&Row) -> bool,
    refused: &mut HashMap<&'static str, String>,
) -> BTreeMap<u64, Shown> {
    let mut found = BTreeMap::new();
    for row in ROWS.iter().filter(|row| is_wanted(row)) {
        for _ in 0..MOST_ASKED {
            let before = found.len();
            let outcome = connection.dump(&row.family.request(), |answer| {
                if let Some(shown) = row.family.read(answer) {
                    found.insert(shown.found.cookie, shown);
                }
            });
            if let Err(error) = outcome {
                refused.insert(row.by, reason(&error));
                break;
            }
            if found.len() == before {
                break;
            }
        }
    }
    found
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "the kernel cannot show them: it was built without that, or \
                                    the module is not there"
            .to_owned(),
        _ => format!("the kernel refused: {error}"),
    }
}

/// Whether the kernel names no cgroup: only a holder tells whose such a socket is.
const fn is_local(family: Family) -> bool {
    !matches!(family, Family::Inet { .. })
}

/// A unix socket knows its peer by inode; the peer's name is what it connected to.
fn name_peers(shown: &mut BTreeMap<u64, Shown>) {
    let named = |one: &Shown| (one.inode, (one.found.cookie, one.found.local_name.clone()));
    let by_inode: HashMap<u32, (u64, Option<UnixAddress>)> =
        shown.values().filter(|one| one.inode != 0).map(named).collect();
    for one in shown.values_mut() {
        if let Some((cookie, name)) = one.peer.and_then(|peer| by_inode.get(&peer)) {
            one.found.other_end = Some(*cookie);
            one.found.remote_name.clone_from(name);
        }
    }
}

/// Not told of: a unix socket that nobody has accepted yet, for its other end is,
/// and a pair of which neither end has a name. A peer that is not among `inodes`
/// may have one: it is in another network namespace, or waits to be accepted.
fn is_told_of(one: &Shown, inodes: &HashSet<u32>) -> bool {
    let is_unix = i32::from(one.found.socket.family) == libc::AF_UNIX;
    let has_name = one.found.local_name.is_some() || one.found.remote_name.is_some();
    let is_reached = has_name || one.peer.is_some_and(|peer| !inodes.contains(&peer));
    !is_unix || (one.inode != 0 && is_reached)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::event::{SocketState, canonical};

    #[test]
    fn shows_the_sockets_of_this_process() {
        let Ok(connection) = Connection::open() else {
            crate::skip::skip("this kernel has no sock_diag");
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = UdpSocket::bind("[::1]:0").unwrap();
        let client = UdpSocket::bind("[::1]:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let (found, asked) = existing(&connection, Path::new("/sys/fs/cgroup"));
        if asked.iter().take(4).any(|row| row.refused.is_some()) {
            crate::skip::skip("this kernel cannot show TCP or UDP sockets");
            return;
        }
        let of = |address| {
            let is_it = |one: &&Found| one.local.map(canonical) == Some(address);
            found.iter().find(is_it).unwrap_or_else(|| panic!("no {address}"))
        };
        let listening = of(listener.local_addr().unwrap());
        assert_eq!((listening.state, listening.remote), (SocketState::Listen, None));
        assert!(listening.holders.iter().any(|holder| holder.pid == std::process::id()));
        let connected = of(client.local_addr().unwrap());
        assert_eq!(connected.remote.map(canonical), server.local_addr().ok());
        assert_eq!(of(server.local_addr().unwrap()).state, SocketState::Bound);
    }
}
