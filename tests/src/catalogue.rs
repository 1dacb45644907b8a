//! The one list of evasion techniques that tests are named after: `e07_…` tries
//! technique E07. docs/coverage.md says of each what the tests found.

/// A way not to be seen.
pub struct Entry {
    /// `E01` and so on; numbers that are missing were joined with others.
    pub id: &'static str,
    pub title: &'static str,
    /// Why there is no test of it on any kernel that the tests run on.
    pub untested: Option<&'static str>,
}

/// An operation that no hook of the sets `inet` and `life` shows, on any kernel.
/// A test named after its technique holds that it is not told: when it is, this
/// row goes.
pub struct Uncovered {
    pub id: &'static str,
    pub operation: &'static str,
    pub why: &'static str,
}

/// All of them.
pub const UNCOVERED: &[Uncovered] = &[
    Uncovered {
        id: "E14",
        operation: "connect of a UDP-Lite socket",
        why: "UDP-Lite has no pre_connect, where the kernel runs cgroup/connect4",
    },
    Uncovered {
        id: "E08",
        operation: "receiving a datagram without asking who sent it, unconnected",
        why: "the kernel runs cgroup/recvmsg4 only for callers that ask for the address",
    },
];

const fn tested(id: &'static str, title: &'static str) -> Entry {
    Entry { id, title, untested: None }
}

/// All of them, in order.
pub const CATALOGUE: &[Entry] = &[
    tested("E01", "the address is rewritten by userfaultfd, or by another thread at any moment"),
    tested("E02", "the address is rewritten while the connect waits for the network"),
    tested("E04", "io_uring: socket, bind, listen, connect, accept, send"),
    tested("E05", "io_uring with SQPOLL: a kernel thread acts"),
    tested("E07", "TCP Fast Open, by sendto and by TCP_FASTOPEN_CONNECT"),
    tested("E08", "UDP without connect, many peers at once, another peer than the socket's"),
    tested("E10", "ports nobody asks for: listen without bind, autobind, late and ranged ports"),
    tested("E11", "v4-mapped, dual-stack, scoped and non-local addresses"),
    tested("E12", "Multipath TCP"),
    tested("E13", "SCTP, whose setsockopt binds and connects"),
    tested("E14", "other families and protocols: UDP-Lite, ping sockets, vsock, AF_ALG, …"),
    tested("E15", "raw IP with a forged header"),
    tested("E16", "packet sockets: sniffing, injecting, a filter as a back door"),
    tested("E17", "AF_XDP"),
    tested("E18", "netlink: listening in, and changing the host's network"),
    tested("E19", "32-bit system calls, one by one and by socketcall"),
    tested("E20", "less used calls: accept4, splice, sendfile, zero copy, reconnects"),
    Entry {
        id: "E21",
        title: "sockets that existed before the agent",
        untested: Some("the snapshot at start has tests of its own, by restarts under load"),
    },
    tested("E22", "network namespaces: setns, sockets carried in and out, joined containers"),
    tested("E23", "only failures: scans, refused binds"),
    tested("E29", "sockets handed over by SCM_RIGHTS, to a container or to the host"),
    tested("E31", "sharing a port: SO_REUSEPORT, a specific address, SO_REUSEADDR of UDP"),
    tested("E38", "a host process that acts for a container: docker-proxy"),
    tested("E39", "abstract sockets of the host"),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The ids that test functions are named after, in the sources.
    fn tried() -> BTreeSet<String> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut ids = BTreeSet::new();
        for file in fs::read_dir(directory).expect("the sources of the tests") {
            let text = fs::read_to_string(file.expect("a file").path()).expect("Rust source");
            for name in text.lines().filter_map(|line| line.trim().strip_prefix("fn e")) {
                if let Some((digits, _)) = name.split_once('_')
                    && digits.len() == 2
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                {
                    ids.insert(format!("E{digits}"));
                }
            }
        }
        ids
    }

    #[test]
    fn every_technique_has_a_test_or_a_reason() {
        let tried = tried();
        for entry in CATALOGUE {
            let id = entry.id;
            assert_ne!(
                tried.contains(id),
                entry.untested.is_some(),
                "{id} needs either a test named after it or a reason why there is none"
            );
        }
        let known: BTreeSet<String> = CATALOGUE.iter().map(|entry| entry.id.to_owned()).collect();
        assert!(tried.is_subset(&known), "tests of unknown techniques: {:?}", &tried - &known);
    }

    #[test]
    fn what_is_uncovered_has_a_test_that_says_so() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/uncovered.rs");
        let text = fs::read_to_string(path).expect("Rust source");
        for row in UNCOVERED {
            let name = format!("fn {}_", row.id.to_lowercase());
            assert!(text.contains(&name), "{}: {} ({})", row.id, row.operation, row.why);
        }
    }

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(CATALOGUE.is_sorted_by(|one, other| one.id < other.id));
    }
}
