//! Twenty containers at a time that come, do a bit of everything, and go: each
//! event has its true owner. `cargo xtask bench --only mixed` has a million.

use hostnet_tests::{
    needs_docker, needs_root,
    shifts::{Plan, observe},
};

#[test]
fn owners_are_true_while_containers_come_and_go() {
    needs_root!();
    needs_docker!("names");
    let (containers, times) = (40, 25);
    let figures = observe(Plan { containers, at_once: 20, command: "mixed", times });
    assert_eq!((figures.wrong, figures.unknown, figures.lost), (0, 0, 0), "{figures:?}");
    let rounds = u64::from(containers * times);
    assert_eq!(figures.connects, 2 * rounds, "one served, one refused: {figures:?}");
    // A busy machine's daemon may be slower than an event may wait for its name.
    assert_eq!(figures.named + figures.nameless, figures.events, "{figures:?}");
    assert_eq!(figures.never_named, 0, "{figures:?}");
    assert!(figures.events >= 8 * rounds, "{figures:?}");
}
