//! Each hook of `families`, `first-use` and `connect` is needed: with it an operation
//! is told as it happened, without it it is not, and the coverage statement names
//! the hook. So the expectations of the other tests can fail.

use std::net::TcpStream;

use hostnet_abi::{Hook, Set};
use hostnet_tests::{ActorBox, Agent, Docker, Run, Want, at, needs_root, net, not_here, want};
use serde_json::Value;

/// What shows that a hook is needed.
struct Needed {
    hook: Hook,
    perform: fn(&mut ActorBox),
    /// What is told of it with the hook, and only with the hook.
    told: fn(Want) -> Want,
}

const NEEDED: [Needed; 26] = [
    Needed {
        hook: Hook::InetBind,
        perform: |actor| order(actor, "bind-used 127.0.0.1 0"),
        told: |event| event.action("bound-socket").is("event.reason", "EADDRINUSE"),
    },
    Needed {
        hook: Hook::Inet6Bind,
        perform: |actor| order(actor, "bind-used ::1 0"),
        told: |event| event.action("bound-socket").is("event.reason", "EADDRINUSE"),
    },
    Needed {
        hook: Hook::InetStreamConnect,
        // The broadcast address takes no TCP, and the kernel says so without sending.
        perform: |actor| order(actor, "tcp-connect 255.255.255.255 9"),
        told: |event| event.action("connection_attempted").present("event.reason"),
    },
    Needed {
        hook: Hook::InetAccept,
        perform: accept_in_a_child,
        told: |event| event.action("connection_accepted").is("process.vpid", 2),
    },
    Needed {
        hook: Hook::SocketPostCreate,
        perform: |actor| order(actor, "filter"),
        told: |event| event.action("opened-packet-socket"),
    },
    Needed {
        hook: Hook::PacketBind,
        perform: |actor| order(actor, "packet"),
        told: |event| event.action("bound-packet-socket"),
    },
    Needed {
        hook: Hook::SkAttachFilter,
        perform: |actor| order(actor, "filter"),
        told: |event| event.action("attached-socket-filter"),
    },
    Needed {
        hook: Hook::NetlinkBind,
        perform: |actor| order(actor, "netlink 0 1"),
        told: |event| event.action("joined-netlink-groups"),
    },
    Needed {
        hook: Hook::NetlinkUnicast,
        perform: |actor| order(actor, "netlink-write 127.213.7.11"),
        told: |event| {
            let change = event.action("requested-netlink-change");
            change.is("hostnet.netlink.message_name", "RTM_NEWADDR")
        },
    },
    Needed {
        hook: Hook::IpMcJoinGroup,
        perform: |actor| order(actor, "multicast 239.213.7.1 1"),
        told: |event| event.action("joined-multicast-group"),
    },
    Needed {
        hook: Hook::IpMcSource,
        perform: |actor| order(actor, "multicast 232.213.7.1 1 --from 127.0.0.1"),
        told: |event| event.action("joined-multicast-group"),
    },
    Needed {
        hook: Hook::Ipv6SockMcJoin,
        perform: |actor| order(actor, "multicast ff15::2137:1 1"),
        told: |event| event.action("joined-multicast-group"),
    },
    Needed {
        hook: Hook::Ip6McSource,
        perform: |actor| order(actor, "multicast ff35::2137:1 1 --from ::1"),
        told: |event| event.action("joined-multicast-group"),
    },
    Needed {
        hook: Hook::UdpSendmsg,
        perform: |actor| order(actor, "udp-connect 127.0.0.1 9 --send 1"),
        told: |event| event.is("hostnet.udp.sent_to_peer", "yes").action("connection_attempted"),
    },
    Needed {
        hook: Hook::Udpv6Sendmsg,
        perform: |actor| order(actor, "udp-connect ::1 9 --send 1"),
        told: |event| event.is("hostnet.udp.sent_to_peer", "yes").action("connection_attempted"),
    },
    Needed {
        hook: Hook::UnixStreamConnect,
        perform: |actor| order(actor, "unix-stream 686e742d31"),
        told: |event| event.is("hostnet.operation", "unix-connect"),
    },
    Needed {
        hook: Hook::UnixDgramConnect,
        perform: |actor| order(actor, "unix-dgram 686e742d32"),
        told: |event| event.is("hostnet.operation", "unix-connect"),
    },
    Needed {
        hook: Hook::UnixBind,
        perform: |actor| order(actor, "unix-stream 686e742d33"),
        told: |event| event.is("hostnet.operation", "unix-bind"),
    },
    Needed {
        hook: Hook::UnixListen,
        perform: |actor| order(actor, "unix-stream 686e742d34"),
        told: |event| event.is("hostnet.operation", "unix-listen"),
    },
    Needed {
        hook: Hook::UnixAccept,
        perform: |actor| order(actor, "unix-stream 686e742d35"),
        told: |event| event.is("hostnet.operation", "unix-accept"),
    },
    Needed {
        hook: Hook::UnixDgramSendmsg,
        perform: |actor| order(actor, "unix-dgram 686e742d36"),
        told: |event| event.is("hostnet.operation", "unix-send"),
    },
    Needed {
        hook: Hook::SockSendLength,
        perform: |actor| order(actor, "unix-stream 686e742d37"),
        told: |event| event.is("hostnet.operation", "unix-connect"),
    },
    Needed {
        hook: Hook::SockRecvLength,
        perform: |actor| order(actor, "unix-stream 686e742d38"),
        told: |event| event.is("hostnet.operation", "unix-accept"),
    },
    // The cgroup programs of which these take the place are left out in both runs.
    Needed {
        hook: Hook::TcpV4Connect,
        perform: |actor| refused(actor, "tcp-connect 127.0.0.1"),
        told: |event| event.action("connection_attempted").is("process.name", "actor"),
    },
    Needed {
        hook: Hook::TcpV6Connect,
        perform: |actor| refused(actor, "tcp-connect ::1"),
        told: |event| event.action("connection_attempted").is("process.name", "actor"),
    },
    Needed {
        hook: Hook::InetDgramConnect,
        perform: |actor| refused(actor, "udp-connect 127.0.0.1"),
        told: |event| event.action("connection_attempted"),
    },
];

