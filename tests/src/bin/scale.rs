//! How long hostnet takes to know a host of many containers and sockets, how much
//! memory, and what an owner then costs: `scale CONTAINERS SOCKETS ACTS` says it as one
//! line of JSON. It is called by `cargo xtask bench --only scale`.

use std::{
    fs,
    time::{Duration, Instant},
};

use hostnet_tests::{
    Agent,
    crowd::{Crowd, Verdict},
    tally::{Counts, Tally},
};
use serde_json::json;

/// As few containers as many hosts have.
const FEW: u32 = 10;
const LONGEST: Duration = Duration::from_secs(300);

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<u32>());
    let mut next = || match arguments.next() {
        Some(Ok(number)) => number,
        _ => panic!("usage: scale CONTAINERS SOCKETS-OF-EACH ACTS"),
    };
    let (containers, sockets, acts) = (next(), next(), next());
    let few = measure(FEW, sockets, acts);
    let many = measure(containers, sockets, acts);
    println!("{}", json!({ "few": few, "many": many }));
}

/// The cost of an owner is taken by so many acts of all containers together.
fn measure(containers: u32, sockets: u32, acts: u32) -> serde_json::Value {
    let mut crowd = Crowd::start(containers, sockets);
    let tally = Tally::of(containers);
    let counting = tally.clone();
    let began = Instant::now();
    let agent = Agent::setup_beside(&crowd.host())
        .divert_lines(move |line| counting.take(line))
        .start()
        .unkept();
    let seconds = || began.elapsed().as_secs_f64();
    let started = seconds();
    let all = u64::from(containers * sockets);
    tally.wait("the sockets", LONGEST, |counts| Counts::all(&counts.existing) >= all);
    let told = seconds();
    tally.wait("the names", LONGEST, |counts| counts.named.len() == containers as usize);
    let named = seconds();
    let before = cpu(agent.pid());
    crowd.act(0, containers, acts / containers);
    let acts = u64::from(acts / containers * containers);
    tally.wait("what they did", LONGEST, |counts| Counts::all(&counts.acted) + counts.lost >= acts);
    let spent = cpu(agent.pid()) - before;
    let memory = |name| kib(agent.pid(), name) / 1024;
    let (resident, peak) = (memory("VmRSS:"), memory("VmHWM:"));
    let counts = tally.now();
    let told_acts = Counts::all(&counts.acted);
    let of = |verdict| {
        counts.existing.get(&verdict).unwrap_or(&0) + counts.acted.get(&verdict).unwrap_or(&0)
    };
    let result = json!({
        "containers": containers,
        "sockets": all,
        "seconds_to_observe": started,
        "seconds_to_all_sockets": told,
        "seconds_to_all_names": named,
        "resident_mib": resident,
        "peak_mib": peak,
        "cpu_seconds_per_100k": spent.as_secs_f64() * 1e5 / told_acts as f64,
        "wrong": of(Verdict::Wrong),
        "unknown": of(Verdict::Unknown),
        "not_named_at_once": counts.acted.get(&Verdict::Nameless).unwrap_or(&0),
        "lost": counts.lost,
        "first_wrong": counts.first_wrong,
    });
    // A million events are told well; whether the agent ends well is another test's.
    drop(agent);
    result
}

/// CPU time of all threads of a process so far.
fn cpu(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the agent runs");
    let of = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(threads.filter_map(Result::ok).map(of).sum())
}

fn kib(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the agent runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.expect("the kernel tells its memory")
}
