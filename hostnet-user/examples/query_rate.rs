//! How long questions take: a history is written as the agent writes it, with as many
//! events as `HOSTNET_EVENTS` says, and asked. `cargo xtask bench --only query`.

use std::{
    path::Path,
    time::{Duration, Instant},
};

#[path = "../tests/acts/mod.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod acts;

use acts::{Actor, SECOND, TCP};
use anyhow::Result;
use hostnet::{
    event::{Direction, Event, Outcome, Socket},
    format::ecs::Identity,
    output::Output as _,
    query::{
        Filter, History, PeerFilter, Subject, Time, around, containers, first_seen, listeners,
        peers, who_had_port,
    },
    record::{self, Journal, Limits, Sequence, Settings},
};
use uuid::Uuid;

/// Events, unless told otherwise.
const EVENTS: u64 = 1_000_000;

const CONTAINERS: u64 = 100;

/// Addresses that each container talks to.
const ADDRESSES: u64 = 20;

/// How often each question is asked, about something else each time.
const TIMES: u64 = 20;

/// Time between two connections of the story.
const APART: u64 = SECOND / 10;

struct Story {
    journal: Journal,
    sequence: Sequence,
    actors: Vec<Actor>,
    service: Actor,
    told: u64,
}

impl Story {
    fn tell(&mut self, event: Event) -> Result<()> {
        self.told += 1;
        let seen_ns = event.wall_ns;
        self.journal.write(&self.sequence.record(event, seen_ns))
    }

    fn act(
        &mut self,
        at: u64,
        by: &Actor,
        of: Socket,
        what: hostnet::event::Operation,
    ) -> Result<()> {
        self.tell(acts::event(at, Some(by), Some(of), what))
    }

    /// A connection out and its end; now and then a process that listens for a minute.
    fn step(&mut self, number: u64) -> Result<()> {
        let at = acts::BOOTED_NS + number * APART;
        let by = self.actors[(number * 7 % CONTAINERS) as usize].clone();
        let own = 32_768 + (number * 31 % 28_000) as u16;
        let other = number * 13 % ADDRESSES + number * 7 % CONTAINERS * ADDRESSES;
        let (local, remote) =
            (([10, 0, 0, 1], own).into(), ([10, 1, (other >> 8) as u8, other as u8], 6379).into());
        let of = acts::socket(number * 2 + 1, TCP, local);
        let connect = acts::connect(local, remote, Outcome::Success);
        let mut event = acts::event(at, Some(&by), Some(of), connect);
        event.peer = Some(acts::peer(&self.service, Some(remote)));
        self.tell(event)?;
        let close = acts::close((local, remote), Direction::Egress, (300, 80), 1_000_000);
        self.act(at + 1_000_000, &by, of, close)?;
        if number.is_multiple_of(100) {
            let local = ([0, 0, 0, 0], (8000 + number / 100 % 500) as u16).into();
            let of = acts::socket(number * 2 + 2, TCP, local);
            self.tell(acts::event(at, Some(&by), None, acts::exec()))?;
            self.act(at, &by, of, acts::bind(local))?;
            self.act(at, &by, of, acts::listen(local))?;
            self.act(at + 60 * SECOND, &by, of, acts::listener_closed(local))?;
        }
        Ok(())
    }
}

fn write(path: &Path, events: u64) -> Result<u64> {
    let identity = Identity { run: Uuid::now_v7(), ..Identity::default() };
    let settings = Settings {
        path: path.to_owned(),
        limits: Limits { age: Duration::from_secs(1 << 33), bytes: 1 << 50 },
        checkpoint_every: Duration::from_secs(1 << 20),
    };
    let actors = (0..CONTAINERS).map(|number| {
        let owner = acts::container(number, &format!("worker-{number}"), "shop/worker:1", "host");
        let process = acts::process(number as u32 + 1000, "worker", acts::BOOTED_NS, None);
        Actor { owner, process }
    });
    let mut story = Story {
        journal: record::begin(Some(settings), Vec::new(), &identity)?,
        sequence: Sequence::default(),
        actors: actors.collect(),
        service: Actor {
            owner: acts::host("redis-server.service"),
            process: acts::process(800, "redis-server", acts::BOOTED_NS, None),
        },
        told: 0,
    };
    story.tell(acts::event(acts::BOOTED_NS, None, None, acts::started()))?;
    let mut number = 0;
    while story.told < events {
        number += 1;
        story.step(number)?;
    }
    let end = acts::BOOTED_NS + (number + 1) * APART + 60 * SECOND;
    story.tell(acts::event(end, None, None, acts::stopped()))?;
    story.journal.close()?;
    Ok(end)
}

