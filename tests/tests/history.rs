//! The agent's history on a real host: kept, verified, and true after a kill.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use hostnet_tests::{
    Actor, Agent, Docker, Run, at,
    glance::Glance,
    hostnet, needs_root, net,
    numbers::{number, page_that},
    patience, skip, wait_for, want,
    watch::{Watch, taken},
};
use rustix::{
    process::Signal,
    time::{ClockId, Timespec, clock_gettime, clock_settime},
};
use serde_json::Value;
use tempfile::TempDir;

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

/// What the history of these tests may take, and what it takes at any moment at most.
const LIMIT: u64 = 32 << 20;
const MOST: u64 = LIMIT + LIMIT / 10;

/// An agent that reports all of a load, with a history that has no room for it.
struct Small {
    agent: Agent,
    directory: TempDir,
}

impl Small {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let small = |name| directory.path().join(name);
        let observe = format!(
            "events_per_second = 0\n[metrics]\nlisten = \"unix:{}\"\n",
            small("metrics.sock").display()
        );
        let agent = Agent::setup()
            .history(&small("state/history.db"))
            .keep("max_mib = 32")
            .observe(&observe)
            .divert_lines(of_load)
            .start();
        Self { agent, directory }
    }

    fn history(&self) -> PathBuf {
        self.directory.path().join("state/history.db")
    }

    /// Begins to look at what its directory takes.
    fn watch(&self) -> Watch {
        let directory = self.history().parent().expect("a directory").to_owned();
        Watch::of(move || taken(&directory))
    }

    fn page_that(&self, fact: impl FnMut(&str) -> bool) -> String {
        page_that(&self.directory.path().join("metrics.sock"), fact)
    }

    /// Acts until the page shows `fact`.
    fn load(&self, actor: &mut Actor, fact: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + 3 * patience();
        loop {
            actor.one("marks 500 --times 10000");
            let page = self.page_that(|_| true);
            if fact(&page) {
                return page;
            }
            assert!(Instant::now() < deadline, "{page}");
        }
    }

    /// The page once all that was reported is kept, or counted as not kept.
    fn settled(&self) -> String {
        self.agent.marker();
        self.page_that(|page| {
            number(page, WRITABLE) == 1
                && number(page, KEPT) + number(page, NOT_KEPT) == number(page, REPORTED)
        })
    }

    /// Ends it, and checks what is left. A load may have been more than the rings hold.
    fn stop(self) -> (Run, TempDir) {
        let history = self.history();
        let run = self.agent.stop_with(Signal::TERM);
        assert_eq!(run.code(), Some(0), "{}", run.messages);
        let (code, text) = verify(&history, &[]);
        assert_eq!(code, 0, "{text}");
        let taken = taken(history.parent().expect("a directory"));
        assert!(taken <= LIMIT, "{taken} bytes of {LIMIT} once it is closed");
        (run, self.directory)
    }
}

const WRITABLE: &str = "hostnet_history_writable";
const KEPT: &str = "hostnet_history_kept_total";
const NOT_KEPT: &str = "hostnet_history_not_kept_total";
const REPORTED: &str = "hostnet_told_total";
const PURGED: &str = "hostnet_history_purged_total{reason=\"bytes\"}";

