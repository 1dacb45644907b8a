//! Multipath TCP: the application's socket is not TCP, the kernel's below it is.

use hostnet_tests::{Technique, all, needs_root, net};

#[test]
fn e12_mptcp_client_and_server() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let rows =
            net::LOOPBACKS.map(|address| actor.perform(&format!("mptcp {address}"))).concat();
        let multipath = rows.iter().filter(|row| row["multipath"] == true).count();
        assert_eq!(multipath, net::LOOPBACKS.len(), "fell back to TCP: {rows:?}");
        all("ok", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, 4 * net::LOOPBACKS.len());
}

#[test]
fn e12_mptcp_refused() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let port = net::closed_port();
        let rows = net::LOOPBACKS
            .map(|address| actor.perform(&format!("mptcp-refused {address} {port}")))
            .concat();
        all("ECONNREFUSED", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, net::LOOPBACKS.len());
}