fn order(actor: &mut ActorBox, words: &str) {
    actor.perform(words);
}

fn refused(actor: &mut ActorBox, words: &str) {
    order(actor, &format!("{words} {}", net::closed_port()));
}

/// The process that accepts is the second one of its container; the first listens.
fn accept_in_a_child(actor: &mut ActorBox) {
    let port = actor.one("listen 127.0.0.1 0")["local"]["port"].as_u64().expect("a port") as u16;
    actor.begin(&format!("fork-connect -- serve {port}"));
    drop(TcpStream::connect(("127.0.0.1", port)).expect("it listens"));
    actor.finish();
}

/// The run of an agent that sees what the actor does, without some hooks.
fn run(needed: &Needed, without: &[Hook]) -> (Run, Want) {
    let names: Vec<&str> = without.iter().map(|hook| hook.program()).collect();
    let way = if needed.hook.set() == Set::FirstUse { "first-use" } else { "families" };
    let observe = format!("beyond_ip = \"{way}\"\nwithout = {names:?}");
    let agent = Agent::setup().observe(&observe).start();
    let mut actor = Docker::shared().launch("host").options(["--cap-add=NET_ADMIN"]).actor();
    (needed.perform)(&mut actor);
    let by_actor = want().owned_by(&actor.container);
    // The marker is a connect.
    if needed.hook.set() != Set::Connect {
        agent.marker();
    }
    (agent.stop(), (needed.told)(by_actor))
}

fn state(run: &Run, hook: Hook) -> Option<&str> {
    let coverage = at(&run.events[0], "hostnet.health.coverage").and_then(Value::as_array);
    let mut rows = coverage.expect("the start event tells coverage").iter();
    let row = rows.find(|row| row["hook"] == hook.attach_point())?;
    row["state"].as_str()
}

fn each_is_needed(set: Set) {
    for needed in NEEDED.iter().filter(|needed| needed.hook.set() == set) {
        let hook = needed.hook;
        let replaced: Vec<Hook> =
            Hook::ALL.iter().copied().filter(|hook| hook.replaced_by() == Some(set)).collect();
        let (with, told) = run(needed, &replaced);
        if state(&with, hook) != Some("proven") {
            not_here(&format!("{} (set {})", hook.sees(), set.name()));
            continue;
        }
        assert!(!with.all(&told).is_empty(), "with {}: not told", hook.program());
        let (without, told) = run(needed, &[&replaced[..], &[hook]].concat());
        assert_eq!(state(&without, hook), Some("disabled"), "{}", hook.program());
        assert_eq!(without.all(&told), [] as [&Value; 0], "without {}", hook.program());
    }
}

#[test]
fn families() {
    needs_root!();
    each_is_needed(Set::Families);
}

#[test]
fn first_use() {
    needs_root!();
    each_is_needed(Set::FirstUse);
}

#[test]
fn connect() {
    needs_root!();
    each_is_needed(Set::Connect);
}

/// A new hook cannot come without something that shows it is needed.
#[test]
fn no_hook_is_left_out() {
    let others = [include_str!("without_hooks.rs"), include_str!("migration.rs")];
    for hook in Hook::ALL {
        let is_here = NEEDED.iter().any(|needed| needed.hook == *hook);
        let name = format!("\"{}\"", hook.program());
        let is_there = others.iter().any(|tests| tests.contains(&name));
        assert!(is_here || is_there, "nothing shows that {} is needed", hook.program());
    }
}