/// Asks `TIMES` times, each time as a command does: opened anew.
#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn measure(
    what: &str,
    path: &Path,
    mut ask: impl FnMut(&History, u64) -> Result<usize>,
) -> Result<()> {
    let (mut worst, mut sum, mut rows) = (Duration::ZERO, Duration::ZERO, 0);
    for time in 0..TIMES {
        let began = Instant::now();
        let history = History::open(path)?;
        rows += ask(&history, time)?;
        let took = began.elapsed();
        worst = worst.max(took);
        sum += took;
    }
    let mean = sum.as_secs_f64() * 1000.0 / TIMES as f64;
    let worst = worst.as_secs_f64() * 1000.0;
    println!("query: {what}: {mean:.0} ms, at most {worst:.0} ms ({rows} rows in {TIMES} answers)");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let events = std::env::var("HOSTNET_EVENTS").ok().and_then(|text| text.parse().ok());
    let events = events.unwrap_or(EVENTS);
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("history.db");
    let began = Instant::now();
    let end = write(&path, events)?;
    let mib = path.metadata()?.len() >> 20;
    let took = began.elapsed().as_secs();
    println!("query: a history of {events} events, {mib} MiB, written in {took} s");
    let some = |time: u64| {
        let length = end - acts::BOOTED_NS;
        Time((acts::BOOTED_NS + length / TIMES * time + length / 50).cast_signed())
    };
    let everything = Filter::default();
    measure("who-had-port PORT --at TIME", &path, |history, time| {
        let port = 8000 + (time * 37 % 500) as u16;
        Ok(who_had_port(history, port, None, Some(some(time)))?.rows.len())
    })?;
    measure("who-had-port of a client's port", &path, |history, time| {
        let port = 32_768 + (time * 731 % 28_000) as u16;
        Ok(who_had_port(history, port, None, Some(some(time)))?.rows.len())
    })?;
    measure("peers CONTAINER", &path, |history, time| {
        let container = Some(format!("worker-{}", time * 3 % CONTAINERS));
        let filter = Filter { container, ..Filter::default() };
        Ok(peers(history, &filter, &PeerFilter::default())?.len())
    })?;
    measure("peers CONTAINER --since --until", &path, |history, time| {
        let container = Some(format!("worker-{}", time * 3 % CONTAINERS));
        let (since, until) = (Some(some(time)), Some(some(time).after(3600 * SECOND as i64)));
        let filter = Filter { container, since, until, ..Filter::default() };
        Ok(peers(history, &filter, &PeerFilter::default())?.len())
    })?;
    measure("peers --ip", &path, |history, time| {
        let address = Some(format!("10.1.{}.{}", time % 7, time * 11 % 250));
        Ok(peers(history, &everything, &PeerFilter { address, port: None })?.len())
    })?;
    measure("around TIME --within 10s", &path, |history, time| {
        let mut rows = 0;
        around(history, some(time), 10 * SECOND as i64, &everything, |_| {
            rows += 1;
            Ok(())
        })?;
        Ok(rows)
    })?;
    measure("first-seen IP", &path, |history, time| {
        let subject = Subject::of(&format!("10.1.{}.{}", time % 7, time * 11 % 250));
        Ok(first_seen(history, &subject, &everything)?.len())
    })?;
    measure("containers", &path, |history, _| Ok(containers(history, &everything)?.len()))?;
    measure("listeners --since --until", &path, |history, time| {
        let (since, until) = (Some(some(time)), Some(some(time).after(600 * SECOND as i64)));
        let filter = Filter { since, until, ..Filter::default() };
        Ok(listeners(history, &filter)?.len())
    })
}
