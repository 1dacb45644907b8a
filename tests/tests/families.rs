//! Families beyond IP: each technique works with no agent anywhere. What is told
//! of it is in beyond_ip.rs, whose tests are named after the techniques.

use hostnet_tests::{ActorBox, Technique, all, needs_docker, needs_root, skip};
use serde_json::Value;

fn works(technique: &Technique, words: &[&str]) -> Vec<Value> {
    technique.works(|actor| {
        let perform = |words: &&str| actor.perform(words);
        let rows: Vec<Value> = words.iter().flat_map(perform).collect();
        all("ok", rows)
    })
}

/// Whether the kernel has what the actor tried to make.
fn is_there(rows: &[Value], what: &str) -> bool {
    let absent = ["EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"];
    let is_there = !rows.iter().any(|row| absent.iter().any(|name| row["result"] == *name));
    if !is_there {
        skip(&format!("this kernel has no {what}"));
    }
    is_there
}

/// `61` is "a", `1b5b324a` clears a terminal, `ff00fe` is neither text nor ended.
const NAMES: [&str; 3] = ["686e742d61", "686e742d1b5b324a", "686e742dff00fe"];

#[test]
fn unix_sockets_in_the_hosts_abstract_namespace() {
    needs_root!();
    let words: Vec<String> = NAMES
        .iter()
        .flat_map(|name| {
            [
                format!("unix-stream {name}01"),
                format!("unix-stream {name}02 --seqpacket"),
                format!("unix-dgram {name}03"),
                format!("uring-unix {name}04"),
            ]
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    works(&Technique::new().unconfined(), &words);
    works(&Technique::new(), &["unix-autobind"]);
}

#[test]
fn unix_sockets_in_the_file_system() {
    needs_root!();
    // `/tmp/s`, and `/tmp/` with bytes that drive a terminal.
    works(
        &Technique::new(),
        &["unix-stream 2f746d702f73 --path", "unix-dgram 2f746d702f1b5bff --path"],
    );
    let refused = Technique::new().works(|actor| actor.perform("unix-refused 6e6f626f6479"));
    assert_eq!(refused[0]["result"], "ECONNREFUSED");
}

/// A container of another network has abstract names of its own.
#[test]
fn abstract_names_belong_to_a_network_namespace() {
    needs_root!();
    let mut inside = hostnet_tests::Docker::shared().launch("host").actor();
    all("ok", inside.perform("unix-stream 686e742d7368617265"));
    let connect = |actor: &mut ActorBox| actor.perform("unix-refused 686e742d7368617265");
    assert_eq!(Technique::new().works(connect)[0]["result"], "ok");
    let elsewhere = Technique::new().network("bridge").works(connect);
    assert_eq!(elsewhere[0]["result"], "ECONNREFUSED");
}

#[test]
fn every_family_that_this_kernel_has() {
    needs_root!();
    let rows = works(&Technique::new().unconfined(), &["families"]);
    for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET]
    {
        assert!(rows.iter().any(|row| row["family"] == family), "no family {family}: {rows:?}");
    }
}

#[test]
fn vsock() {
    needs_root!();
    let rows = Technique::new().unconfined().works(|actor| actor.perform("vsock 4711"));
    if is_there(&rows, "AF_VSOCK") {
        let results: Vec<&Value> = rows.iter().take(3).map(|row| &row["result"]).collect();
        assert_eq!(results, ["ok", "ok", "ok"], "socket, bind and listen: {rows:?}");
    }
}

#[test]
fn the_kernels_cryptography() {
    needs_root!();
    let rows = Technique::new().unconfined().works(|actor| actor.perform("alg"));
    if is_there(&rows, "AF_ALG") {
        all("ok", rows);
    }
}

#[test]
fn sctp() {
    needs_root!();
    let words = format!("family {} {} {}", libc::AF_INET, libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP);
    let rows = Technique::new().unconfined().works(|actor| actor.perform(&words));
    if is_there(&rows, "SCTP") {
        all("ok", rows);
    }
}

#[test]
fn packet_sockets() {
    needs_root!();
    let rows = works(&Technique::new(), &["packet --send", "packet --dgram", "filter"]);
    assert!(rows.iter().any(|row| row["sniffed"].as_u64() > Some(7)), "{rows:?}");
}

#[test]
fn af_xdp() {
    needs_root!();
    let rows = Technique::new().unconfined().works(|actor| actor.perform("xdp"));
    if is_there(&rows, "AF_XDP") {
        all("ok", rows);
    }
}

#[test]
fn netlink_listeners() {
    needs_root!();
    // Routes and links (NETLINK_ROUTE), and sockets' diagnosis (NETLINK_SOCK_DIAG).
    works(&Technique::new(), &["netlink 0 1", "netlink 4 0"]);
}

/// Loopback gets an address of its own network, and loses it: in a namespace of
/// the container's own, and in the host's.
#[test]
fn netlink_writes() {
    needs_root!();
    let technique = Technique::new().unconfined();
    let technique = technique.capability("NET_ADMIN").capability("SYS_ADMIN");
    let rows = works(&technique, &["netlink-write 127.0.9.9", "netlink-write-elsewhere 127.0.9.9"]);
    assert_eq!(rows.iter().filter(|row| row["op"] == "netlink-write").count(), 4);
    needs_docker!("a container without CAP_NET_ADMIN");
    let without = Technique::new().works(|actor| actor.perform("netlink-write 127.0.9.9"));
    let refused = without.iter().filter(|row| row["result"] == "EPERM").count();
    assert_eq!(refused, 2, "CAP_NET_ADMIN is needed: {without:?}");
}
