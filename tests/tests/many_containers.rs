//! Hundreds of containers at once, each with sockets that are older than the
//! agent: every owner is told, and is the true one. `cargo xtask bench --only
//! scale` does the same with ten thousand.

use std::collections::BTreeMap;

use hostnet_tests::{
    Agent,
    crowd::{Crowd, Verdict},
    needs_root, patience,
    tally::{Counts, Tally},
};

const CONTAINERS: u32 = 500;
const SOCKETS: u32 = 10;

#[test]
fn five_hundred_containers_keep_their_sockets() {
    needs_root!();
    let mut crowd = Crowd::start(CONTAINERS, SOCKETS);
    let tally = Tally::of(CONTAINERS);
    let counting = tally.clone();
    let agent =
        Agent::setup_beside(&crowd.host()).divert_lines(move |line| counting.take(line)).start();
    let sockets = u64::from(CONTAINERS * SOCKETS);
    tally.wait("the sockets", patience(), |counts| Counts::all(&counts.existing) >= sockets);
    tally.wait("the names", patience(), |counts| counts.named.len() == CONTAINERS as usize);
    crowd.act(0, CONTAINERS, 2);
    let acts = u64::from(2 * CONTAINERS);
    tally.wait("what they did", patience(), |counts| Counts::all(&counts.acted) >= acts);
    agent.stop();
    let counts = tally.now();
    assert_eq!(counts.first_wrong, None);
    assert_eq!(Counts::all(&counts.existing), sockets, "each once: {}", counts.text());
    assert_eq!(counts.existing.get(&Verdict::Unknown), None, "{}", counts.text());
    assert_eq!(counts.acted, BTreeMap::from([(Verdict::Named, acts)]));
}
