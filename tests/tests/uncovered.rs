//! What is known not to be told (`catalogue::UNCOVERED`). A test that fails here
//! is good news: the operation is told now, and its row has to go.

use hostnet_tests::{ActorBox, Technique, all, catalogue::UNCOVERED, needs_root, net};
use serde_json::Value;

fn is_not_told(id: &str, op: &str, perform: impl Fn(&mut ActorBox) -> Vec<Value>) {
    let technique = Technique::new();
    technique.works(&perform);
    let trial = technique.try_out(perform);
    let row = UNCOVERED.iter().find(|row| row.id == id).expect("a row");
    if row.shown_by.is_some_and(|set| trial.run.proves(set)) {
        trial.joined.expect("all is told where the kernel takes that set");
        return;
    }
    let differences = trial.joined.expect_err("told now");
    let missing = differences.lines().filter(|line| line.starts_with("not told: "));
    let unexpected = differences.lines().filter(|line| line.starts_with("told, but not done: "));
    assert_eq!(missing.count(), 2, "{differences}");
    assert_eq!(unexpected.count(), 0, "{differences}");
    assert!(differences.contains(&format!("\"op\":\"{op}\"")), "{differences}");
}

#[test]
fn e14_udp_lite_connect() {
    needs_root!();
    if !net::has_udp_lite() {
        return;
    }
    is_not_told("E14", "connect", |actor| {
        let rows = ["127.0.0.1", "::1"].map(|address| {
            actor.perform(&format!("udplite-connect {address} {}", net::closed_port()))
        });
        all("ok", rows.concat())
    });
}

#[test]
fn e08_a_receiver_that_does_not_ask_who_sent() {
    needs_root!();
    is_not_told("E08", "receive", |actor| {
        let rows =
            ["127.0.0.1", "::1"].map(|address| actor.perform(&format!("recv-nameless {address}")));
        all("ok", rows.concat())
    });
}
