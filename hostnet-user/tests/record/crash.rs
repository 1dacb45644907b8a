//! Killed at any moment under load: what a sink has is in the history, what is in
//! the history follows from itself, and the next run says that there was no end.
//!
//! `cargo xtask bench --only crash` does it 200 times, by the example `record_crash`.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use hostnet::{
    record::{Reader, Settings, verify},
    sink::file::File,
};

use crate::support::{Run, outbox, settings, wait_for};

const DIRECTORY: &str = "HOSTNET_CRASH_DIRECTORY";

/// Not a test of its own: what is killed.
#[test]
fn victim() {
    be_victim();
}

#[test]
fn killed_at_any_moment() {
    kill(20);
}

/// Keeps and delivers until this process is killed, if it was started for that.
pub fn be_victim() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let file = File::open(&directory.join("events")).expect("a file");
    let mut run = Run::begin(
        Some(roomy(&directory.join("history.db"))),
        vec![(outbox("file"), Box::new(file))],
    );
    run.tell_many(100);
    fs::write(directory.join("begun"), "").expect("room");
    loop {
        run.tell_many(100);
    }
}

/// Kills so many victims one after the other, and says what was kept.
pub fn kill(kills: u64) -> serde_json::Value {
    let directory = tempfile::tempdir().expect("a directory");
    let (history, events) = (directory.path().join("history.db"), directory.path().join("events"));
    let mut file = fs::File::options();
    let mut file = file.create(true).append(true).read(true).open(&events).expect("a file");
    let mut text = Vec::new();
    let (mut kept, mut told_of, mut cursor) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut starts = Vec::new();
    for number in 0..kills {
        starts.push(now_ns());
        let mut victim = Command::new(env::current_exe().expect("/proc is mounted"))
            .args(["--exact", "crash::victim", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program");
        let begun = directory.path().join("begun");
        wait_for("its first events", || begun.exists());
        fs::remove_file(&begun).expect("it is there");
        // Every second one is also killed while it opens a history that was left in use.
        if number % 2 == 0 {
            wait_for("its first row", || {
                let rows = Reader::open(&history).and_then(|reader| reader.page(cursor, 1, 1));
                rows.is_ok_and(|rows| !rows.is_empty())
            });
        }
        // A moment that differs each time.
        std::thread::sleep(Duration::from_micros(number * 7919 % 200_000));
        victim.kill().expect("it runs");
        victim.wait().expect("our child");
        let rows = Reader::open(&history).expect("a history");
        for row in rows.page(cursor, usize::MAX >> 1, usize::MAX).expect("rows") {
            cursor = row.id;
            // Each run that has told anything is told of, once, but for the last and,
            // where that had no time to, those before it.
            if row.action == "agent-crashed" {
                let told: serde_json::Value = serde_json::from_slice(&row.document).expect("JSON");
                let run = told["hostnet"]["health"]["run"].as_str().expect("a run").to_owned();
                assert!(told_of.insert(run), "a crash told twice, after kill {number}");
            }
            kept.insert(row.event_id);
        }
        file.read_to_end(&mut text).expect("readable");
        // A line that it was killed in is nobody's event; the next run begins another.
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(event) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
            let id = event["event"]["id"].as_str().expect("an id");
            assert!(kept.contains(id), "{id} was delivered and not kept, after kill {number}");
        }
        text.clear();
        // All of it takes longer and longer.
        if number % 20 == 0 {
            let good = verify(&history, None, &[]).expect("readable").expect("good");
            assert!(good.never_kept.is_empty());
        }
    }
    let mut last = Run::begin(Some(roomy(&history)), Vec::new());
    last.flush();
    last.stop().expect("nothing is left");
    let good = verify(&history, None, &[]).expect("readable").expect("good");
    assert!(good.never_kept.is_empty());
    // A run that was killed before its first event was kept is none.
    let connection = rusqlite::Connection::open(&history).expect("a database");
    let one = |query| connection.query_row(query, [], |row| row.get::<_, i64>(0)).expect(query);
    let runs = one("SELECT count(DISTINCT run) FROM event");
    let told = one("SELECT count(*) FROM event WHERE action = 'agent-crashed'");
    assert_eq!(told, runs - 1, "{} before the last run", told_of.len());
    assert!(runs.cast_unsigned() >= kills / 2, "{runs} of {kills} runs told anything");
    // Each gap is told as it is, and soon after the start of whoever tells it.
    let mut statement = connection.prepare(
        "WITH kept AS MATERIALIZED (SELECT run, max(sequence) AS last FROM event GROUP BY run) \
         SELECT document->>'$.hostnet.health.sequence', document->>'$.event.end', last \
         FROM event JOIN kept ON kept.run = document->>'$.hostnet.health.run' \
         WHERE action = 'agent-crashed'",
    );
    let statement = statement.as_mut().expect("a query");
    let gaps = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let gaps: Vec<(i64, String, i64)> =
        gaps.expect("rows").map(|gap| gap.expect("a row")).collect();
    assert_eq!(i64::try_from(gaps.len()), Ok(told), "each gap is of a run");
    let mut latest = 0;
    for (last, found, kept) in gaps {
        assert_eq!(last, kept, "the gap begins after the last event that was kept");
        let found: jiff::Timestamp = found.parse().expect("a time");
        let found_ns = u64::try_from(found.as_nanosecond()).expect("after 1970");
        let started = starts.iter().rev().find(|start| **start <= found_ns);
        latest = latest.max(found_ns - started.expect("after the first start"));
    }
    assert!(latest < 3_000_000_000, "a gap was told {latest} ns after the start");
    let rows = one("SELECT count(*) FROM event");
    let latest_ms = latest / 1_000_000;
    serde_json::json!({
        "kills": kills, "runs": runs, "events": rows, "gaps": told, "latest_ms": latest_ms,
    })
}

/// A history that has room for all that every run keeps: what is removed cannot be counted.
fn roomy(path: &Path) -> Settings {
    let mut settings = settings(path);
    settings.limits.bytes = 1 << 35;
    settings
}

fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_nanos()).expect("before 2554")
}
