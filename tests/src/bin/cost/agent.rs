//! The agent whose cost is measured.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::say;

pub struct Agent {
    child: Child,
    started: Value,
}

impl Agent {
    /// Returns once it observes, with sockets beyond IP seen in this `way`.
    pub fn start(hostnet: &Path, way: &str) -> Self {
        let mut child = Command::new(hostnet)
            .args(["watch", "--json", "--beyond-ip", way])
            .stdout(Stdio::piped())
            .spawn()
            .expect("hostnet can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let started = loop {
            let line = lines.next().expect("hostnet observes").expect("UTF-8");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if event["event"]["action"] == "agent-started" {
                break event;
            }
        };
        // Nobody reads the rest, and the agent must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, started }
    }

    fn coverage(&self) -> impl Iterator<Item = &Value> {
        self.started["hostnet"]["health"]["coverage"].as_array().into_iter().flatten()
    }

    /// Whether this kernel takes the set that was asked for.
    pub fn observes_as(&self, way: &str) -> bool {
        way == "off" || self.coverage().any(|row| row["set"] == way && row["state"] == "proven")
    }

    /// Instructions the verifier looked at, by program.
    pub fn tell_programs(&self) {
        for row in self.coverage() {
            if let (Some(hook), Some(count)) = (row["hook"].as_str(), row["instructions"].as_u64())
            {
                say(&format!("program {hook} {count}"));
            }
        }
    }

    pub fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it runs");
        self.child.wait().expect("its end");
    }
}
