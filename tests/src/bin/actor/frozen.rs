//! A program on a file system in user space that stops answering (fuse(4)): the actor
//! itself, on a mount that only it sees.
//!
//! The server answers what an exec asks for, until it is stopped. It ends with the program.

use std::{
    env,
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Command,
};

use rustix::{
    fs::{Mode, OFlags},
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::Signal,
    thread::{UnshareFlags, unshare_unsafe},
};

use crate::{arguments::Arguments, processes::own_path, sockets::outcome, truth::tell};

pub const SUBCOMMANDS: crate::Subcommands = &[("on-fuse", on_fuse), ("freeze", freeze)];

/// The server's process id, for the program.
const SERVER: &str = "ACTOR_FUSE_SERVER";

// include/uapi/linux/fuse.h
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const ACCESS: u32 = 34;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
const HEADER: usize = 40;

/// The root directory is the first node of every such file system.
const ROOT: u64 = 1;
const PROGRAM: u64 = 2;

/// `on-fuse DIRECTORY WORDS…`: mounts such a file system there and execs the actor from it.
pub fn on_fuse(arguments: &Arguments) {
    let operands = arguments.operands();
    let directory = operands[0];
    let program = fs::read(own_path()).expect("the actor can be read");
    // SAFETY: the actor has one thread; memory and descriptors stay as they are.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.expect("CAP_SYS_ADMIN");
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).expect("mounts of its own");
    let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let device = device.expect("/dev/fuse");
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let options = CString::new(options).expect("no NUL inside");
    let flags = MountFlags::NODEV | MountFlags::NOSUID;
    mount("actor", directory, "fuse", flags, &*options).expect("a mount");
    // SAFETY: the actor has one thread, so the child may run any code.
    let server = unsafe { libc::fork() };
    outcome(server.into()).expect("fork");
    if server == 0 {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).expect("prctl");
        serve(&device, &program);
        std::process::exit(0);
    }
    drop(device);
    let path = std::path::Path::new(directory).join("program");
    let error = Command::new(path).args(&operands[1..]).env(SERVER, server.to_string()).exec();
    panic!("exec: {error}");
}

/// `freeze`: from now on the file system does not answer. The program has all of itself in
/// memory before that.
pub fn freeze(_: &Arguments) {
    // SAFETY: changes what is kept in memory, and nothing of what is in it.
    outcome(unsafe { libc::mlockall(libc::MCL_CURRENT) }.into()).expect("mlockall");
    let server: i32 = env::var(SERVER).expect("on-fuse").parse().expect("a process id");
    // SAFETY: sends a signal to a child of this process.
    outcome(unsafe { libc::kill(server, libc::SIGSTOP) }.into()).expect("kill");
    tell("freeze").with("pid", std::process::id()).send();
}

fn serve(device: &OwnedFd, program: &[u8]) {
    let mut request = vec![0; 1 << 18];
    loop {
        let length = match rustix::io::read(device, &mut request[..]) {
            Ok(length) => length,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::NOENT) => continue,
            // It was unmounted.
            Err(_gone) => return,
        };
        let (header, body) = request[..length].split_at(HEADER);
        let (kind, node) = (word(header, 4), double(header, 16));
        if let FORGET | BATCH_FORGET | INTERRUPT = kind {
            continue;
        }
        let (error, answer) = match answer(kind, node, body, program) {
            Ok(answer) => (0, answer),
            Err(errno) => (-errno, Vec::new()),
        };
        let length = (16 + answer.len()) as u32;
        let head = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), &header[8..16]].concat();
        // Whoever asked may be gone.
        let _answered: io::Result<usize> =
            rustix::io::write(device, &[head, answer].concat()).map_err(Into::into);
    }
}

fn answer(kind: u32, node: u64, body: &[u8], program: &[u8]) -> Result<Vec<u8>, i32> {
    let attributes = |node: u64| {
        let (mode, size) = match node {
            ROOT => (libc::S_IFDIR | 0o755, 0),
            _ => (libc::S_IFREG | 0o755, program.len() as u64),
        };
        let mut bytes = [0; 88];
        bytes[..8].copy_from_slice(&node.to_ne_bytes());
        bytes[8..16].copy_from_slice(&size.to_ne_bytes());
        bytes[60..64].copy_from_slice(&mode.to_ne_bytes());
        bytes[64..68].copy_from_slice(&1_u32.to_ne_bytes());
        bytes
    };
    match kind {
        INIT => {
            let mut bytes = [0; 64];
            let words: [(usize, u32); 4] = [(0, 7), (4, 31), (8, 1 << 16), (20, 1 << 16)];
            for (at, value) in words {
                bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            }
            Ok(bytes.to_vec())
        }
        LOOKUP if node == ROOT && body == b"program\0" => {
            // Nothing is remembered: neither the name nor the attributes.
            let mut entry = [0; 40];
            entry[..8].copy_from_slice(&PROGRAM.to_ne_bytes());
            Ok([&entry[..], &attributes(PROGRAM)].concat())
        }
        LOOKUP => Err(libc::ENOENT),
        GETATTR => Ok([&[0; 16][..], &attributes(node)].concat()),
        OPEN => Ok(vec![0; 16]),
        READ => {
            let (offset, size) = (double(body, 8) as usize, word(body, 16) as usize);
            let rest = program.get(offset..).unwrap_or_default();
            Ok(rest[..size.min(rest.len())].to_vec())
        }
        RELEASE | FLUSH | ACCESS => Ok(Vec::new()),
        _ => Err(libc::ENOSYS),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn double(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
