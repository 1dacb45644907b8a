//! Addresses that are more, or less, than an address of this machine.

use std::fs;

use hostnet_tests::{Agent, Docker, Technique, all, needs_root, net, skip, want};

/// Addresses for documentation (RFC 5737, RFC 3849): no interface has them.
const NOBODYS: [&str; 2] = ["192.0.2.7", "2001:db8::7"];

fn foreign(by: &str) {
    let trial = Technique::new().is_told(|actor| {
        let rows = NOBODYS
            .map(|address| {
                let words = format!("bind-foreign {address} 0 --by {by}");
                let mut rows = actor.perform(&words);
                rows.extend(actor.perform(&format!("{words} --udp")));
                rows
            })
            .concat();
        all("ok", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * NOBODYS.len());
}

#[test]
fn e11_ip_transparent() {
    needs_root!();
    foreign("transparent");
}

#[test]
fn e11_ip_freebind() {
    needs_root!();
    foreign("freebind");
}

#[test]
fn e11_one_listener_for_both_families() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| all("ok", actor.perform("dual-stack")));
    let joined = trial.joined.expect("joined");
    assert_eq!((joined.rows, joined.witnessed), (6, 6));
    // The IPv4 side is told as IPv4, with the address that the server sees beside it.
    trial.run.only(
        &want()
            .action("connection_accepted")
            .owned_by(&trial.container)
            .is("network.type", "ipv4")
            .is("hostnet.socket.family", "inet6")
            .is("hostnet.remote.mapped", "::ffff:127.0.0.1"),
    );
}

/// The kernel refuses what is too short for an address, or of another family: nothing was
/// connected to, or bound, and what is behind its end is not the caller's.
#[test]
fn what_is_no_address_for_the_socket_is_not_told_as_one() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for row in actor.perform("no-address") {
        assert_ne!(row["result"], "ok", "the kernel refuses it: {row}");
    }
    let port = actor.connect_refused();
    let of_actor = |action| want().action(action).owned_by(&actor.container);
    agent.expect(&of_actor("connection_attempted").is("hostnet.remote.port", port));
    let run = agent.stop();
    run.exactly(1, &of_actor("connection_attempted"));
    run.none(&of_actor("connection-outcome"));
    run.none(&of_actor("bound-socket"));
}

/// A link-local address of this machine, and its interface's index.
fn link_local() -> Option<(std::net::Ipv6Addr, u32)> {
    let table = fs::read_to_string("/proc/net/if_inet6").ok()?;
    let line = table.lines().find(|line| line.starts_with("fe80"))?;
    let mut words = line.split_ascii_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    Some((address.into(), u32::from_str_radix(words.next()?, 16).ok()?))
}

#[test]
fn e11_scope_ids_and_flow_labels() {
    needs_root!();
    let Some((address, scope)) = link_local() else {
        return skip("no interface has a link-local address");
    };
    let trial = Technique::new().is_told(|actor| {
        let rows: Vec<_> = [0, 0x12345]
            .map(|flow| {
                let port = net::closed_port();
                let words = format!("scoped {address} {port} --scope {scope} --flow {flow}");
                actor.perform(&words)
            })
            .concat();
        for row in &rows {
            let refused = row["op"] == "connect" && row["transport"].is_null();
            assert_eq!(row["result"], if refused { "ECONNREFUSED" } else { "ok" }, "{row}");
        }
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, 6);
}

#[test]
fn e11_v4_mapped() {
    needs_root!();
    let mapped = "::ffff:127.0.0.1";
    let trial = Technique::new().is_told(|actor| {
        let port = net::closed_port();
        let mut rows = actor.perform(&format!("tcp-connect {mapped} {port}"));
        assert_eq!(rows[0]["result"], "ECONNREFUSED");
        rows.extend(all("ok", actor.perform(&format!("bind {mapped} 0"))));
        rows.extend(all("ok", actor.perform(&format!("sendmmsg {mapped} {port} 1"))));
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, 3);
    trial.run.exactly(
        2,
        &want()
            .action("connection_attempted")
            .owned_by(&trial.container)
            .is("hostnet.remote.ip", "127.0.0.1")
            .is("hostnet.remote.mapped", mapped),
    );
}
