//! Unix, packet, netlink and other sockets: each operation where the kernel takes
//! the set `families`, each socket's first use where it takes `first-use` only.

use std::fmt::Write as _;

use hostnet_tests::{ActorBox, Agent, Docker, Run, Want, needs_root, want};
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
fn unix_streams() {
    needs_root!();
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
    }
}

#[test]
fn unix_datagrams() {
    needs_root!();
    let name = hostile_name("dgram");
    let told = told(&[], &[format!("unix-dgram {name}"), "unix-autobind".to_owned()]);
    let hex = format!("00{name}");
    let there = |action: &str| told.by_actor(action).is("hostnet.remote.name_hex", hex.as_str());
    told.only("unix-connect", there("connection_attempted"));
    if told.run.proves("families") {
        told.only("unix-send", there("connection_attempted"));
        let bound = told.by_actor("bound-socket");
        told.only("unix-bind", bound.clone().is("hostnet.local.name_hex", hex.as_str()));
        let chosen = told.rows.last().expect("a row")["path_hex"].clone();
        told.only("unix-bind", bound.is("hostnet.local.name_hex", chosen));
    }
}

#[test]
fn unix_paths() {
    needs_root!();
    let path: String = b"/tmp/hnt.sock".iter().map(|byte| format!("{byte:02x}")).collect();
    let told = told(&[], &[format!("unix-stream {path} --path")]);
    let connect = told.by_actor("connection_attempted").is("hostnet.remote.name", "/tmp/hnt.sock");
    told.only("unix-connect", connect.is("destination.address", "/tmp/hnt.sock"));
}

#[test]
fn packet_sockets() {
    needs_root!();
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
    }
}

#[test]
fn netlink_sockets() {
    needs_root!();
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
    }
}

#[test]
fn other_families() {
    needs_root!();
    // A ping socket is IP, which every kernel shows.
    let orders = ["family 2 2 1".to_owned(), "xdp".to_owned()];
    let told = told(&["--security-opt=seccomp=unconfined"], &orders);
    for row in told.rows.iter().filter(|row| row["op"] == "socket" && row["result"] == "ok") {
        let action = match row["family"].as_u64() {
            Some(44) => "opened-xdp-socket",
            _ => "opened-other-socket",
        };
        let opened = told.by_actor(action);
        if row["family"] == 2 || told.run.proves("families") {
            told.only("family-socket", opened);
        } else {
            told.run.none(&opened);
        }
    }
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
