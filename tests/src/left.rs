//! Leaves the events that tests saw where somebody else's validators find them.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    sync::Mutex,
    thread,
};

use crate::{events::Event, paths};

/// One file per test; a second agent of the test goes on in it.
pub fn keep(events: &[Event]) {
    static BEGUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let directory = paths::events_directory();
    fs::create_dir_all(&directory).expect("the events directory can be made");
    let program = std::env::current_exe().expect("/proc is mounted");
    let program = program.file_stem().expect("a file").to_string_lossy();
    let program = program.rsplit_once('-').map_or(&*program, |(name, _)| name);
    let test = thread::current().name().unwrap_or("main").replace("::", "-");
    let name = format!("{program}-{test}.ndjson");
    let first = BEGUN.lock().expect("not poisoned").insert(name.clone());
    let mut options = File::options();
    if first {
        options.write(true).truncate(true);
    } else {
        options.append(true);
    }
    let mut file = options.create(true).open(directory.join(name)).expect("an events file");
    for event in events {
        file.write_all(&event.line).and_then(|()| file.write_all(b"\n")).expect("room");
    }
}
