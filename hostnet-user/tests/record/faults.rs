//! Every write, truncation and removal that SQLite asks of the kernel fails once,
//! and is once the last thing that the process does: before it, or half done.
//!
//! SQLite's own table of system calls is the shim (`sqlite3_vfs.xSetSystemCall`), in a
//! process of its own. `fsync` is not in that table.

use std::{
    collections::BTreeSet,
    env,
    ffi::{c_char, c_int, c_void},
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use hostnet::{
    record::{Reader, verify},
    sink::File,
};
use rusqlite::ffi;

use crate::support::{Run, outbox, settings};

const FAULT: &str = "HOSTNET_FAULT";
const DIRECTORY: &str = "HOSTNET_FAULT_DIRECTORY";

static CALLS: AtomicU64 = AtomicU64::new(0);
static AT: AtomicU64 = AtomicU64::new(0);
static HOW: AtomicU64 = AtomicU64::new(0);

const NO_SPACE: u64 = 1;
const IO_ERROR: u64 = 2;
const DIE: u64 = 3;
const DIE_HALFWAY: u64 = 4;

/// What is to happen to this call.
fn fault() -> Option<u64> {
    let number = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    (number == AT.load(Ordering::Relaxed)).then(|| HOW.load(Ordering::Relaxed))
}

fn fail(how: u64) -> isize {
    if how == DIE || how == DIE_HALFWAY {
        // SAFETY: ends the process here and now, as SIGKILL would.
        unsafe { libc::_exit(9) };
    }
    let errno = if how == NO_SPACE { libc::ENOSPC } else { libc::EIO };
    // SAFETY: the calling thread's own errno.
    unsafe { *libc::__errno_location() = errno };
    -1
}

unsafe extern "C" fn write(fd: c_int, from: *const c_void, count: usize) -> isize {
    // SAFETY: the arguments are those that SQLite would have passed to write(2).
    unsafe {
        match fault() {
            None => libc::write(fd, from, count),
            Some(how) => {
                if how == DIE_HALFWAY {
                    libc::write(fd, from, count / 2);
                }
                fail(how)
            }
        }
    }
}

unsafe extern "C" fn pwrite(fd: c_int, from: *const c_void, count: usize, at: i64) -> isize {
    // SAFETY: the arguments are those that SQLite would have passed to pwrite(2).
    unsafe {
        match fault() {
            None => libc::pwrite(fd, from, count, at),
            Some(how) => {
                if how == DIE_HALFWAY {
                    libc::pwrite(fd, from, count / 2, at);
                }
                fail(how)
            }
        }
    }
}

unsafe extern "C" fn ftruncate(fd: c_int, length: i64) -> c_int {
    match fault() {
        // SAFETY: the arguments are those that SQLite would have passed.
        None => unsafe { libc::ftruncate(fd, length) },
        Some(how) => fail(how) as c_int,
    }
}

unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    match fault() {
        // SAFETY: the argument is the one that SQLite would have passed.
        None => unsafe { libc::unlink(path) },
        Some(how) => fail(how) as c_int,
    }
}

/// Puts the functions above in the place of the C library's.
fn install() {
    let calls: [(&std::ffi::CStr, *const ()); 5] = [
        (c"write", write as *const ()),
        (c"pwrite", pwrite as *const ()),
        (c"pwrite64", pwrite as *const ()),
        (c"ftruncate", ftruncate as *const ()),
        (c"unlink", unlink as *const ()),
    ];
    // SAFETY: the default VFS lives for ever, the functions have the signatures of
    // those they replace, and no database is open yet.
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
        let set = (*vfs).xSetSystemCall.expect("the unix VFS");
        for (name, function) in calls {
            let function = std::mem::transmute::<*const (), ffi::sqlite3_syscall_ptr>(function);
            assert_eq!(set(vfs, name.as_ptr(), function), ffi::SQLITE_OK, "{name:?}");
        }
    }
}

/// Not a test of its own: where the calls fail.
#[test]
fn victim() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let fault = env::var(FAULT).expect("how and when");
    let (how, at) = fault.split_once(':').expect("how and when");
    HOW.store(how.parse().expect("a number"), Ordering::Relaxed);
    AT.store(at.parse().expect("a number"), Ordering::Relaxed);
    install();
    let file = File::open(&directory.join("events")).expect("a file");
    let history = settings(&directory.join("history.db"));
    let mut run = Run::begin(Some(history), vec![(outbox("file"), Box::new(file))]);
    for _ in 0..4 {
        run.tell_many(40);
    }
    let told = run.stop().expect("all was delivered");
    let calls = CALLS.load(Ordering::Relaxed);
    fs::write(directory.join("calls"), format!("{calls} {told}")).expect("room");
}

/// One run with a fault, and one after it without; how many calls the first made.
fn round(how: u64, at: u64) -> u64 {
    let directory = tempfile::tempdir().expect("a directory");
    let status = Command::new(env::current_exe().expect("/proc is mounted"))
        .args(["--exact", "faults::victim", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .env(FAULT, format!("{how}:{at}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("this program");
    let dies = how >= DIE && at > 0;
    let what = format!("call {at} with fault {how}");
    let history = directory.path().join("history.db");
    let text = fs::read_to_string(directory.path().join("events")).unwrap_or_default();
    let delivered: BTreeSet<String> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|event| event["event"]["id"].as_str().expect("an id").to_owned())
        .collect();
    let mut calls = 0;
    if dies {
        // A call that comes later than the last is none.
        assert!(matches!(status.code(), Some(0 | 9)), "{what}: {status}");
    } else {
        assert!(status.success(), "{what}: {status}");
        let counted = fs::read_to_string(directory.path().join("calls")).expect("the counts");
        let (made, told) = counted.split_once(' ').expect("two");
        calls = made.parse().expect("a number");
        assert_eq!(delivered.len(), told.parse::<usize>().expect("a number"), "{what}");
    }
    let run = Run::begin(Some(settings(&history)), Vec::new());
    run.stop().expect("nothing is left");
    let good = verify(&history, None, &[]).expect("readable").expect(&what);
    assert!(good.never_kept.is_empty(), "{what}: {good:?}");
    let rows = Reader::open(&history).expect("a history");
    let rows = rows.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
    let kept: BTreeSet<&str> = rows.iter().map(|row| row.event_id.as_str()).collect();
    let lost = delivered.iter().filter(|id| !kept.contains(id.as_str())).count();
    assert_eq!(lost, 0, "{what}: delivered and not kept");
    calls
}

#[test]
fn every_call_fails_once() {
    let calls = round(NO_SPACE, 0);
    assert!(calls > 20, "{calls} calls: the shim is not in their way");
    for at in 1..=calls {
        round(if at % 2 == 0 { NO_SPACE } else { IO_ERROR }, at);
    }
}

#[test]
fn every_call_is_the_last_once() {
    let calls = round(NO_SPACE, 0);
    for at in 1..=calls {
        round(if at % 2 == 0 { DIE } else { DIE_HALFWAY }, at);
    }
}
