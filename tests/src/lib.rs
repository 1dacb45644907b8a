//! The harness of hostnet's end-to-end tests: a real Docker daemon, real
//! containers, the real agent, and an account of what really happened.
//!
//! Nothing here sleeps to synchronise. A test waits for a fact (a line of the
//! actor, an event of the agent, a marker that comes after everything before
//! it), and gives up at a deadline with what it saw instead.

mod actor;
mod agent;
pub mod api;
mod bare;
pub mod bpf;
pub mod cgroups;
mod checker;
mod container;
pub mod crowd;
mod daemon;
mod denial;
mod docker;
pub mod ecs;
mod events;
mod field;
pub mod flood;
pub mod glance;
mod image;
mod invariants;
mod left;
pub mod loopback;
mod machine;
pub mod net;
pub mod numbers;
pub mod ocsf;
mod oracle;
mod paths;
pub mod pins;
mod podman;
pub mod proxy;
mod rewriter;
pub mod rootless;
mod run;
pub mod server;
mod service;
pub mod shifts;
mod skip;
pub mod tally;
pub mod tamper;
mod technique;
mod terminal;
mod user;
mod want;
pub mod watch;
pub mod web;

pub use actor::Actor;
pub use agent::{Agent, Setup};
pub use checker::Joined;
pub use container::{ActorBox, Container, Launch};
pub use daemon::Daemon;
pub use denial::Denial;
pub use docker::{Docker, import_as};
pub use events::{Event, is_covered, is_neighbours};
pub use field::at;
pub use image::{IMAGE, PAGE, fill as fill_image};
pub use machine::Machine;
pub use oracle::Seen;
pub use paths::{events_directory, hostnet, program, python_packages};
pub use podman::{PODMAN_IMAGE, Podman};
pub use rewriter::Rewriter;
pub use run::Run;
pub use server::Server;
pub use service::Service;
pub use skip::skip;
pub use technique::{Technique, Trial, all};
pub use terminal::{Terminal, hostile_controls};
pub use user::User;
pub use want::{Want, want};

use std::{
    env, fs,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

/// How long a fact may take. Reached only by a failure. A slow machine needs
/// more of it: `HOSTNET_TESTS_PATIENCE` is how many times as much.
pub fn patience() -> Duration {
    Duration::from_secs(20) * *SLOWNESS
}

/// Whether this machine needs more patience than others; what takes another a
/// minute is then to be done in less.
pub fn is_slow() -> bool {
    *SLOWNESS > 1
}

static SLOWNESS: LazyLock<u32> = LazyLock::new(|| {
    let factor = env::var("HOSTNET_TESTS_PATIENCE");
    factor.map_or(1, |factor| factor.parse().expect("HOSTNET_TESTS_PATIENCE is a number"))
});

/// Whether this test can run; says why when it cannot.
pub fn can_observe() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("needs root to load eBPF programs and to start containers");
    }
    root
}

/// Whether the v2 cgroup hierarchy is mounted.
pub fn has_v2() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup2"))
}

/// Whether a container's cgroup tells whose a socket is; says so when not.
pub fn has_owners() -> bool {
    let v2 = has_v2();
    if !v2 {
        skip("cgroup v1 alone: every process is in the one cgroup that v2 has");
    }
    v2
}

/// Whether hostnet can tell what becomes of a TCP connection; says so when not.
pub fn has_tcp() -> bool {
    has_linux(5, 15, "no hook shows what becomes of a TCP connection")
}

/// Whether the kernel is this one or a later one; says what is so before it.
pub fn has_linux(major: u32, minor: u32, before: &str) -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_str().expect("Linux names itself in ASCII");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok).expect("a release begins with numbers");
    let has = (next(), next()) >= (major, minor);
    if !has {
        skip(&format!("before Linux {major}.{minor} {before}"));
    }
    has
}

/// Whether containers are Docker's; says what is missing without it.
pub fn has_docker(what_for: &str) -> bool {
    let docker = !bare::is_chosen();
    if !docker {
        skip(&format!("no Docker here to ask for {what_for}"));
    }
    docker
}

/// What a test that runs cannot show here. Whoever says what this kernel shows
/// looks for these lines.
pub fn not_here(what: &str) {
    tell(&format!("not here: {what}"));
}

/// Waits for a fact about the world outside the agent's output.
pub fn wait_for(what: &str, fact: impl Fn() -> bool) {
    let deadline = Instant::now() + patience();
    while !fact() {
        assert!(Instant::now() < deadline, "{what} did not come within {:?}", patience());
        thread::sleep(Duration::from_millis(5));
    }
}

/// A remark for whoever reads the test's output.
#[expect(clippy::print_stderr, reason = "standard error is where tests talk to people")]
pub fn tell(remark: &str) {
    eprintln!("{remark}");
}

/// Returns from the test when it cannot observe this machine, tell whose a socket
/// is, or what becomes of a TCP connection. A test may do without the last
/// `(no tcp)`, or without both `(no owners)`.
#[macro_export]
macro_rules! needs_root {
    () => {
        if !$crate::can_observe() || !$crate::has_owners() || !$crate::has_tcp() {
            return;
        }
    };
    (no tcp) => {
        if !$crate::can_observe() || !$crate::has_owners() {
            return;
        }
    };
    (no owners) => {
        if !$crate::can_observe() {
            return;
        }
    };
}

/// Returns from the test on an older kernel, with what is so there.
#[macro_export]
macro_rules! needs_linux {
    ($major:literal, $minor:literal, $before:literal) => {
        if !$crate::has_linux($major, $minor, $before) {
            return;
        }
    };
}

/// Returns from the test where containers are not Docker's, with what it would
/// have asked Docker for.
#[macro_export]
macro_rules! needs_docker {
    ($what_for:literal) => {
        if !$crate::has_docker($what_for) {
            return;
        }
    };
}
