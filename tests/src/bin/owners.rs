//! Whether owners are true and named under churn: `owners mixed` has a million
//! events of twenty containers at a time, `owners short` two thousand containers
//! that live a moment while both processors are busy. Either says its figures as
//! one line of JSON; `cargo xtask bench --only mixed,short` calls it.

use std::{hint::spin_loop, thread};

use hostnet_tests::shifts::{Plan, observe};

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next();
    let containers = arguments.next().and_then(|number| number.parse().ok());
    let plan = match kind.as_deref() {
        Some("mixed") => {
            let containers = containers.unwrap_or(100);
            Plan { containers, at_once: 20, command: "mixed", times: 1000 }
        }
        Some("short") => {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                thread::spawn(|| {
                    loop {
                        spin_loop();
                    }
                });
            }
            let containers = containers.unwrap_or(2000);
            Plan { containers, at_once: 4, command: "short", times: 1 }
        }
        _ => panic!("usage: owners mixed|short [CONTAINERS]"),
    };
    let figures = observe(plan);
    println!("{}", serde_json::to_string(&figures).expect("figures are JSON"));
}
