//! How long questions take: a history is written as the agent writes it and asked: `query_rate
//! EVENTS TIMES` asks each question so many times, and says the slowest answers as one line of JSON
//! to `cargo xtask bench --only query`.

use std::{
    path::Path,
    time::{Duration, Instant},
};

#[path = "../tests/acts/mod.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod acts;

use acts::{Actor, SECOND, TCP};
use anyhow::{Result, bail};
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
use serde_json::{Map, Value, json};
use uuid::Uuid;

const CONTAINERS: u64 = 100;

/// Addresses that each container talks to.
const ADDRESSES: u64 = 20;

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

/// A history that is asked, and the slowest answer to each question, in milliseconds.
struct Asked<'a> {
    path: &'a Path,
    times: u64,
    worst_ms: Map<String, Value>,
}

impl Asked<'_> {
    /// Asks about something else each time, as a command does: opened anew.
    fn measure(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&History, u64) -> Result<usize>,
    ) -> Result<()> {
        let mut worst = Duration::ZERO;
        for time in 0..self.times {
            let began = Instant::now();
            let history = History::open(self.path)?;
            ask(&history, time)?;
            worst = worst.max(began.elapsed());
        }
        self.worst_ms.insert(what.to_owned(), (worst.as_secs_f64() * 1e3).into());
        Ok(())
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    let [events, times] = numbers[..] else { bail!("usage: query_rate EVENTS TIMES") };
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("history.db");
    let began = Instant::now();
    let end = write(&path, events)?;
    let mib = path.metadata()?.len() >> 20;
    let seconds = began.elapsed().as_secs();
    eprintln!("query: {events} events are written ({mib} MiB, {seconds} s)");
    let some = |time: u64| {
        let length = end - acts::BOOTED_NS;
        Time((acts::BOOTED_NS + length / times * time + length / 50).cast_signed())
    };
    let everything = Filter::default();
    let mut asked = Asked { path: &path, times, worst_ms: Map::new() };
    asked.measure("port", |history, time| {
        let port = 8000 + (time * 37 % 500) as u16;
        Ok(who_had_port(history, port, None, Some(some(time)))?.rows.len())
    })?;
    asked.measure("client-port", |history, time| {
        let port = 32_768 + (time * 731 % 28_000) as u16;
        Ok(who_had_port(history, port, None, Some(some(time)))?.rows.len())
    })?;
    asked.measure("peers", |history, time| {
        let container = Some(format!("worker-{}", time * 3 % CONTAINERS));
        let filter = Filter { container, ..Filter::default() };
        Ok(peers(history, &filter, &PeerFilter::default())?.len())
    })?;
    asked.measure("peers-between", |history, time| {
        let container = Some(format!("worker-{}", time * 3 % CONTAINERS));
        let (since, until) = (Some(some(time)), Some(some(time).after(3600 * SECOND as i64)));
        let filter = Filter { container, since, until, ..Filter::default() };
        Ok(peers(history, &filter, &PeerFilter::default())?.len())
    })?;
    asked.measure("peers-address", |history, time| {
        let address = Some(format!("10.1.{}.{}", time % 7, time * 11 % 250));
        Ok(peers(history, &everything, &PeerFilter { address, port: None })?.len())
    })?;
    asked.measure("around", |history, time| {
        let mut rows = 0;
        around(history, some(time), 10 * SECOND as i64, &everything, |_| {
            rows += 1;
            Ok(())
        })?;
        Ok(rows)
    })?;
    asked.measure("first-seen", |history, time| {
        let subject = Subject::of(&format!("10.1.{}.{}", time % 7, time * 11 % 250));
        Ok(first_seen(history, &subject, &everything)?.len())
    })?;
    asked.measure("containers", |history, _| Ok(containers(history, &everything)?.len()))?;
    asked.measure("listeners", |history, time| {
        let (since, until) = (Some(some(time)), Some(some(time).after(600 * SECOND as i64)));
        let filter = Filter { since, until, ..Filter::default() };
        Ok(listeners(history, &filter)?.len())
    })?;
    let figures = json!({
        "events": events, "mib": mib, "seconds": seconds, "times": times, "worst_ms": asked.worst_ms,
    });
    println!("{figures}");
    Ok(())
}
