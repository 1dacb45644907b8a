//! TCP Fast Open: a connection whose first data comes with its SYN, begun by a
//! call that is no connect.

use std::fs;

use hostnet_tests::{ActorBox, Technique, all, at, needs_root, net};
use serde_json::Value;

/// Servers may take data with the SYN while this lives; clients may by default.
struct ServersMay(String);

const SETTING: &str = "/proc/sys/net/ipv4/tcp_fastopen";

impl ServersMay {
    fn take_data() -> Self {
        let before = fs::read_to_string(SETTING).expect("/proc is mounted");
        fs::write(SETTING, "3").expect("root may change it");
        Self(before)
    }
}

impl Drop for ServersMay {
    fn drop(&mut self) {
        let _ = fs::write(SETTING, self.0.trim());
    }
}

/// The first connection to each address asks for a cookie, if the kernel does
/// not have it yet; the second sends its data with the SYN.
fn twice(actor: &mut ActorBox, by: &str) -> Vec<Value> {
    let rows = net::LOOPBACKS
        .map(|address| actor.perform(&format!("fast-open {address} --by {by} --times 2")))
        .concat();
    let carried = |row: &&Value| row["syn_data"] == true;
    assert!(
        rows.iter().filter(carried).count() >= net::LOOPBACKS.len(),
        "no SYN had data: {rows:?}"
    );
    all("ok", rows)
}

fn is_told(by: &str) {
    let _setting = ServersMay::take_data();
    let trial = Technique::new().is_told(|actor| twice(actor, by));
    let joined = trial.joined.expect("joined");
    // Bind and listen; two connects and two accepts.
    assert_eq!(
        (joined.rows, joined.witnessed),
        (6 * net::LOOPBACKS.len(), 6 * net::LOOPBACKS.len())
    );
    // Where a server may not take data, the data comes after the handshake.
    drop(_setting);
    let trial = Technique::new().is_told(|actor| {
        let rows =
            net::LOOPBACKS.map(|address| actor.perform(&format!("fast-open {address} --by {by}")));
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, 4 * net::LOOPBACKS.len());
    let attempted = |event: &&Value| {
        at(event, "event.action").is_some_and(|action| action == "connection_attempted")
            && at(event, "container.id").is_some_and(|id| *id == *trial.container.id)
    };
    assert_eq!(trial.run.events.iter().filter(attempted).count(), net::LOOPBACKS.len());
}

#[test]
fn e07_tcp_fast_open_by_sendto() {
    needs_root!();
    is_told("sendto");
}

#[test]
fn e07_tcp_fast_open_by_connect() {
    needs_root!();
    is_told("connect");
}
