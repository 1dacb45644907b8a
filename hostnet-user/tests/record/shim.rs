//! This program's own write(2), pwrite(2), ftruncate(2), fsync(2), fdatasync(2),
//! rename(2) and unlink(2): those on a directory's files are counted, and one of them is
//! not what it seems. Everything else goes to the kernel as ever.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_long, c_void},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// It fails, and nothing was done.
pub const NO_SPACE: u64 = 1;
pub const IO_ERROR: u64 = 2;
/// The process ends before it.
pub const DIE: u64 = 3;
/// The process ends with half of it done; what cannot be halved is done.
pub const DIE_HALFWAY: u64 = 4;
/// The process ends before it, and the log loses what was not synced.
pub const DIE_UNSYNCED: u64 = 5;

pub const DEATHS: [u64; 3] = [DIE, DIE_HALFWAY, DIE_UNSYNCED];

static PLAN: OnceLock<Plan> = OnceLock::new();
static IS_ARMED: AtomicBool = AtomicBool::new(false);

struct Plan {
    directory: PathBuf,
    except: &'static str,
    how: u64,
    at: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The calls so far.
    calls: Vec<&'static str>,
    /// Bytes of each file that are on the disk for good.
    synced: BTreeMap<PathBuf, u64>,
}

/// From now on, call number `at` of those on this directory and its files goes wrong.
pub fn arm(directory: &Path, except: &'static str, how: u64, at: usize) {
    let (directory, seen) = (directory.to_owned(), Mutex::default());
    assert!(PLAN.set(Plan { directory, except, how, at, seen }).is_ok(), "armed once");
    IS_ARMED.store(true, Ordering::SeqCst);
}

/// The calls that were made, with commas.
pub fn disarm() -> String {
    IS_ARMED.store(false, Ordering::SeqCst);
    let plan = PLAN.get().expect("it was armed");
    plan.seen.lock().unwrap_or_else(PoisonError::into_inner).calls.join(",")
}

enum Target<'a> {
    Descriptor(c_int),
    Path(&'a CStr),
}

/// What is to happen to this call.
fn fault(name: &'static str, target: &Target<'_>) -> Option<u64> {
    if !IS_ARMED.load(Ordering::SeqCst) {
        return None;
    }
    let plan = PLAN.get()?;
    let path = match target {
        Target::Descriptor(fd) => std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?,
        Target::Path(path) => Path::new(std::ffi::OsStr::from_bytes(path.to_bytes())).to_owned(),
    };
    if !path.starts_with(&plan.directory) || path.ends_with(plan.except) {
        return None;
    }
    let mut seen = plan.seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.calls.push(name);
    if seen.calls.len() == plan.at {
        if plan.how == DIE_UNSYNCED {
            cut_log(plan, &seen);
        }
        return Some(plan.how);
    }
    if name == "fsync"
        && let Ok(file) = path.metadata()
    {
        seen.synced.insert(path, file.len());
    }
    None
}

/// Of what was appended to SQLite's log, the disk has what was synced.
fn cut_log(plan: &Plan, seen: &Seen) {
    let log = plan.directory.join("history.db-wal");
    let length = seen.synced.get(&log).copied().unwrap_or(0);
    let Ok(path) = std::ffi::CString::new(log.as_os_str().as_bytes()) else { return };
    // SAFETY: a path that lives until the call has returned.
    unsafe { libc::syscall(libc::SYS_truncate, path.as_ptr(), length) };
}

/// Does `whole`, or what the plan says; `half` is what is done of it before a death.
fn act(
    name: &'static str,
    target: &Target<'_>,
    whole: impl Fn() -> c_long,
    half: impl Fn(),
) -> c_long {
    let errno = match fault(name, target) {
        None => return whole(),
        Some(NO_SPACE) => libc::ENOSPC,
        Some(IO_ERROR) => libc::EIO,
        Some(how) => {
            if how == DIE_HALFWAY {
                half();
            }
            // SAFETY: ends the process here and now, as SIGKILL would.
            unsafe { libc::_exit(9) }
        }
    };
    // SAFETY: the calling thread's own errno.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Functions that make the system call, or the half of it.
macro_rules! calls {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty, a $told:literal of $target:expr,
       by $number:ident($($whole:expr),*), half ($($half:expr),*);)*) => {$(
        // SAFETY: the C library's own has the same name and signature.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            // SAFETY: the arguments are those that the C library would have been given,
            // or fewer of the same bytes.
            unsafe {
                let whole = || libc::syscall(libc::$number, $($whole),*);
                let half = || { libc::syscall(libc::$number, $($half),*); };
                act($told, &$target, whole, half) as $result
            }
        }
    )*};
}

calls! {
    write(fd: c_int, from: *const c_void, count: usize) -> isize,
        a "write" of Target::Descriptor(fd),
        by SYS_write(fd, from, count), half (fd, from, count / 2);
    pwrite(fd: c_int, from: *const c_void, count: usize, at: i64) -> isize,
        a "write" of Target::Descriptor(fd),
        by SYS_pwrite64(fd, from, count, at), half (fd, from, count / 2, at);
    pwrite64(fd: c_int, from: *const c_void, count: usize, at: i64) -> isize,
        a "write" of Target::Descriptor(fd),
        by SYS_pwrite64(fd, from, count, at), half (fd, from, count / 2, at);
    ftruncate(fd: c_int, length: i64) -> c_int,
        a "ftruncate" of Target::Descriptor(fd),
        by SYS_ftruncate(fd, length), half (fd, length);
    ftruncate64(fd: c_int, length: i64) -> c_int,
        a "ftruncate" of Target::Descriptor(fd),
        by SYS_ftruncate(fd, length), half (fd, length);
    fsync(fd: c_int) -> c_int,
        a "fsync" of Target::Descriptor(fd), by SYS_fsync(fd), half (fd);
    fdatasync(fd: c_int) -> c_int,
        a "fsync" of Target::Descriptor(fd), by SYS_fdatasync(fd), half (fd);
    rename(from: *const c_char, to: *const c_char) -> c_int,
        a "rename" of Target::Path(CStr::from_ptr(from)),
        by SYS_renameat(libc::AT_FDCWD, from, libc::AT_FDCWD, to),
        half (libc::AT_FDCWD, from, libc::AT_FDCWD, to);
    unlink(path: *const c_char) -> c_int,
        a "unlink" of Target::Path(CStr::from_ptr(path)),
        by SYS_unlinkat(libc::AT_FDCWD, path, 0), half (libc::AT_FDCWD, path, 0);
}
