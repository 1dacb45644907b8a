//! Events to record, sinks that can be told to refuse, and a history of its own.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use hostnet::{
    event::{Event, Health, Operation, Reached, Recorded},
    format::{Format, ecs::Identity},
    output::{Output as _, is_broken_pipe},
    record::{self, Journal, Limits, Sequence, Settings},
    sink::{Failure, Message, Outbox, Outcome, Sink, Then},
};
use tempfile::TempDir;
use uuid::Uuid;

pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a fact.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An event of the agent about itself; `detail` is its payload.
pub fn event(health: Health) -> Event {
    event_at(now_ns(), health)
}

/// The same at a moment, nanoseconds since 1970.
pub fn event_at(wall_ns: u64, health: Health) -> Event {
    Event::new(Uuid::now_v7(), 1, wall_ns, Operation::Health(health))
}

/// The wall clock.
pub fn now_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_nanos() as u64
}

pub fn reachable(detail: &str) -> Health {
    Health::RuntimeReachable { endpoint: detail.to_owned(), version: "x".repeat(200) }
}

pub fn stopped() -> Health {
    Health::Stopped { reason: "test".to_owned(), events: 0, lost: 0 }
}

/// A run of the record.
pub struct Run {
    journal: Journal,
    sequence: Sequence,
}

impl Run {
    pub fn begin(history: Option<Settings>, sinks: Vec<(Outbox, Box<dyn Sink>)>) -> Self {
        let identity = Identity { run: Uuid::now_v7(), ..Identity::default() };
        let journal = record::begin(history, sinks, &identity).expect("a record");
        Self { journal, sequence: Sequence::default() }
    }

    pub fn tell(&mut self, health: Health) {
        self.tell_of(event(health));
    }

    pub fn tell_of(&mut self, event: Event) {
        let seen_ns = event.wall_ns;
        let record: Recorded = self.sequence.record(event, seen_ns);
        self.journal.write(&record).expect("taken");
    }

    /// Tells `count` events and what the record tells of itself, as the pipeline does.
    pub fn tell_many(&mut self, count: u64) {
        for number in 0..count {
            self.tell(reachable(&number.to_string()));
        }
        self.flush();
    }

    pub fn flush(&mut self) {
        self.journal.flush().expect("taken");
        for news in self.journal.take_news() {
            self.tell(news);
        }
        self.journal.flush().expect("taken");
    }

    /// What images had reached when the run began.
    pub fn take_reached(&mut self) -> Vec<Reached> {
        self.journal.take_reached()
    }

    /// Has the sinks open their destinations anew.
    pub fn reopen(&mut self) {
        self.journal.reopen().expect("asked");
    }

    /// Whether nobody reads what is written.
    pub fn is_unread(&mut self) -> bool {
        self.journal.flush().is_err_and(|error| is_broken_pipe(&error))
    }

    /// How many were told.
    pub fn told(&self) -> u64 {
        self.sequence.given()
    }

    pub fn stop(mut self) -> anyhow::Result<u64> {
        self.tell(stopped());
        let told = self.told();
        self.journal.close().map(|()| told)
    }
}

/// Where a history of a test is.
pub struct Place {
    pub directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("history.db")
    }

    pub fn settings(&self) -> Settings {
        settings(&self.path())
    }
}

pub fn settings(path: &Path) -> Settings {
    Settings {
        path: path.to_owned(),
        limits: Limits { age: Duration::from_secs(3600), bytes: 1 << 30 },
        checkpoint_every: Duration::from_secs(3600),
    }
}

pub fn outbox(name: &str) -> Outbox {
    Outbox {
        name: name.to_owned(),
        format: Format::Ecs,
        datasets: Vec::new(),
        actions: Vec::new(),
        cap: 1 << 30,
    }
}

/// What a sink of a test has been given, and what it is to say.
#[derive(Clone, Default)]
pub struct Destination {
    state: Arc<(Mutex<State>, Condvar)>,
}

/// Which rows a destination will never take.
type Poison = fn(u64) -> bool;

#[derive(Default)]
struct State {
    ids: Vec<u64>,
    actions: Vec<String>,
    /// Actions of all that it was handed, taken or not.
    handed: Vec<String>,
    /// How many messages each attempt had.
    attempts: Vec<usize>,
    refuses: Option<Then>,
    poison: Option<Poison>,
}

impl Destination {
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    pub fn refuse(&self, then: Option<Then>) {
        self.state.0.lock().expect("not poisoned").refuses = then;
    }

    /// Will never take these rows.
    pub fn will_never_take(&self, poison: Poison) {
        self.state.0.lock().expect("not poisoned").poison = Some(poison);
    }

    pub fn ids(&self) -> Vec<u64> {
        self.state.0.lock().expect("not poisoned").ids.clone()
    }

    pub fn actions(&self) -> Vec<String> {
        self.state.0.lock().expect("not poisoned").actions.clone()
    }

    /// Actions of all that it was handed, taken or not.
    pub fn handed(&self) -> Vec<String> {
        self.state.0.lock().expect("not poisoned").handed.clone()
    }

    /// How many messages it was handed at a time.
    pub fn attempts(&self) -> Vec<usize> {
        self.state.0.lock().expect("not poisoned").attempts.clone()
    }

    pub fn wait_for(&self, what: &str, is_so: impl Fn(&[u64]) -> bool) {
        let (lock, changed) = &*self.state;
        let state = lock.lock().expect("not poisoned");
        let outcome = changed
            .wait_timeout_while(state, PATIENCE, |state| !is_so(&state.ids))
            .expect("not poisoned");
        assert!(!outcome.1.timed_out(), "{what}: {} came", outcome.0.ids.len());
    }
}

impl Sink for Destination {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        let (lock, changed) = &*self.state;
        let mut state = lock.lock().expect("not poisoned");
        state.attempts.push(messages.len());
        state.handed.extend(messages.iter().map(|message| message.row.action.clone()));
        if let Some(then) = state.refuses {
            return Outcome::failed(Failure { reason: "the test says so".to_owned(), then });
        }
        let poison = state.poison.unwrap_or(|_| false);
        let taken: Vec<_> = messages.iter().filter(|message| !poison(message.row.id)).collect();
        state.ids.extend(taken.iter().map(|message| message.row.id));
        state.actions.extend(taken.iter().map(|message| message.row.action.clone()));
        changed.notify_all();
        Outcome::with_dead(messages.len(), messages.len() - taken.len(), "it is poison")
    }
}
