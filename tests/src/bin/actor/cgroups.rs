//! Cgroups of the actor's own making, and itself in other cgroups than its own,
//! for containers that may write to the cgroup file system.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use crate::{arguments::Arguments, perform, truth::tell};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("cgroup-make", make), ("cgroup-enter", enter), ("born-in-cgroup", born_in)];

/// `cgroup-make PATH`
fn make(arguments: &Arguments) {
    let result = fs::create_dir(arguments.operands()[0]);
    tell("made-cgroup").result(&result).send();
}

/// `cgroup-enter PATH`: moves itself there. `0` is the process that writes it.
fn enter(arguments: &Arguments) {
    let result = fs::write(Path::new(arguments.operands()[0]).join("cgroup.procs"), "0");
    tell("entered-cgroup").result(&result).send();
}

/// `struct clone_args` (include/uapi/linux/sched.h) as 5.7 had it.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    before_exit_signal: [u64; 3],
    exit_signal: u64,
    before_cgroup: [u64; 5],
    cgroup: u64,
}

/// `born-in-cgroup PATH -- WORDS…`: a child that begins its life there does WORDS.
fn born_in(arguments: &Arguments) {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let operands = arguments.operands();
    let directory: OwnedFd = fs::File::open(operands[0]).expect("a cgroup").into();
    let clone = CloneArguments {
        flags: CLONE_INTO_CGROUP,
        exit_signal: libc::SIGCHLD as u64,
        cgroup: directory.as_raw_fd() as u64,
        ..CloneArguments::default()
    };
    // SAFETY: the kernel reads a structure of the size it is told; as after fork(2),
    // the child has memory of its own, and the actor has one thread.
    let child =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const clone, size_of::<CloneArguments>()) };
    if child == 0 {
        let words = operands[1..].iter().map(|word| (*word).to_owned()).collect();
        perform(words, &mut Default::default());
        std::process::exit(0);
    }
    let result = crate::sockets::outcome(child);
    if result.is_err() {
        tell("cloned").result(&result).send();
        return;
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    let waited = unsafe { libc::waitpid(child as i32, &raw mut status, 0) };
    assert_eq!(i64::from(waited), child, "waitpid: {}", io::Error::last_os_error());
    assert_eq!(status, 0, "the child failed");
    tell("cloned").result(&result).send();
}