/// The sequence of a connect of the load.
fn of_load(line: &[u8]) -> Option<u64> {
    let event: Glance<'_> = serde_json::from_slice(line).ok()?;
    let is_of_load =
        event.event.action == "connection_attempted" && event.hostnet.remote.port == Some(7);
    is_of_load.then_some(event.event.sequence?)
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn sum(run: &Run, action: &str, count: impl Fn(&Value) -> u64) -> u64 {
    run.all(&want().action(action)).into_iter().map(count).sum()
}

/// Events that an event says are missing.
fn lost(event: &Value) -> u64 {
    at(event, "hostnet.loss.count").and_then(Value::as_u64).unwrap_or(0)
}

#[test]
fn a_history_under_load_keeps_to_its_limit_and_says_so_in_numbers() {
    needs_root!();
    let (began, small) = (seconds_since_1970(), Small::start());
    let watch = small.watch();
    let mut actor = Docker::shared().launch("host").actor();
    // More than it has room for, several times.
    small.load(&mut actor, |page| number(page, PURGED) > 15_000);
    let page = small.settled();
    let most = watch.most();
    assert!(most > LIMIT / 2, "{most} bytes: it was no load");
    assert!(most <= MOST, "{most} bytes of {LIMIT}");
    assert_eq!(number(&page, "hostnet_history_limit_bytes"), LIMIT);
    let part = |part| number(&page, &format!("hostnet_history_size_bytes{{part=\"{part}\"}}"));
    assert!(part("used") > LIMIT / 4, "{page}");
    assert!(part("used") + part("free") + part("log") <= MOST, "{page}");
    let oldest = number(&page, "hostnet_history_oldest_timestamp_seconds");
    assert!((began..=seconds_since_1970()).contains(&oldest), "{oldest}: {page}");
    let not_kept = number(&page, NOT_KEPT);
    let (run, _directory) = small.stop();
    assert_eq!(sum(&run, "history-recovered", lost), not_kept);
    let purged = sum(&run, "history-purged", |event| {
        let row = |row| event["hostnet"]["health"][row].as_u64().expect("a row");
        row("last") + 1 - row("first")
    });
    assert!(purged >= number(&page, PURGED), "{purged} rows were reported as purged: {page}");
}

/// A reader keeps the history from being made smaller. What has no room then is reported
/// and counted, and the disk does not fill.
#[test]
fn a_reader_that_stays_costs_events_that_are_counted_and_no_disk() {
    needs_root!();
    let small = Small::start();
    let watch = small.watch();
    let mut actor = Docker::shared().launch("host").actor();
    let reader = rusqlite::Connection::open(small.history()).expect("a database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").expect("it reads");
    // More than the history and memory have room for.
    let page = small.load(&mut actor, |page| number(page, NOT_KEPT) > 0);
    assert_eq!(number(&page, WRITABLE), 0, "{page}");
    let failed = small.agent.expect(&want().action("history-failed"));
    let why = failed["message"].as_str().unwrap_or_default();
    assert!(why.contains("somebody who reads it"), "{failed}");
    drop(reader);
    small.agent.expect(&want().action("history-recovered"));
    let page = small.settled();
    let most = watch.most();
    assert!(most <= MOST, "{most} bytes of {LIMIT}");
    let (run, _directory) = small.stop();
    let not_kept = number(&page, NOT_KEPT);
    assert_eq!(sum(&run, "history-recovered", lost), not_kept);
}

/// Sets the wall clock, and puts it right when it is dropped.
struct Clock {
    right: Timespec,
    since: Instant,
}

impl Clock {
    /// The machine's, where nobody else reads it.
    fn ours() -> Option<Self> {
        let is_ours = std::env::var_os("HOSTNET_TESTS_MAY_SET_CLOCK").is_some();
        if !is_ours {
            skip("the clock is not this test's alone to set (cargo xtask vm)");
            return None;
        }
        Some(Self { right: clock_gettime(ClockId::Realtime), since: Instant::now() })
    }

    /// Sets it so many days beside what it should be.
    fn set(&self, days: i64) {
        let passed = self.since.elapsed().as_secs().cast_signed();
        let right = Timespec { tv_sec: self.right.tv_sec + passed, ..self.right };
        let wrong = Timespec { tv_sec: right.tv_sec + days * 86_400, ..right };
        clock_settime(ClockId::Realtime, wrong).expect("root may set it");
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// One run with a history of a day, whose clock is set while it goes on; how many events
/// were reported.
fn with_clock(directory: &Path, clock: &Clock, at_start: i64, then: &[i64]) -> u64 {
    let socket = directory.join("metrics.sock");
    let observe = format!("[metrics]\nlisten = \"unix:{}\"\n", socket.display());
    clock.set(at_start);
    let agent = Agent::setup()
        .history(&directory.join("history.db"))
        .keep("max_age_days = 1")
        .observe(&observe)
        .start();
    // The writer has looked at the clock, and for what is too old, when the page has what
    // came after it was set.
    let looked = || {
        agent.marker();
        let mut reported = 0;
        page_that(&socket, |page| {
            let now = number(page, REPORTED);
            reported = if reported == 0 { now } else { reported };
            number(page, KEPT) >= reported
        })
    };
    looked();
    for days in then {
        let before = agent.count(&want().action("clock-stepped"));
        clock.set(*days);
        agent.expect_many(before + 1, &want().action("clock-stepped"));
        looked();
    }
    let page = looked();
    assert_eq!(number(&page, NOT_KEPT), 0, "{page}");
    let run = agent.stop_with(Signal::TERM);
    assert_eq!(run.code(), Some(0), "{}", run.messages);
    run.none(&want().action("history-purged"));
    let last = run.events.last().expect("it reported something");
    last["event"]["sequence"].as_u64().expect("a number")
}

/// A wall clock that jumps ahead or back, or is wrong when the agent starts, is no reason
/// to remove anything.
#[test]
fn a_clock_that_is_wrong_removes_and_hides_nothing() {
    needs_root!();
    let Some(clock) = Clock::ours() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let with_clock = |at_start, then: &[i64]| with_clock(directory.path(), &clock, at_start, then);
    let mut rows = with_clock(0, &[40, 0, -40, 0]);
    // Ahead at the start, and back in 1970, as without a battery.
    rows += with_clock(400, &[0]);
    let since_1970 = (clock.right.tv_sec / 86_400) - 1;
    rows += with_clock(-since_1970, &[0]);
    let (code, text) = verify(&directory.path().join("history.db"), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("{rows} rows (1 to {rows}) of 3 runs")), "{rows}: {text}");
}
