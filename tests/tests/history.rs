//! The agent's history on a real host: kept, verified, and true after a kill.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use hostnet_tests::{Agent, hostnet, needs_root, net, wait_for, want};
use rustix::process::Signal;
use serde_json::Value;

/// `hostnet verify`: its exit code and what it says.
fn verify(history: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(hostnet());
    command.arg("verify").arg("--history").arg(history).args(arguments);
    let output = command.output().expect("hostnet can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().expect("it ended by itself"), text)
}

#[test]
fn a_run_is_kept_and_what_is_changed_is_found() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("state").join("history.db");
    let agent = Agent::setup().history(&history).keep("checkpoint_seconds = 1").start();
    agent.marker();
    let checkpoint = agent.expect(&want().action("chain-checkpoint"));
    let files = ["history.db", "history.db-wal", "history.db-shm", "history.key"];
    for name in files {
        let path = history.with_file_name(name);
        let mode = path.metadata().expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mode = history.parent().expect("a directory").metadata().expect("it").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // While the agent writes it.
    assert_eq!(verify(&history, &[]).0, 0);
    let run = agent.stop();
    let (code, text) = verify(&history, &[]);
    assert_eq!(code, 0, "{text}");
    let elsewhere = directory.path().join("siem.ndjson");
    let lines: Vec<String> = run.events.iter().map(Value::to_string).collect();
    fs::write(&elsewhere, lines.join("\n")).expect("room");
    let against = elsewhere.to_str().expect("UTF-8");
    let key = checkpoint["hostnet"]["health"]["key"].as_str().expect("a key");
    let (code, text) = verify(&history, &["--against", against, "--key", key]);
    assert_eq!(code, 0, "{text}");
    // Wherever it is: a page may still have what was moved elsewhere.
    let mut bytes = fs::read(&history).expect("a file");
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(b"agent-started") {
            bytes[at] = b'A';
        }
    }
    fs::write(&history, bytes).expect("room");
    let (code, text) = verify(&history, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("row 1 (run"), "{text}");
    assert_eq!(verify(&history.with_extension("none"), &[]).0, 2);
}

#[test]
fn a_run_that_is_killed_is_told_by_the_next() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().history(&history).start();
    agent.marker();
    let killed = agent.stop_with(Signal::KILL);
    let last = killed.events.last().expect("it told something");
    let agent = Agent::setup().history(&history).start();
    let crash = agent.expect(&want().action("agent-crashed"));
    let told = &crash["hostnet"]["health"];
    assert_eq!(told["run"], last["agent"]["ephemeral_id"]);
    // The history may have more than was delivered, never less.
    let sequence = |value: &Value| value.as_u64().expect("a number");
    assert!(sequence(&told["sequence"]) >= sequence(&last["event"]["sequence"]), "{crash}");
    assert!(crash["event"]["start"].as_str() < crash["event"]["end"].as_str(), "{crash}");
    let mut second = Command::new(hostnet());
    second.arg("agent").env("STATE_DIRECTORY", directory.path());
    let output = second.output().expect("hostnet can be started");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("written by another agent"), "{message}");
    drop(agent.stop_with(Signal::TERM));
    assert_eq!(verify(&history, &[]).0, 0);
}

/// Nothing happens, and yet it is known that nobody had a port just now; after the agent was
/// killed that is not known any more.
#[test]
fn a_quiet_host_is_known_until_now_while_the_agent_runs() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().history(&history).start();
    agent.marker();
    let port = net::closed_port().to_string();
    let had_port = || {
        let mut command = Command::new(hostnet());
        command.args(["query", "who-had-port", &port, "--at", "now", "--format", "json"]);
        let output = command.arg("--history").arg(&history).output().expect("it can be started");
        let row: Value = serde_json::from_slice(&output.stdout).expect("one row");
        (row["answer"].as_str().expect("an answer").to_owned(), row["why"].to_string())
    };
    wait_for("an answer about this moment", || had_port().0 == "nobody");
    agent.kill();
    let (answer, why) = had_port();
    assert!(answer == "unknown" && why.contains("complete only until"), "{answer}: {why}");
}
