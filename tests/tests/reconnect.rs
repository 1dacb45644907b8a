//! One socket, several peers, one after the other.

use hostnet_tests::{Technique, all, needs_root, net, want};

#[test]
fn e08_udp_connects_again_and_to_nobody() {
    needs_root!(no tcp);
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS.map(|address| {
            let [one, other] = [(); 2].map(|()| net::free_udp_port());
            actor.perform(&format!("udp-reconnect {address} {one} {address} {other}"))
        });
        all("ok", rows.concat())
    });
    // Two connects, and the send to the first peer by name; its flow was connected then.
    assert_eq!(trial.joined.expect("joined").rows, 3 * net::LOOPBACKS.len());
}

#[test]
fn e20_tcp_disconnects_and_connects_elsewhere() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let ((_first, one), (_second, other)) = (net::listener(), net::listener());
        let rows = net::LOOPBACKS.map(|address| {
            actor.perform(&format!("tcp-reconnect {address} {one} {address} {other}"))
        });
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
    // The first connection ends by the disconnect, with the peer that it had.
    for row in trial.rows.iter().filter(|row| row["op"] == "disconnect") {
        let before = trial
            .rows
            .iter()
            .find(|other| other["op"] == "connect" && other["cookie"] == row["cookie"]);
        trial.run.only(
            &want()
                .action("disconnect_received")
                .is("hostnet.socket.cookie", row["cookie"].clone())
                .endpoint("hostnet.remote", &before.expect("a connect")["remote"])
                .owned_by(&trial.container),
        );
    }
}

#[test]
fn e20_tcp_tries_again_after_a_refusal() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let (_listener, open) = net::listener();
        let closed = net::closed_port();
        let rows = net::LOOPBACKS
            .map(|address| actor.perform(&format!("tcp-retry {address} {closed} {address} {open}")))
            .concat();
        for pair in rows.chunks(2) {
            let results = [&pair[0]["result"], &pair[1]["result"]];
            assert_eq!(results, ["ECONNREFUSED", "ok"]);
            assert_eq!(pair[0]["cookie"], pair[1]["cookie"]);
        }
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
}
