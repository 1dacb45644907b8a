//! A container that does more than anybody can be told of loses only its own
//! repeats, and each of them is counted.

use hostnet_tests::{
    Agent,
    flood::{Flood, Plan},
    needs_root,
};

/// Floods of one kind from both cores beside another container that acts, and
/// checks that generated, told and counted agree.
fn flood(kind: &'static str, records: &[&str], action: &str) {
    let plan = Plan { kind, lasts: 10_000, marks: 20_000, rare: 2_000 };
    let end = |agent: Agent| drop(agent.stop());
    let Flood { acts, rare, guilty, other } = hostnet_tests::flood::flood(plan, end);
    assert_eq!(other.single.len(), 20_000, "of the other's {other:?}", other = other.told);
    assert!(other.single.values().all(|told| *told == 1), "each once");
    assert!(other.suppressed.is_empty(), "{other:?}", other = other.suppressed);
    assert_eq!(guilty.single.len() as u64, rare, "its own rare acts");
    let in_flood = if kind == "connect" { rare } else { 0 };
    for record in records {
        let suppressed = guilty.suppressed(record);
        assert!(suppressed > 0, "no flood of {record}: {acts} acts");
        // Of some kinds of records no event comes.
        if *record == records[0] {
            assert_eq!(guilty.told(action) + suppressed, acts + in_flood, "{guilty:?}");
        }
    }
    assert!(!guilty.binds.contains("failure"), "a bind whose end was suppressed");
}

#[test]
fn connects() {
    needs_root!();
    flood("connect", &["connect"], "connection_attempted");
}

#[test]
fn raw_sockets() {
    needs_root!();
    flood("raw-socket", &["raw-socket"], "opened-raw-socket");
}

#[test]
fn binds() {
    needs_root!();
    flood("bind", &["bind", "bind-asked"], "bound-socket");
}
