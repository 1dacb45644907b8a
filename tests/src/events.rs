//! The agent's events as they arrive.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{field::at, want::Want};

/// One line of the agent's output.
#[derive(Clone)]
pub struct Event {
    /// The line as it was written, without its newline.
    pub line: Vec<u8>,
    /// The line as JSON; null when it is none.
    pub json: Value,
}

/// The label of this test program's containers in an event. Labels of hostnet are in every
/// event of a container.
const WRITTEN_LABEL: &str = "hostnet_test";

/// More than a container without a name does in the longest test.
const MOST_OF_A_STRANGER: usize = 20_000;

/// Whether the event is of a container that this test program did not start. A
/// busy neighbour must not fill the memory of a test.
pub fn is_neighbours(event: &Value) -> bool {
    let own = std::process::id().to_string();
    let container = &event["container"];
    container["name"].is_string() && container["labels"][WRITTEN_LABEL] != own.as_str()
}

/// Whether the coverage that `agent-started` states says that a hook is proven.
pub fn is_covered(started: &Value, hook: &str) -> bool {
    let rows = at(started, "hostnet.health.coverage").and_then(Value::as_array);
    let row = rows.and_then(|rows| rows.iter().find(|row| row["hook"] == hook));
    row.unwrap_or_else(|| panic!("no row for {hook}: {started}"))["state"] == "proven"
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    /// How many events of each stranger were kept.
    strangers: HashMap<String, usize>,
    /// `event.sequence` of the last event, neighbours' included.
    sequence: Option<u64>,
    /// The first event that did not follow the one before it.
    gap: Option<String>,
    ended: bool,
}

impl State {
    /// Notes the sequence of a line, if it has one, and whether it follows.
    fn comes(&mut self, sequence: Option<u64>, line: &[u8]) {
        let follows = self.sequence.is_none_or(|before| sequence == Some(before + 1));
        if !follows && self.gap.is_none() {
            let line = String::from_utf8_lossy(line);
            self.gap = Some(format!("after {:?} came {line}", self.sequence));
        }
        self.sequence = sequence.or(self.sequence);
    }

    /// Whoever is not known by label (a container without its name yet, a process
    /// of the host) is kept until it says more than any test does.
    fn has_room_for(&mut self, event: &Value) -> bool {
        let container = &event["container"];
        if container["name"].is_string() || event["event"]["dataset"] == "hostnet.health" {
            return true;
        }
        let who = match container["id"].as_str() {
            Some(id) => id.to_owned(),
            None => event["process"]["pid"].to_string(),
        };
        let kept = self.strangers.entry(who).or_default();
        *kept += 1;
        *kept <= MOST_OF_A_STRANGER
    }
}

/// Says of an event whether it took it.
type TakeEvent = dyn FnMut(&Value) -> bool + Send;

/// Says of a line that it took which sequence it has.
type TakeLine = dyn FnMut(&[u8]) -> Option<u64> + Send;

/// Takes what is not to be kept.
pub(crate) enum Divert {
    Event(Box<TakeEvent>),
    Line(Box<TakeLine>),
}

/// Everything the agent has written so far.
#[derive(Default)]
pub(crate) struct Stream {
    state: Mutex<State>,
    changed: Condvar,
}

impl Stream {
    /// Reads lines until the end.
    pub fn read(&self, source: impl Read, mut divert: Option<Divert>) {
        // As much as a pipe holds.
        let mut source = BufReader::with_capacity(1 << 16, source);
        loop {
            let mut line = Vec::new();
            match source.read_until(b'\n', &mut line) {
                Ok(count) if count > 0 => {}
                _ => break,
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            self.push(line, divert.as_mut());
        }
        self.state.lock().expect("not poisoned").ended = true;
        self.changed.notify_all();
    }

    fn push(&self, line: Vec<u8>, mut divert: Option<&mut Divert>) {
        if let Some(Divert::Line(take)) = &mut divert
            && let Some(sequence) = take(&line)
        {
            self.state.lock().expect("not poisoned").comes(Some(sequence), &line);
            return;
        }
        let json: Value = serde_json::from_slice(&line).unwrap_or_default();
        let diverted = match divert {
            Some(Divert::Event(take)) => take(&json),
            _ => false,
        };
        let mut state = self.state.lock().expect("not poisoned");
        state.comes(at(&json, "event.sequence").and_then(Value::as_u64), &line);
        if !diverted && !is_neighbours(&json) && state.has_room_for(&json) {
            state.events.push(Event { line, json });
            self.changed.notify_all();
        }
    }

    /// A reader proves completeness from the sequence alone.
    pub fn check_sequence(&self) {
        let state = self.state.lock().expect("not poisoned");
        assert!(state.gap.is_none(), "the sequence has a gap: {:?}", state.gap);
        assert!(state.sequence.is_some(), "no event has a sequence");
    }

    /// Waits until `found` finds something.
    pub fn wait<T>(
        &self,
        patience: Duration,
        mut found: impl FnMut(&[Event]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock().expect("not poisoned");
        loop {
            if let Some(answer) = found(&state.events) {
                return Some(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                return None;
            }
            state = self.changed.wait_timeout(state, left).expect("not poisoned").0;
        }
    }

    pub fn all(&self) -> Vec<Event> {
        self.state.lock().expect("not poisoned").events.clone()
    }
}

/// The events that come nearest to what was expected, for a failure message.
pub(crate) fn near_misses(events: &[Event], want: &Want) -> String {
    let mut misses: Vec<_> =
        events.iter().map(|event| (want.differences(&event.json), event)).collect();
    misses.sort_by_key(|(differences, _)| differences.len());
    let mut text = format!("expected\n{want}of {} events, the nearest:\n", events.len());
    for (differences, event) in misses.iter().take(3) {
        let message = at(&event.json, "message").and_then(Value::as_str).unwrap_or("no message");
        text.push_str(&format!("- {message}\n    {}\n", differences.join("\n    ")));
        if differences.len() <= 3 {
            text.push_str(&format!("    {}\n", String::from_utf8_lossy(&event.line)));
        }
    }
    text
}
