//! A log file under Debian's logrotate, in both its ways, and under worse.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use hostnet::sink::file::File;

use crate::{
    skip::skip,
    support::{Run, outbox, wait_for},
};

/// Lines of all files whose name begins with `events`, by their place in the run.
fn lines(directory: &Path) -> (BTreeSet<u64>, u64) {
    let (mut seen, mut torn) = (BTreeSet::new(), 0);
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(b"events") {
            continue;
        }
        for line in fs::read_to_string(entry.path()).expect("a file").lines() {
            match serde_json::from_str::<serde_json::Value>(line) {
                Ok(event) => drop(seen.insert(event["event"]["sequence"].as_u64().expect("one"))),
                Err(_) => torn += 1,
            }
        }
    }
    (seen, torn)
}

/// Rotates while events are written; returns what was told and what is there.
fn rotate(options: &str) -> Option<(u64, BTreeSet<u64>)> {
    let directory = tempfile::tempdir().expect("a directory");
    let events = directory.path().join("events");
    let config = directory.path().join("logrotate.conf");
    let state = directory.path().join("state");
    let text = format!("{} {{\n rotate 100\n nomail\n {options}\n}}\n", events.display());
    fs::write(&config, text).expect("room");
    let sink = File::open(&events).expect("a file");
    let mut run = Run::begin(None, vec![(outbox("file"), Box::new(sink))]);
    for _ in 0..5 {
        run.tell_many(200);
        wait_for("the file", || fs::metadata(&events).is_ok_and(|file| file.len() > 0));
        let mut logrotate = Command::new("logrotate");
        logrotate.arg("--force").arg("--state").arg(&state).arg(&config);
        let Ok(output) = logrotate.output() else {
            skip("no logrotate on this machine");
            return None;
        };
        assert!(output.status.success(), "{output:?}");
    }
    run.tell_many(200);
    let told = run.stop().expect("all was delivered");
    let (seen, torn) = lines(directory.path());
    assert_eq!(torn, 0);
    assert!(directory.path().join("events.5").exists(), "it was rotated");
    assert!(events.exists(), "it is there again");
    Some((told, seen))
}

#[test]
fn a_renamed_file_is_left_for_a_new_one_and_no_line_is_lost() {
    let Some((told, seen)) = rotate("nocreate") else { return };
    assert_eq!(seen, (1..=told).collect());
}

#[test]
fn a_file_that_logrotate_makes_is_used() {
    let Some((told, seen)) = rotate("create 0600") else { return };
    assert_eq!(seen, (1..=told).collect());
}

/// Between its copy and its cut, lines are nobody's: none is written here then.
#[test]
fn a_file_that_is_copied_and_cut_is_gone_on_with_at_its_beginning() {
    let Some((told, seen)) = rotate("copytruncate") else { return };
    let last = seen.last().copied();
    assert_eq!(last, Some(told));
    assert!(seen.len() as u64 >= told / 2, "{} of {told}", seen.len());
}

#[test]
fn a_file_that_is_removed_under_the_writer_comes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let events = directory.path().join("events");
    let sink = File::open(&events).expect("a file");
    let mut run = Run::begin(None, vec![(outbox("file"), Box::new(sink))]);
    run.tell_many(10);
    wait_for("ten lines", || lines(directory.path()).0.len() == 10);
    fs::remove_file(&events).expect("a file");
    run.tell_many(10);
    let told = run.stop().expect("all was delivered");
    let (seen, torn) = lines(directory.path());
    assert_eq!((seen, torn), ((11..=told).collect(), 0));
}

#[test]
fn a_line_that_was_cut_off_stays_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let events = directory.path().join("events");
    fs::write(&events, "{\"half\":").expect("room");
    let sink = File::open(&events).expect("a file");
    let mut run = Run::begin(None, vec![(outbox("file"), Box::new(sink))]);
    run.tell_many(10);
    let told = run.stop().expect("all was delivered");
    let (seen, torn) = lines(directory.path());
    assert_eq!((seen, torn), ((1..=told).collect(), 1));
}
