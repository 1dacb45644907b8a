//! The one list of evasion techniques that live tests are named after: `e07_…`
//! shows that technique E07 is told, with its owner and its addresses. A test of
//! tests/uncovered.rs shows the reverse. It must not know what the tests found.

/// A way not to be seen.
pub struct Entry {
    /// `E01` and so on; numbers that are missing were joined with others.
    pub id: &'static str,
    pub title: &'static str,
}

/// An operation that no hook of the sets `inet` and `life` shows. A test named after
/// its technique holds that it is not told: when it is, this row goes.
pub struct Uncovered {
    pub id: &'static str,
    pub operation: &'static str,
    pub why: &'static str,
    /// The set that shows it after all, on kernels that take it.
    pub shown_by: Option<&'static str>,
}

/// All of them, in the order of techniques.
pub const UNCOVERED: &[Uncovered] = &[
    Uncovered {
        id: "E08",
        operation: "receiving a datagram without asking who sent it, unconnected",
        why: "the kernel runs cgroup/recvmsg4 only for callers that ask for the address",
        shown_by: None,
    },
    Uncovered {
        id: "E13",
        operation: "bind and connect of an SCTP socket by setsockopt",
        why: "no hook is on their way; that the socket is opened is told",
        shown_by: None,
    },
    Uncovered {
        id: "E14",
        operation: "connect of a UDP-Lite socket",
        why: "UDP-Lite has no pre_connect, where the kernel runs cgroup/connect4",
        shown_by: Some("connect"),
    },
];

/// Where tests show that an operation is not told.
pub const REVERSE: &str = "uncovered";

const fn technique(id: &'static str, title: &'static str) -> Entry {
    Entry { id, title }
}

/// All of them, in order.
pub const CATALOGUE: &[Entry] = &[
    technique("E01", "the address is rewritten by userfaultfd, or by another thread at any moment"),
    technique("E02", "the address is rewritten while the connect waits for the network"),
    technique("E04", "io_uring: socket, bind, listen, connect, accept, send"),
    technique("E05", "io_uring with SQPOLL: a kernel thread acts"),
    technique("E07", "TCP Fast Open, by sendto and by TCP_FASTOPEN_CONNECT"),
    technique("E08", "UDP without connect, many peers at once, another peer than the socket's"),
    technique("E10", "ports nobody asks for: listen without bind, autobind, late and ranged ports"),
    technique("E11", "v4-mapped, dual-stack, scoped and non-local addresses"),
    technique("E12", "Multipath TCP"),
    technique("E13", "SCTP, whose setsockopt binds and connects"),
    technique("E14", "other families and protocols: unix, UDP-Lite, ping, vsock, AF_ALG, …"),
    technique("E15", "raw IP with a forged header"),
    technique("E16", "packet sockets: sniffing, injecting, a filter as a back door"),
    technique("E17", "AF_XDP"),
    technique("E18", "netlink: listening in, and changing the host's network"),
    technique("E19", "32-bit system calls, one by one and by socketcall"),
    technique("E20", "less used calls: accept4, splice, sendfile, zero copy, reconnects"),
    technique("E21", "sockets that existed before the agent"),
    technique("E22", "network namespaces: setns, sockets carried in and out, joined containers"),
    technique("E23", "only failures: scans, refused binds"),
    technique("E24", "a cgroup within the container's own"),
    technique("E25", "a cgroup named after another container, below its own and beside it"),
    technique("E26", "moving into another container's cgroup, the root, the host's, and back"),
    technique("E27", "a cgroup namespace of its own, the container's and the agent's"),
    technique("E28", "a container within a container"),
    technique("E29", "sockets handed over by SCM_RIGHTS, to a container or to the host"),
    technique("E31", "sharing a port: SO_REUSEPORT, a specific address, SO_REUSEADDR of UDP"),
    technique("E32", "connections completed in the middle of another container's work"),
    technique("E33", "containers that are gone before the runtime can be asked"),
    technique(
        "E35",
        "another name, other arguments, a file in memory, removed, or by a descriptor",
    ),
    technique("E37", "docker exec and health checks act in the container"),
    technique("E38", "a host process that acts for a container: docker-proxy"),
    technique("E39", "abstract sockets of the host"),
];

/// The technique that a test function is named after: `E07` for `e07_tcp`.
pub fn technique_of(function: &str) -> Option<String> {
    let (digits, _) = function.strip_prefix('e')?.split_once('_')?;
    let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("E{digits}"))
}

#[cfg(test)]
pub mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::shell;

    /// The live tests that are named after a technique, in the sources:
    /// `accept::e20_accept4`.
    pub fn written() -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for file in fs::read_dir(shell::root().join("tests/tests")).expect("the live tests") {
            let path = file.expect("a file").path();
            // A program of several files shows no technique.
            if path.is_dir() {
                continue;
            }
            let program = path.file_stem().and_then(|name| name.to_str()).expect("a name");
            let text = fs::read_to_string(&path).expect("Rust source");
            for line in text.lines().filter_map(|line| line.strip_prefix("fn ")) {
                let function = line.split('(').next().unwrap_or(line);
                if technique_of(function).is_some() {
                    names.insert(format!("{program}::{function}"));
                }
            }
        }
        names
    }

    fn techniques_in(program: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let written = written();
        let parts = written.iter().filter_map(|name| name.split_once("::"));
        parts.filter(|(name, _)| program(name)).filter_map(|(_, f)| technique_of(f)).collect()
    }

    #[test]
    fn every_technique_has_a_test() {
        let known: BTreeSet<String> = CATALOGUE.iter().map(|entry| entry.id.to_owned()).collect();
        assert_eq!(techniques_in(|program| program != REVERSE), known);
    }

    #[test]
    fn what_is_uncovered_has_a_test_that_says_so() {
        let rows: BTreeSet<String> = UNCOVERED.iter().map(|row| row.id.to_owned()).collect();
        assert_eq!(techniques_in(|program| program == REVERSE), rows);
    }

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(CATALOGUE.is_sorted_by(|one, other| one.id < other.id));
    }
}
