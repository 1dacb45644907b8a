//! The agent's events as they arrive.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::want::Want;

/// One line of the agent's output.
#[derive(Clone)]
pub struct Event {
    /// The line as it was written, without its newline.
    pub line: Vec<u8>,
    /// The line as JSON; null when it is none.
    pub json: Value,
}

/// Field of an event by dotted path.
pub fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(event, |value, key| value.get(key))
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    ended: bool,
}

/// Everything the agent has written so far.
#[derive(Default)]
pub(crate) struct Stream {
    state: Mutex<State>,
    changed: Condvar,
}

impl Stream {
    /// Reads lines until the end.
    pub fn read(&self, source: impl Read) {
        let mut source = BufReader::new(source);
        loop {
            let mut line = Vec::new();
            match source.read_until(b'\n', &mut line) {
                Ok(count) if count > 0 => {}
                _ => break,
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            self.push(line);
        }
        self.state.lock().expect("not poisoned").ended = true;
        self.changed.notify_all();
    }

    fn push(&self, line: Vec<u8>) {
        let json = serde_json::from_slice(&line).unwrap_or(Value::Null);
        self.state.lock().expect("not poisoned").events.push(Event { line, json });
        self.changed.notify_all();
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
