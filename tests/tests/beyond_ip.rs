//! Unix, packet, netlink and other sockets: each operation where the kernel takes
//! the set `families`, each socket's first use where it takes `first-use` only.

use std::fmt::Write as _;

use hostnet_tests::{
    ActorBox, Agent, Docker, Run, Want, needs_linux, needs_root, not_here, skip, want,
};
use serde_json::Value;

/// What a container did, and what was told of it.
struct Told {
    run: Run,
    rows: Vec<Value>,
    actor: ActorBox,
}

fn told(options: &[&str], orders: &[String]) -> Told {
    let agent = Agent::start();
    let mut launch = Docker::shared().launch("host").options(["--cap-add=NET_ADMIN"]);
    for option in options {
        launch = launch.options([*option]);
    }
    let mut actor = launch.actor();
    let rows = orders.iter().flat_map(|order| actor.perform(order)).collect();
    agent.marker();
    Told { run: agent.stop(), rows, actor }
}

impl Told {
    /// An event of this container's actor.
    fn by_actor(&self, action: &str) -> Want {
        want()
            .action(action)
            .owned_by(&self.actor.container)
            .is("process.pid", self.actor.container.pid)
            .is("process.name", "actor")
    }

    /// The one event of an operation that a hook of `families` has told.
    fn only(&self, operation: &str, want: Want) -> &Value {
        self.run.only(&want.is("hostnet.operation", operation))
    }
}

/// A name for the abstract namespace that no other test uses, full of bytes that
/// terminals and parsers would act on.
fn hostile_name(kind: &str) -> String {
    let mut name = format!("hnt-{kind}-{}", std::process::id()).into_bytes();
    name.extend_from_slice(b"\x1b[2J\n\0\"\\\xff\xc3");
    name.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[test]
fn e14_unix_streams() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    let name = hostile_name("stream");
    let told = told(&[], &[format!("unix-stream {name}"), format!("unix-refused 00{name}")]);
    let hex = format!("00{name}");
    let here = |action: &str| {
        let want = told.by_actor(action).is("network.transport", "unix");
        want.is("hostnet.local.name_hex", hex.as_str()).is("event.outcome", "success")
    };
    let there = told
        .by_actor("connection_attempted")
        .is("hostnet.remote.name_hex", hex.as_str())
        .is("event.outcome", "success");
    told.only("unix-connect", there.clone());
    told.only("unix-accept", here("connection_accepted"));
    if told.run.proves("families") {
        told.only("unix-bind", here("bound-socket"));
        told.only("unix-listen", here("listen-for-connections").is("hostnet.listen.backlog", 8));
        let refused = told
            .by_actor("connection_attempted")
            .is("hostnet.remote.name_hex", format!("0000{name}"))
            .is("event.outcome", "failure");
        told.only("unix-connect", refused.is("event.reason", "ECONNREFUSED"));
    } else {
        assert!(told.run.proves("first-use"), "neither set is proven");
        told.only("unix-connect", there.is("event.provider", "tp_btf/sock_send_length"));
        not_here("binds, listens and refused connects of unix sockets (set families)");
    }
}

#[test]
fn e14_unix_datagrams() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    let name = hostile_name("dgram");
    let told = told(&[], &[format!("unix-dgram {name}"), "unix-autobind".to_owned()]);
    let hex = format!("00{name}");
    let there = |action: &str| told.by_actor(action).is("hostnet.remote.name_hex", hex.as_str());
    told.only("unix-connect", there("connection_attempted"));
    if told.run.proves("families") {
        // One socket sends by name, another to the peer it has connected to.
        let sends = there("connection_attempted").is("hostnet.operation", "unix-send");
        told.run.exactly(2, &sends);
        let bound = told.by_actor("bound-socket");
        told.only("unix-bind", bound.clone().is("hostnet.local.name_hex", hex.as_str()));
        let chosen = told.rows.last().expect("a row")["path_hex"].clone();
        told.only("unix-bind", bound.is("hostnet.local.name_hex", chosen));
    } else {
        not_here("each name that one unix socket sends to, and its bind (set families)");
    }
}

/// Nobody is at its other end; where binds are not seen, its name is told when it is used.
#[test]
fn a_unix_socket_that_receives_datagrams_is_told_by_its_own_name() {
    needs_root!(no tcp);
    let told = told(&[], &["unix-dgram 6c6f672d72656365697665 --receive".to_owned()]);
    if !told.run.proves("first-use") {
        return not_here("a unix socket's first receive (set first-use)");
    }
    let used = told.by_actor("used-unix-socket").is("hostnet.local.name", "@log-receive");
    told.run.only(&used.absent("hostnet.remote"));
}

#[test]
fn e14_unix_paths() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    let path: String = b"/tmp/hnt.sock".iter().map(|byte| format!("{byte:02x}")).collect();
    let told = told(&[], &[format!("unix-stream {path} --path")]);
    let connect = told.by_actor("connection_attempted").is("hostnet.remote.name", "/tmp/hnt.sock");
    told.only("unix-connect", connect.is("destination.address", "/tmp/hnt.sock"));
}

