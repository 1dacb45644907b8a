//! What the measurements of the record share: what is told, and what it takes.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use hostnet::{
    event::{Direction, Event, Outcome},
    record::{Limits, Settings},
};

#[path = "../../tests/acts/mod.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod acts;

/// A history that keeps everything: the events are of a time of their own, and none is
/// to go for its age.
pub fn settings(path: &std::path::Path) -> Settings {
    Settings {
        path: path.to_owned(),
        limits: Limits { age: Duration::from_secs(u32::MAX.into()), bytes: 1 << 40 },
        checkpoint_every: Duration::from_secs(10),
    }
}

/// Connections of a hundred containers to a service of the host's, made and closed
/// in turns: what a busy host tells most, and what most of the indexes are for.
pub fn connections() -> Vec<Event> {
    let service = acts::Actor {
        owner: acts::host("redis-server.service"),
        process: acts::process(800, "redis-server", acts::BOOTED_NS, None),
    };
    let mut events = Vec::new();
    for number in 0..100 {
        let name = format!("shop-worker-{number}");
        let owner = acts::container(number, &name, "registry.example/shop/worker:1.27", "host");
        let process = acts::process(number as u32 + 1000, "worker", acts::BOOTED_NS, None);
        let actor = acts::Actor { owner, process };
        for turn in 0..10 {
            let local = ([127, 0, 0, 1], 40_000 + number as u16 * 10 + turn).into();
            let remote = ([127, 0, 0, 1], 6379).into();
            let of = Some(acts::socket(number * 10 + u64::from(turn), acts::TCP, local));
            let at = acts::BOOTED_NS + (number * 10 + u64::from(turn)) * acts::SECOND;
            let connect = acts::connect(local, remote, Outcome::Success);
            let mut event = acts::event(at, Some(&actor), of, connect);
            event.peer = Some(acts::peer(&service, Some(remote)));
            events.push(event);
            let close = acts::close((local, remote), Direction::Egress, (300, 80), 1_000_000);
            events.push(acts::event(at + 1_000_000, Some(&actor), of, close));
        }
    }
    events
}

/// What this process' threads whose names begin like this have used.
pub fn thread_time(name: &str) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        // One that ends meanwhile is none.
        let Ok(own) = fs::read_to_string(thread.join("comm")) else { continue };
        if own.starts_with(name) {
            let times = fs::read_to_string(thread.join("schedstat"))?;
            nanoseconds += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Memory that is no file's.
pub fn resident_mib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.context("the kernel tells its memory")? / 1024)
}
