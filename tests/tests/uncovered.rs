//! What is known not to be told (`UNCOVERED` in xtask/src/coverage/catalogue.rs).
//! A test that fails here is good news: the operation is told now, and its row has
//! to go.

use hostnet_tests::{ActorBox, Technique, all, needs_root, net, skip};
use serde_json::Value;

fn is_not_told(operations: &[&str], perform: impl Fn(&mut ActorBox) -> Vec<Value>) {
    is_not_told_unless(None, operations, perform);
}

/// `operations`, each of a row or more, are all that is not told, but for a kernel
/// that takes the set which shows them.
fn is_not_told_unless(
    shown_by: Option<&str>,
    operations: &[&str],
    perform: impl Fn(&mut ActorBox) -> Vec<Value>,
) {
    let technique = Technique::new();
    technique.works(&perform);
    let trial = technique.try_out(perform);
    if shown_by.is_some_and(|set| trial.run.proves(set)) {
        trial.joined.expect("all is told where the kernel takes the set");
        return;
    }
    let differences = trial.joined.expect_err("told now");
    let missing = differences.lines().filter(|line| line.starts_with("not told: "));
    let unexpected = differences.lines().filter(|line| line.starts_with("told, but not done: "));
    assert_eq!(missing.count(), 2, "{differences}");
    assert_eq!(unexpected.count(), 0, "{differences}");
    for op in operations {
        assert!(differences.contains(&format!("\"op\":\"{op}\"")), "{differences}");
    }
}

#[test]
fn e14_udp_lite_connect() {
    needs_root!(no tcp);
    if !net::has_udp_lite() {
        return;
    }
    is_not_told_unless(Some("connect"), &["connect"], |actor| {
        let rows = ["127.0.0.1", "::1"].map(|address| {
            actor.perform(&format!("udplite-connect {address} {}", net::closed_port()))
        });
        all("ok", rows.concat())
    });
}

#[test]
fn e08_a_receiver_that_does_not_ask_who_sent() {
    needs_root!(no tcp);
    is_not_told(&["receive"], |actor| {
        let rows =
            ["127.0.0.1", "::1"].map(|address| actor.perform(&format!("recv-nameless {address}")));
        all("ok", rows.concat())
    });
}

#[test]
fn e13_sctp_by_setsockopt() {
    needs_root!(no tcp);
    let perform = |actor: &mut ActorBox| actor.perform("sctp-options 127.0.0.1");
    let first = Technique::new().works(perform);
    if first[0]["result"] == "EPROTONOSUPPORT" {
        return skip("this kernel has no SCTP");
    }
    is_not_told(&["bind", "connect"], |actor| all("ok", perform(actor)));
}
