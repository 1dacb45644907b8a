//! Programs that do not look like what they are: other names, other arguments,
//! files that are in no directory.

use std::{
    ffi::{CString, OsStr, OsString},
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::{MetadataExt as _, PermissionsExt as _},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{MemfdFlags, Mode, OFlags, memfd_create},
    thread::UnshareFlags,
};

use crate::{
    Subcommands,
    arguments::{Arguments, from_hex},
    perform,
    processes::own_path,
    truth::tell,
};

pub const SUBCOMMANDS: Subcommands = &[
    ("who-am-i", who_am_i),
    ("overwrite-arguments", overwrite_arguments),
    ("exec-memfd", exec_memfd),
    ("exec-deleted", exec_deleted),
    ("exec-descriptor", exec_descriptor),
    ("exec-link", exec_link),
    ("exec-script", exec_script),
    ("as-script", as_script),
    ("exec-in", exec_in),
    ("exec-outside", exec_outside),
];

/// `who-am-i`: what /proc says of this process, seen from inside.
fn who_am_i(_: &Arguments) {
    let read = |link: &str| fs::read_link(link).expect("/proc is mounted").into_os_string();
    let shown = |path: OsString| path.into_string().unwrap_or_else(|path| format!("{path:?}"));
    let file = fs::metadata("/proc/self/exe").expect("/proc is mounted");
    tell("who-am-i")
        .with("exe", shown(read("/proc/self/exe")))
        .with("inode", file.ino())
        .with("cwd", shown(read("/proc/self/cwd")))
        .send();
}

/// `overwrite-arguments HEX`: puts these bytes where the kernel put the arguments.
fn overwrite_arguments(arguments: &Arguments) {
    let mut bytes = from_hex(arguments.operands()[0]);
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    // proc(5): fields 48 and 49 are where the arguments begin and end; state is field 3.
    let mut places = fields.split_ascii_whitespace().skip(45).map(str::parse::<usize>);
    let mut place = || places.next().expect("Linux 3.5 or newer").expect("an address");
    let (begin, end) = (place(), place());
    bytes.resize(end - begin, 0);
    // SAFETY: the kernel put the arguments there, writable, and the actor reads its
    // own only through copies of the pointers, whose strings still end by the last NUL.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), begin as *mut u8, bytes.len()) };
    let shown = fs::read("/proc/self/cmdline").expect("/proc is mounted");
    assert_eq!(shown, bytes, "the arguments are not where the kernel said");
    tell("overwritten").send();
}

/// `exec-memfd NAME_HEX -- WORDS…`
fn exec_memfd(arguments: &Arguments) {
    let operands = arguments.operands();
    let name = CString::new(from_hex(operands[0])).expect("no NUL inside");
    let memory = memfd_create(&name, MemfdFlags::empty()).expect("Linux 3.17 or newer");
    let mut memory = File::from(memory);
    io::copy(&mut File::open(own_path()).expect("the actor can be read"), &mut memory)
        .expect("room in memory");
    let readable = descriptor_of(Path::new(&format!("/proc/self/fd/{}", memory.as_raw_fd())));
    // What is open for writing cannot be executed.
    drop(memory);
    exec_by_descriptor(&readable, &operands[1..]);
}

/// `exec-deleted PATH_HEX -- WORDS…`
fn exec_deleted(arguments: &Arguments) {
    let operands = arguments.operands();
    let path = copy_to(operands[0]);
    let file = descriptor_of(&path);
    fs::remove_file(&path).expect("our file");
    exec_by_descriptor(&file, &operands[1..]);
}

/// `exec-descriptor PATH_HEX -- WORDS…`
fn exec_descriptor(arguments: &Arguments) {
    let operands = arguments.operands();
    let file = descriptor_of(&copy_to(operands[0]));
    exec_by_descriptor(&file, &operands[1..]);
}

/// `exec-link PATH_HEX -- WORDS…`: PATH becomes a symbolic link.
fn exec_link(arguments: &Arguments) {
    let operands = arguments.operands();
    let path = path(operands[0]);
    std::os::unix::fs::symlink(own_path(), &path).expect("a new name");
    exec(&path, &operands[1..]);
}

/// `exec-script PATH_HEX -- WORDS…`: PATH becomes a script of which this program
/// is the interpreter.
fn exec_script(arguments: &Arguments) {
    let operands = arguments.operands();
    let path = path(operands[0]);
    let text = format!("#!{} as-script\n", own_path().display());
    fs::write(&path, text).expect("a new name");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our file");
    exec(&path, &operands[1..]);
}

/// `as-script PATH WORDS…`: what `exec-script` makes of its words.
fn as_script(arguments: &Arguments) {
    let words = arguments.operands()[1..].iter().map(|word| (*word).to_owned()).collect();
    perform(words, &mut Default::default());
}

/// `exec-in PATH_HEX -- WORDS…`: in that directory, which it makes.
fn exec_in(arguments: &Arguments) {
    let operands = arguments.operands();
    let path = path(operands[0]);
    fs::create_dir_all(&path).expect("a new name");
    std::env::set_current_dir(&path).expect("our directory");
    exec(&own_path(), &operands[1..]);
}

/// `exec-outside -- WORDS…`: from a directory and a file of the mount namespace
/// that it has left.
fn exec_outside(arguments: &Arguments) {
    let file = descriptor_of(&own_path());
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let directory = rustix::fs::open("/tmp", flags, Mode::empty()).expect("a directory");
    // SAFETY: there is one thread, and no file descriptor table is unshared.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.expect("CAP_SYS_ADMIN");
    rustix::process::fchdir(directory.as_fd()).expect("our directory");
    exec_by_descriptor(&file, &arguments.operands());
}

fn path(hex: &OsStr) -> PathBuf {
    OsString::from_vec(from_hex(hex)).into()
}

fn copy_to(hex: &OsStr) -> PathBuf {
    let path = path(hex);
    fs::copy(own_path(), &path).expect("the actor can be copied");
    path
}

/// One that an exec leaves open, so that /proc/self/fd has it.
fn descriptor_of(path: &Path) -> OwnedFd {
    rustix::fs::open(path, OFlags::PATH, Mode::empty()).expect("our file")
}

fn exec_by_descriptor(file: &OwnedFd, words: &[&OsStr]) -> ! {
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    exec(Path::new(OsStr::from_bytes(name.as_bytes())), words)
}

fn exec(path: &Path, words: &[&OsStr]) -> ! {
    let error = Command::new(path).args(words).exec();
    panic!("{}: {error}", path.display());
}
