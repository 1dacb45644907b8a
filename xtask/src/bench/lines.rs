//! The agent's output, counted while it grows and thrown away once counted: a
//! minute of it would not fit the memory it is written to.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
};

use anyhow::{Context, Result};
use memchr::{memchr_iter, memmem};
use rustix::fs::{FallocateFlags, fallocate};
use serde_json::Value;

const BUFFER: usize = 1 << 20;

/// In every line, `data_stream.dataset` comes within these bytes.
const BEGINNING: usize = 1024;

/// A reader of the agent's file.
pub struct Lines {
    file: File,
    container: String,
    buffer: Vec<u8>,
    /// A line whose end is not written yet.
    begun: Vec<u8>,
    read: u64,
    /// Counts so far.
    pub seen: Seen,
}

/// What lines have told.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Whether the agent said that it observes, and that it can ask for names.
    pub started: bool,
    pub can_name: bool,
    /// Connects of the load's container.
    pub connects: u64,
    /// All socket operations of the load's container.
    pub operations: u64,
    /// Connects of the load's container, or of nobody in particular, told as lost.
    pub lost_connects: u64,
    /// Records of the load's container told as lost.
    pub lost: u64,
}

impl Lines {
    /// `container` is the id whose lines count.
    pub fn of(file: File, container: &str) -> Self {
        Self {
            file,
            container: container.to_owned(),
            buffer: vec![0; BUFFER],
            begun: Vec::new(),
            read: 0,
            seen: Seen::default(),
        }
    }

    /// Counts what was written since; returns how many bytes that were.
    pub fn poll(&mut self) -> Result<u64> {
        let before = self.read;
        loop {
            let count = match self.file.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the agent's output cannot be read"),
            };
            self.read += count as u64;
            let chunk = &self.buffer[..count];
            let mut from = 0;
            for end in memchr_iter(b'\n', chunk) {
                let rest = &chunk[from..end];
                if self.begun.is_empty() {
                    self.seen.line(rest, &self.container)?;
                } else {
                    self.begun.extend_from_slice(rest);
                    self.seen.line(&self.begun, &self.container)?;
                    self.begun.clear();
                }
                from = end + 1;
            }
            self.begun.extend_from_slice(&chunk[from..]);
        }
        if self.read > before {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&self.file, hole, before, self.read - before)
                .context("what was counted cannot be thrown away")?;
        }
        Ok(self.read - before)
    }
}

impl Seen {
    fn line(&mut self, line: &[u8], container: &str) -> Result<()> {
        let beginning = &line[..line.len().min(BEGINNING)];
        if memmem::find(beginning, b"\"dataset\":\"hostnet.health\"").is_some() {
            let event = serde_json::from_slice(line).context("the agent wrote no JSON")?;
            self.health(&event, container);
        } else if memmem::find(beginning, b"\"dataset\":\"hostnet.network\"").is_some()
            && memmem::find(line, container.as_bytes()).is_some()
        {
            self.operations += 1;
            let connect = memmem::find(line, b"\"action\":\"connection_attempted\"").is_some();
            self.connects += u64::from(connect);
        }
        Ok(())
    }

    fn health(&mut self, event: &Value, container: &str) {
        match event["event"]["action"].as_str() {
            Some("agent-started") => self.started = true,
            Some("runtime-reachable") => self.can_name = true,
            Some("records-lost") => {
                let by = event["hostnet"]["loss"]["by"].as_array();
                for loss in by.into_iter().flatten() {
                    let count = loss["count"].as_u64().unwrap_or(0);
                    let is_loads = loss["container"]["id"] == container;
                    let is_connect = loss["operation"] == "connect";
                    // Without a cgroup it was nobody's in particular.
                    if is_connect && (is_loads || loss["cgroup"].is_null()) {
                        self.lost_connects += count;
                    }
                    if is_loads {
                        self.lost += count;
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loads_own_lines_count() {
        let network = |id: &str, action: &str| {
            format!(
                r#"{{"data_stream":{{"dataset":"hostnet.network"}},"event":{{"action":"{action}"}},"container":{{"id":"{id}"}}}}"#
            )
        };
        let lost = r#"{"data_stream":{"dataset":"hostnet.health"},"event":{"action":"records-lost"},
            "hostnet":{"loss":{"by":[
            {"operation":"connect","count":3,"cgroup":{"id":1},"container":{"id":"me"}},
            {"operation":"bind","count":20,"cgroup":{"id":1},"container":{"id":"me"}},
            {"operation":"connect","count":100,"cgroup":{"id":2},"container":{"id":"other"}},
            {"operation":"connect","count":4000}]}}}"#;
        let lines = [
            network("me", "connection_attempted"),
            network("me", "bound-socket"),
            network("other", "connection_attempted"),
            lost.replace('\n', ""),
        ];
        let mut seen = Seen::default();
        for line in lines {
            seen.line(line.as_bytes(), "me").unwrap();
        }
        assert_eq!((seen.connects, seen.operations), (1, 2));
        assert_eq!((seen.lost_connects, seen.lost), (4003, 23));
    }
}
