//! Every write, truncation, fsync, rename and removal by which the record changes its
//! files fails once, and is once the last thing that the process does: before it, half
//! done, or with all lost that was not synced until then.
//!
//! The shim is this program's own definition of these functions, which stands before
//! the C library's for SQLite as for Rust's standard library. What goes wrong, goes
//! wrong in a process of its own.

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hostnet::{
    record::{Reader, Settings, checkpoint::ACTION as CHECKPOINT, verify},
    sink::file::File,
};

use crate::{
    shim,
    support::{Run, outbox, settings, wait_for},
};

const FAULT: &str = "HOSTNET_FAULT";
const DIRECTORY: &str = "HOSTNET_FAULT_DIRECTORY";

/// A history that signs what it tells at once.
fn history(directory: &Path) -> Settings {
    let checkpoint_every = Duration::ZERO;
    Settings { checkpoint_every, ..settings(&directory.join("history.db")) }
}

/// Not a test of its own: where the calls fail.
#[test]
fn victim() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let fault = env::var(FAULT).expect("how and when");
    let (how, at) = fault.split_once(':').expect("how and when");
    let (how, at) = (how.parse().expect("a number"), at.parse().expect("a number"));
    let file = File::open(&directory.join("events")).expect("a file");
    shim::arm(directory, "events", how, at);
    let mut run = Run::begin(Some(history(directory)), vec![(outbox("file"), Box::new(file))]);
    for _ in 0..4 {
        run.tell_many(40);
    }
    wait_for("a checkpoint", || {
        run.flush();
        fs::read_to_string(directory.join("events")).is_ok_and(|text| text.contains(CHECKPOINT))
    });
    let told = run.stop().expect("all was delivered");
    let calls = shim::disarm();
    fs::write(directory.join("calls"), format!("{calls} {told}")).expect("room");
}

/// What was in the history's place before.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// No database: it is put aside.
    Damage,
}

/// One run with a fault, and one after it without; which calls the first made.
fn round(before: Before, how: u64, at: u64) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    if let Before::Damage = before {
        fs::write(directory.join("history.db"), [b'x'; 9000]).expect("room");
    }
    let status = Command::new(env::current_exe().expect("/proc is mounted"))
        .args(["--exact", "faults::victim", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FAULT, format!("{how}:{at}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("this program");
    let dies = shim::DEATHS.contains(&how) && at > 0;
    let what = format!("call {at} with fault {how} after {before:?}");
    let path = history(directory).path;
    let text = fs::read_to_string(directory.join("events")).unwrap_or_default();
    let events = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let delivered: BTreeSet<(u64, String)> = events
        .map(|event: serde_json::Value| {
            let id = event["event"]["id"].as_str().expect("an id").to_owned();
            (event["event"]["sequence"].as_u64().expect("a number"), id)
        })
        .collect();
    let mut calls = Vec::new();
    if dies {
        // A call that comes later than the last is none.
        assert!(matches!(status.code(), Some(0 | 9)), "{what}: {status}");
    } else {
        assert!(status.success(), "{what}: {status}");
        let counted = fs::read_to_string(directory.join("calls")).expect("the counts");
        let (made, told) = counted.split_once(' ').expect("two");
        calls = made.split(',').map(str::to_owned).collect();
        assert_eq!(delivered.len(), told.parse::<usize>().expect("a number"), "{what}");
    }
    let run = Run::begin(Some(history(directory)), Vec::new());
    run.stop().expect("nothing is left");
    let good = verify(&path, None, &[]).expect("readable").expect(&what);
    assert!(good.never_kept.is_empty(), "{what}: {good:?}");
    let rows = Reader::open(&path).expect("a history");
    let rows = rows.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
    let kept: BTreeSet<&str> = rows.iter().map(|row| row.event_id.as_str()).collect();
    let lost: Vec<u64> = delivered
        .iter()
        .filter(|(_, id)| !kept.contains(id.as_str()))
        .map(|(sequence, _)| *sequence)
        .collect();
    if how != shim::DIE_UNSYNCED {
        assert!(lost.is_empty(), "{what}: delivered and not kept: {lost:?}");
    } else if let Some(first) = lost.first() {
        // A power cut takes a tail, and the next run says where the last one ended.
        let last = delivered.last().expect("some were lost").0;
        assert_eq!(lost, (*first..=last).collect::<Vec<_>>(), "{what}: a hole, not a tail");
        let told = rows.iter().filter(|row| row.action == "agent-crashed").count();
        assert_eq!(told, usize::from(*first > 1), "{what}: the end of the first run");
    }
    if let Before::Damage = before {
        let aside = fs::read_dir(directory).expect("a directory").flatten().filter(|entry| {
            entry.file_name().to_str().is_some_and(|name| name.contains(".corrupt-"))
        });
        assert_eq!(aside.count(), 1, "{what}: what was found is kept");
    }
    calls
}

/// Plays `rounds` of the given faults, a few at a time: most of a round is waiting.
fn rounds(before: Before, faults: &[u64]) {
    let calls = round(before, shim::NO_SPACE, 0);
    let made: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
    for name in ["write", "fsync", "rename", "unlink", "ftruncate"] {
        assert!(made.contains(name), "{name} is not among {made:?}: the shim is not in its way");
    }
    let next = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at > calls.len() as u64 {
                        break;
                    }
                    round(before, faults[at as usize % faults.len()], at);
                }
            });
        }
    });
}

#[test]
fn every_call_fails_once() {
    rounds(Before::Nothing, &[shim::NO_SPACE, shim::IO_ERROR]);
    rounds(Before::Damage, &[shim::IO_ERROR]);
}

#[test]
fn every_call_is_the_last_once() {
    rounds(Before::Nothing, &[shim::DIE]);
    rounds(Before::Nothing, &[shim::DIE_HALFWAY]);
    rounds(Before::Damage, &[shim::DIE, shim::DIE_HALFWAY]);
}

#[test]
fn a_power_cut_takes_a_tail_at_most() {
    rounds(Before::Nothing, &[shim::DIE_UNSYNCED]);
}
