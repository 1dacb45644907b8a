//! What is advised in each situation: where a container listens, who came, by which
//! protocol, and what it reached. A service never leaves the network, and no port is
//! published wider than it was reached.

mod any;
mod datagrams;
mod one;
mod reached;

use std::sync::Arc;

use super::{
    because, run,
    scene::{DAY, Scene, container},
};
use crate::{advise::Answer, event::Owner};

/// A situation, and what is to be advised in it.
struct Row {
    name: &'static str,
    does: fn(&mut Scene),
    answer: Answer,
    /// Options of `docker run`.
    run: &'static str,
    /// Words of a reason or a condition; empty where none is wanted.
    says: &'static str,
}

const fn row(
    name: &'static str,
    does: fn(&mut Scene),
    answer: Answer,
    run: &'static str,
    says: &'static str,
) -> Row {
    Row { name, does, answer, run, says }
}

/// A machine on the LAN, and one on the LAN over IPv6.
const FAR: &str = "10.0.0.9:5000";
const FAR6: &str = "[2001:db8::9]:5000";
/// The host's own address on the LAN, and a port of it.
const HOST: &str = "10.0.0.2:5000";

fn other() -> Arc<Owner> {
    container("client", "2026-11-28T00:00:01Z", &[])
}

fn outbound(scene: &mut Scene) {
    scene.connect("93.184.216.34:443", 20);
}

#[test]
fn each_situation_has_its_advice() {
    let all: Vec<&Row> =
        [any::ROWS, one::ROWS, datagrams::ROWS, reached::ROWS].into_iter().flatten().collect();
    assert!(all.len() >= 50, "{}", all.len());
    let mut wrong = String::new();
    for Row { name, does, answer, run: expected, says } in all {
        let mut scene = Scene::new();
        does(&mut scene);
        scene.pass(DAY);
        let advice = scene.advice();
        let said = format!("{}\n{}", because(&advice), advice.change.conditions.join("\n"));
        let is_right = advice.verdict.answer == *answer
            && (*answer == Answer::Needed || run(&advice) == *expected)
            && said.contains(says);
        if !is_right {
            let (answer, run) = (advice.verdict.answer, run(&advice));
            wrong.push_str(&format!("{name}: {answer:?}, {run:?}, {said}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