#[test]
fn e16_packet_sockets() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    let told = told(&[], &["packet".to_owned(), "filter".to_owned()]);
    let interface = told.rows.iter().find_map(|row| row["interface"].as_u64()).expect("bound");
    let opened = told.by_actor("opened-packet-socket").is("hostnet.socket.family", "packet");
    let bound = told
        .by_actor("bound-packet-socket")
        .is("hostnet.packet.interface_index", interface)
        .is("hostnet.packet.ether_type", 3);
    told.only("packet-bind", bound);
    if told.run.proves("families") {
        told.run.exactly(2, &opened);
        let filter = told.by_actor("attached-socket-filter").present("hostnet.filter.sha256");
        told.only("socket-filter", filter.is("hostnet.filter.instructions", 4));
    } else {
        // The one with the filter is never used.
        told.only("family-socket", opened.is("hostnet.socket.protocol", "all"));
        not_here("packet sockets that are never used, and filters (set families)");
    }
}

#[test]
fn e18_netlink_sockets() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    const GROUPS: u32 = 1;
    let told = told(&[], &[format!("netlink 0 {GROUPS}"), "netlink-write 127.213.7.9".to_owned()]);
    let opened = told
        .by_actor("opened-netlink-socket")
        .is("hostnet.socket.family", "netlink")
        .is("hostnet.socket.protocol", "route");
    if told.run.proves("families") {
        told.run.exactly(2, &opened);
        let joined = told.by_actor("joined-netlink-groups");
        told.only("netlink-bind", joined.is("hostnet.netlink.groups", GROUPS));
        for name in ["RTM_NEWADDR", "RTM_DELADDR"] {
            let change = told.by_actor("requested-netlink-change");
            let change = change.is("hostnet.netlink.message_name", name);
            told.only("netlink-request", change.includes("event.category", "configuration"));
        }
    } else {
        // The one that joined groups is never used.
        told.only("family-socket", opened);
        not_here("netlink groups joined, and changes asked for (set families)");
    }
}

/// What is behind sixteen questions may be anything: that there is more is told.
#[test]
fn e18_a_change_behind_many_questions() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    let told = told(&[], &["netlink-batch 16 127.213.7.12".to_owned()]);
    if !told.run.proves("families") {
        return not_here("changes asked for by netlink (set families)");
    }
    let batch = told.rows.iter().find(|row| row["op"] == "netlink-batch").expect("a row");
    let request = told.by_actor("requested-netlink-change");
    let more = request.clone().is("hostnet.netlink.unread_bytes", batch["last_bytes"].clone());
    told.only("netlink-request", more.is("hostnet.netlink.message_name", "RTM_NEWADDR"));
    let taken_back = request.is("hostnet.netlink.message_name", "RTM_DELADDR");
    told.only("netlink-request", taken_back.absent("hostnet.netlink.unread_bytes"));
}

/// Both bits of `NLM_F_DUMP` make no question of a message that changes something.
#[test]
fn e18_a_change_with_the_flags_of_a_question() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    let told = told(&[], &[format!("netlink-nftables hostnet-test-{}", std::process::id())]);
    if !told.run.proves("families") {
        return not_here("changes asked for by netlink (set families)");
    }
    let changes: Vec<_> = told.rows.iter().filter(|row| row["type"].is_u64()).collect();
    if changes.is_empty() {
        return not_here("nfnetlink");
    }
    let request = told.by_actor("requested-netlink-change");
    for row in &changes {
        let message = request.clone().is("hostnet.netlink.message", row["type"].clone());
        told.only("netlink-request", message);
    }
    told.run.exactly(changes.len(), &request);
}

/// Names that a hash with known constants takes for one (FNV-1a over words).
#[test]
fn e14_unix_names_that_are_made_to_look_alike() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    const PRIME: u64 = 0x0100_0000_01b3;
    let name = format!("\0/run/hnt-{:06}/journal/socket", std::process::id() % 1_000_000);
    let mut decoy = name.clone().into_bytes();
    let word = |bytes: &[u8], at: usize| {
        u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    };
    decoy[3] ^= 1;
    let after =
        |first: u64| (0xcbf2_9ce4_8422_2325 ^ name.len() as u64 ^ first).wrapping_mul(PRIME);
    let (first, second) = (word(name.as_bytes(), 0), word(name.as_bytes(), 8));
    let solved = after(first) ^ second ^ after(word(&decoy, 0));
    decoy[8..16].copy_from_slice(&solved.to_ne_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let names = [hex(&decoy), hex(name.as_bytes())];
    // The NUL in front is not an operand's.
    let told = told(&[], &[format!("unix-send {} {}", &names[0][2..], &names[1][2..])]);
    if !told.run.proves("families") {
        return not_here("each name that one unix socket sends to (set families)");
    }
    for name in names {
        let sent = told.by_actor("connection_attempted").is("hostnet.remote.name_hex", name);
        told.only("unix-send", sent);
    }
}

