//! Whether owners are true and named under churn: `owners mixed CONTAINERS ROUNDS` has mixed
//! events of twenty containers at a time, `owners short CONTAINERS ROUNDS` containers that live
//! a moment while both processors are busy. Either says its figures as one line of JSON; `cargo
//! xtask bench --only mixed,short` calls it.

use std::{hint::spin_loop, thread};

use hostnet_tests::shifts::{Plan, observe};

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next();
    let numbers: Vec<u32> = arguments.filter_map(|number| number.parse().ok()).collect();
    let plan = match (kind.as_deref(), &numbers[..]) {
        (Some("mixed"), &[containers, times]) => {
            Plan { containers, at_once: 20, command: "mixed", times }
        }
        (Some("short"), &[containers, times]) => {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                thread::spawn(|| {
                    loop {
                        spin_loop();
                    }
                });
            }
            Plan { containers, at_once: 4, command: "short", times }
        }
        _ => panic!("usage: owners mixed|short CONTAINERS ROUNDS"),
    };
    let figures = observe(plan);
    println!("{}", serde_json::to_string(&figures).expect("figures are JSON"));
}
