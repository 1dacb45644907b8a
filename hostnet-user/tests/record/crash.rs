//! Killed at any moment under load: what a sink has is in the history, what is in
//! the history follows from itself, and the next run says that there was no end.
//!
//! `HOSTNET_KILLS=500 cargo test -p hostnet-user --test record crash` for a long run.

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use hostnet::{
    record::{Reader, verify},
    sink::File,
};

use crate::support::{Run, outbox, settings, wait_for};

const DIRECTORY: &str = "HOSTNET_CRASH_DIRECTORY";

/// Not a test of its own: what is killed.
#[test]
fn victim() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let file = File::open(&directory.join("events")).expect("a file");
    let history = settings(&directory.join("history.db"));
    let mut run = Run::begin(Some(history), vec![(outbox("file"), Box::new(file))]);
    loop {
        run.tell_many(100);
    }
}

#[test]
fn killed_at_any_moment() {
    let kills = env::var("HOSTNET_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let directory = tempfile::tempdir().expect("a directory");
    let (history, events) = (directory.path().join("history.db"), directory.path().join("events"));
    let (mut before, mut told_of) = (0, 0);
    for number in 0..kills {
        let mut victim = Command::new(env::current_exe().expect("/proc is mounted"))
            .args(["--exact", "crash::victim", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program");
        wait_for("its first events", || {
            fs::metadata(&events).is_ok_and(|metadata| metadata.len() > before)
        });
        // A moment that differs each time.
        std::thread::sleep(Duration::from_micros(number * 7919 % 60_000));
        victim.kill().expect("it runs");
        victim.wait().expect("our child");
        let text = fs::read(&events).expect("a file");
        before = text.len() as u64;
        // A line that it was killed in is nobody's event; the next run begins another.
        let lines = text.split(|byte| *byte == b'\n');
        let delivered: BTreeSet<String> = lines
            .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
            .map(|event| event["event"]["id"].as_str().expect("an id").to_owned())
            .collect();
        let good = verify(&history, None, &[]).expect("readable").expect("good");
        assert!(good.never_kept.is_empty());
        let rows = Reader::open(&history).expect("a history");
        let rows = rows.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
        let kept: BTreeSet<&str> = rows.iter().map(|row| row.event_id.as_str()).collect();
        let lost = delivered.iter().filter(|id| !kept.contains(id.as_str())).count();
        assert_eq!(lost, 0, "delivered and not kept, after kill {number}");
        // Each run that has told anything was told of, once, but for the last and,
        // where that had no time to, those before it.
        let runs: BTreeSet<String> = rows
            .iter()
            .filter(|row| row.action == "agent-crashed")
            .map(|row| {
                let told: serde_json::Value = serde_json::from_slice(&row.document).expect("JSON");
                told["hostnet"]["health"]["run"].as_str().expect("a run").to_owned()
            })
            .collect();
        let crashes = rows.iter().filter(|row| row.action == "agent-crashed").count();
        assert_eq!(crashes, runs.len(), "a crash told twice, after kill {number}");
        told_of = runs.len();
    }
    let mut last = Run::begin(Some(settings(&history)), Vec::new());
    last.flush();
    last.stop().expect("nothing is left");
    // A run that was killed before its first event was kept is none.
    let connection = rusqlite::Connection::open(&history).expect("a database");
    let one = |query| connection.query_row(query, [], |row| row.get::<_, i64>(0)).expect(query);
    let runs = one("SELECT count(DISTINCT run) FROM event");
    let told = one("SELECT count(*) FROM event WHERE action = 'agent-crashed'");
    assert_eq!(told, runs - 1, "{told_of} before the last run");
    assert!(runs > 2, "{runs} of {kills} runs told anything");
}