/// Each way to join: of each family, for any source or for one, by the family's options
/// or by those for both. What leaves, or is refused, joined nothing.
#[test]
fn a_socket_that_joins_a_multicast_group_is_told_with_group_source_and_interface() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows multicast groups joined");
    // Index of the loopback interface.
    const LO: u64 = 1;
    let joins: [(&str, Option<&str>, &str); 8] = [
        ("239.213.7.9", None, ""),
        ("239.213.7.10", None, " --request"),
        ("232.213.7.9", Some("127.0.0.1"), ""),
        ("232.213.7.10", Some("127.0.0.1"), " --request"),
        ("ff15::2137:9", None, ""),
        ("ff15::2137:10", None, " --request"),
        ("ff35::2137:9", Some("::1"), " --request"),
        // Not a group.
        ("192.0.2.9", None, ""),
    ];
    let from = |source: Option<&str>| source.map(|one| format!(" --from {one}"));
    let orders = joins.map(|(group, source, by)| {
        format!("multicast {group} {LO}{}{by}", from(source).unwrap_or_default())
    });
    let told = told(&[], &orders);
    let rows: Vec<&Value> = told.rows.iter().filter(|row| row["op"] == "multicast-join").collect();
    assert_eq!(rows.iter().filter(|row| row["result"] == "ok").count(), 7, "{rows:#?}");
    let joined = told.by_actor("joined-multicast-group");
    if !told.run.proves("families") {
        told.run.none(&joined);
        return not_here("multicast groups joined (set families)");
    }
    told.run.exactly(7, &joined);
    for ((group, source, _), row) in joins.into_iter().zip(rows).take(7) {
        let event = joined
            .clone()
            .is("hostnet.multicast.group", group)
            .is("hostnet.socket.cookie", row["cookie"].clone())
            .endpoint("hostnet.local", &row["local"]);
        let event = match source {
            Some(source) => event.is("hostnet.multicast.source", source),
            None => event.absent("hostnet.multicast.source"),
        };
        // That option names the interface by its address.
        let event = match group == "232.213.7.9" {
            true => event.absent("hostnet.multicast.interface_index"),
            false => event.is("hostnet.multicast.interface_index", LO),
        };
        told.only("multicast-join", event);
    }
}

/// Sockets that are opened, and neither send nor receive: IP ones are told on every
/// kernel, others where it takes `families`.
fn opened(order: &str, name: &str, action: &str) {
    let told = told(&["--security-opt=seccomp=unconfined"], &[order.to_owned()]);
    let sockets: Vec<&Value> = told.rows.iter().filter(|row| row["op"] == "socket").collect();
    let absent = ["EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"];
    if absent.iter().any(|errno| sockets[0]["result"] == *errno) {
        return skip(&format!("this kernel has no {name}"));
    }
    assert!(sockets.iter().all(|row| row["result"] == "ok"), "{sockets:?}");
    let opened = told.by_actor(action).is("hostnet.operation", "family-socket");
    if sockets[0]["family"] == libc::AF_INET || told.run.proves("families") {
        told.run.exactly(sockets.len(), &opened);
    } else {
        told.run.none(&opened);
        skip(&format!("{name} sockets that are never used (set families)"));
    }
}

#[test]
fn e13_sctp() {
    needs_root!(no tcp);
    let words = format!("family {} {} {}", libc::AF_INET, libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP);
    opened(&words, "SCTP", "opened-sctp-socket");
}

#[test]
fn e14_vsock() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    opened("vsock 4711", "AF_VSOCK", "opened-vsock-socket");
}

#[test]
fn e14_the_kernels_cryptography() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    opened("alg", "AF_ALG", "opened-alg-socket");
}

#[test]
fn e17_af_xdp() {
    needs_root!(no tcp);
    needs_linux!(5, 17, "no hook shows sockets beyond IP");
    opened("xdp", "AF_XDP", "opened-xdp-socket");
}

#[test]
fn the_process_that_accepts_is_named() {
    needs_root!();
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    let mut client = Docker::shared().launch("host").actor();
    let port = server.one("listen 127.0.0.1 0")["local"]["port"].clone();
    server.begin(&format!("serve {port}"));
    client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    server.finish();
    agent.marker();
    let run = agent.stop();
    let accepted = want().action("connection_accepted").is("hostnet.local.port", port);
    run.only(&accepted.owned_by(&server.container).is("process.pid", server.container.pid));
}

#[test]
fn a_refused_bind_has_its_errno() {
    needs_root!();
    let told = told(&[], &["bind-used 127.0.0.1 0".to_owned()]);
    let failed = told.by_actor("bound-socket").is("event.outcome", "failure");
    if told.run.proves("families") {
        told.only("bind", failed.is("event.reason", "EADDRINUSE"));
    } else {
        told.only("bind", failed.absent("event.reason"));
    }
}
