//! IP beside TCP and UDP, and operations that all fail.

use std::fs;

use hostnet_tests::{Technique, all, needs_linux, needs_root, net, want};

#[test]
fn e14_udp_lite() {
    needs_root!(no tcp);
    if !net::has_udp_lite() {
        return;
    }
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS
            .map(|address| actor.perform(&format!("udplite {address} {}", net::closed_port())));
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
    trial.run.exactly(
        2 * net::LOOPBACKS.len(),
        &want().owned_by(&trial.container).is("hostnet.socket.protocol", "udplite"),
    );
}

/// Which groups may open ping sockets; nobody may unless it is said.
struct Everybody(String);

const SETTING: &str = "/proc/sys/net/ipv4/ping_group_range";

impl Everybody {
    fn may_ping() -> Self {
        let before = fs::read_to_string(SETTING).expect("/proc is mounted");
        fs::write(SETTING, "0 2147483647").expect("root may change it");
        Self(before)
    }
}

impl Drop for Everybody {
    fn drop(&mut self) {
        // Written back as one line of two numbers, or as the kernel's "nobody".
        let _ = fs::write(SETTING, self.0.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    }
}

#[test]
fn e14_ping_sockets() {
    needs_root!(no tcp);
    needs_linux!(6, 1, "no hook shows a ping socket's connect; that it is opened is told");
    let _setting = Everybody::may_ping();
    let trial = Technique::new().is_told(|actor| {
        let rows = ["127.0.0.1", "::1"].map(|address| actor.perform(&format!("ping {address}")));
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, 2);
    trial.run.exactly(2, &want().action("opened-other-socket").owned_by(&trial.container));
}

#[test]
fn e15_a_forged_header() {
    needs_root!(no tcp);
    let trial =
        Technique::new().is_told(|actor| all("ok", actor.perform("forge 192.0.2.66 127.0.0.1")));
    assert_eq!(trial.joined.expect("joined").rows, 1);
    let raw = want().action("opened-raw-socket").owned_by(&trial.container);
    trial.run.only(&raw.is("hostnet.socket.type", "raw").is("hostnet.socket.family", "inet"));
}

#[test]
fn e23_a_scan_of_1000_closed_ports() {
    needs_root!();
    const PORTS: usize = 1000;
    let trial = Technique::new().is_told(|actor| {
        // Ports that nobody may bind without asking: all closed but for a few.
        let rows = actor.perform(&format!("scan 127.0.0.1 3000 {PORTS}"));
        assert_eq!(rows.len(), PORTS);
        let refused = rows.iter().filter(|row| row["result"] == "ECONNREFUSED").count();
        assert!(refused > PORTS * 9 / 10, "{refused} of {PORTS} were closed");
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, PORTS);
}

#[test]
fn e23_binds_that_are_refused() {
    needs_root!(no tcp);
    let trial = Technique::new().options(["--cap-drop=NET_BIND_SERVICE"]).is_told(|actor| {
        let mut rows = net::LOOPBACKS
            .map(|address| {
                let rows = actor.perform(&format!("bind-used {address} 0"));
                assert_eq!([&rows[0]["result"], &rows[1]["result"]], ["ok", "EADDRINUSE"]);
                rows
            })
            .concat();
        rows.extend(all("EADDRNOTAVAIL", actor.perform("bind 192.0.2.1 0")));
        rows.extend(all("EACCES", actor.perform("bind 127.0.0.1 1")));
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len() + 2);
}
