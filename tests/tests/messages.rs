//! Datagrams to and from many peers at once, and to others than the socket's own.

use hostnet_tests::{Technique, all, needs_root, net, want};

const MANY: usize = 64;

#[test]
fn e08_sendmmsg_to_64_peers() {
    needs_root!(no tcp);
    let first = 30_000;
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS
            .map(|address| actor.perform(&format!("sendmmsg {address} {first} {MANY}")));
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, net::LOOPBACKS.len() * MANY);
}

#[test]
fn e08_sendmmsg_to_256_peers() {
    needs_root!(no tcp);
    let trial =
        Technique::new().is_told(|actor| all("ok", actor.perform("sendmmsg 127.0.0.1 30000 256")));
    assert_eq!(trial.joined.expect("joined").rows, 256);
}

#[test]
fn e08_a_name_on_a_connected_socket() {
    needs_root!(no tcp);
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS.map(|address| {
            let [own, other] = [(); 2].map(|()| net::free_udp_port());
            actor.perform(&format!("sendmsg-elsewhere {address} {own} {other}"))
        });
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
}

#[test]
fn e20_recvmmsg_from_64_peers() {
    needs_root!(no tcp);
    let trial = Technique::new().is_told(|actor| {
        let rows =
            net::LOOPBACKS.map(|address| actor.perform(&format!("recvmmsg {address} {MANY}")));
        all("ok", rows.concat())
    });
    assert_eq!(trial.joined.expect("joined").rows, net::LOOPBACKS.len() * (1 + 2 * MANY));
    trial.run.exactly(
        net::LOOPBACKS.len() * MANY,
        &want().action("connection_accepted").owned_by(&trial.container),
    );
}
