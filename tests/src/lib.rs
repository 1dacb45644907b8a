//! The harness of hostnet's end-to-end tests: a real Docker daemon, real
//! containers, the real agent, and an account of what really happened.
//!
//! Nothing here sleeps to synchronise. A test waits for a fact (a line of the
//! actor, an event of the agent, a marker that comes after everything before
//! it), and gives up at a deadline with what it saw instead.

mod actor;
mod agent;
mod container;
mod daemon;
mod docker;
pub mod ecs;
mod events;
mod image;
mod invariants;
pub mod loopback;
pub mod net;
mod paths;
mod rewriter;
mod terminal;
mod want;

pub use actor::Actor;
pub use agent::{Agent, Run, Setup};
pub use container::{ActorBox, Container, Launch};
pub use daemon::Daemon;
pub use docker::Docker;
pub use events::{Event, at, is_neighbours};
pub use image::{IMAGE, PAGE};
pub use paths::{events_directory, hostnet, program};
pub use rewriter::Rewriter;
pub use terminal::{Terminal, hostile_controls};
pub use want::{Want, want};

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a fact may take. Reached only by a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this test can run; says why when it cannot.
pub fn can_observe() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        tell("skipping: needs root to load eBPF programs and to start containers");
    }
    root
}

/// Waits for a fact about the world outside the agent's output.
pub fn wait_for(what: &str, fact: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < deadline, "{what} did not come within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A remark for whoever reads the test's output.
#[expect(clippy::print_stderr, reason = "standard error is where tests talk to people")]
pub fn tell(remark: &str) {
    eprintln!("{remark}");
}

/// Returns from the test when it cannot observe this machine.
#[macro_export]
macro_rules! needs_root {
    () => {
        if !$crate::can_observe() {
            return;
        }
    };
}
