//! A history of acts, written as the agent writes it, and chance that is the same in
//! every run.

use std::time::Duration;

use hostnet::{
    event::{Event, Operation},
    format::ecs::Identity,
    output::Output as _,
    query::History,
    record::{self, Journal, Limits, Sequence, Settings},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::acts::{self, Actor, SECOND};

/// Where a history grows.
pub struct Book {
    directory: TempDir,
    boot: String,
    run: Option<(Uuid, Journal, Sequence)>,
}

impl Book {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, boot: "boot-1".to_owned(), run: None }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("history.db")
    }

    /// The agent starts at `at`.
    pub fn start(&mut self, at: u64) {
        let run = Uuid::now_v7();
        let own = format!("(pid {})", std::process::id());
        let identity = Identity { run, boot_id: self.boot.clone(), ..Identity::default() };
        let settings = Settings {
            path: self.path(),
            // The acts are not of today.
            limits: Limits { age: Duration::from_secs(1 << 33), bytes: 1 << 40 },
            checkpoint_every: Duration::from_secs(1 << 20),
        };
        let journal = loop {
            match record::begin(Some(settings.clone()), Vec::new(), &identity) {
                Ok(journal) => break journal,
                // A process that another test starts holds what this one has locked until
                // it has called execve.
                Err(error) if error.to_string().contains(&own) => std::thread::yield_now(),
                Err(error) => panic!("no record: {error:#}"),
            }
        };
        self.run = Some((run, journal, Sequence::default()));
        self.tell(acts::event(at, None, None, acts::started()));
    }

    /// The agent stops at `at`.
    pub fn stop(&mut self, at: u64) {
        self.tell(acts::event(at, None, None, acts::stopped()));
        self.crash();
    }

    /// The agent is gone without a word.
    pub fn crash(&mut self) {
        let (_, mut journal, _) = self.run.take().expect("it runs");
        journal.close().expect("kept");
    }

    /// The agent is killed, and starts at `at`; returns the run that has no end.
    pub fn start_after_crash(&mut self, at: u64) -> Uuid {
        let (run, ..) = self.run.as_ref().expect("it runs");
        let run = *run;
        self.crash();
        self.start(at);
        run
    }

    /// The host is booted anew.
    pub fn boot(&mut self, boot: &str) {
        self.boot = boot.to_owned();
    }

    pub fn tell(&mut self, event: Event) {
        let (_, journal, sequence) = self.run.as_mut().expect("it runs");
        let seen_ns = event.wall_ns;
        journal.write(&sequence.record(event, seen_ns)).expect("taken");
    }

    /// Something that `by` did with an IP socket.
    pub fn act(&mut self, at: u64, by: &Actor, of: hostnet::event::Socket, operation: Operation) {
        self.tell(acts::event(at, Some(by), Some(of), operation));
    }

    /// Something without a socket.
    pub fn life(&mut self, at: u64, by: &Actor, operation: Operation) {
        self.tell(acts::event(at, Some(by), None, operation));
    }

    /// All that happened until `at` was told.
    pub fn known_until(&mut self, at: u64) {
        let (_, journal, _) = self.run.as_mut().expect("it runs");
        journal.flush().expect("taken");
        journal.known_until(at);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while record::Mark::read(&self.path()).is_none_or(|mark| mark.until_ns != at) {
            assert!(std::time::Instant::now() < deadline, "nothing is marked until {at}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What can be asked now.
    pub fn read(&mut self) -> History {
        if let Some((_, journal, sequence)) = &mut self.run {
            journal.flush().expect("taken");
            while journal.written() != Some(sequence.given()) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        History::open(&self.path()).expect("a history")
    }
}

/// A container with a process that began with it.
pub fn actor(number: u32, at: u64) -> Actor {
    let name = format!("service-{number}");
    let owner = acts::container(u64::from(number), &name, "shop/service:1.2", "host");
    Actor { owner, process: acts::process(1000 + number, &name, at, None) }
}

/// A moment so many seconds into the story.
pub fn second(number: u64) -> u64 {
    acts::BOOTED_NS + 3600 * SECOND + number * SECOND
}

/// Chance, the same in every run.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `below`, without it.
    pub fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}
