//! How often each eBPF program in this kernel ran, and for how many instructions: the kernel
//! counts that in nanoseconds once it is asked to, and here a nanosecond is an instruction.

use std::{
    fs,
    os::fd::{AsRawFd as _, RawFd},
};

use hostnet_tests::bpf;

/// A program's figures since it was loaded, or since the last look.
#[derive(Clone, Debug)]
pub struct Program {
    pub id: u32,
    /// As the kernel keeps it: at most 15 characters.
    pub name: String,
    pub runs: u64,
    pub instructions: u64,
}

/// Makes the kernel count (`kernel.bpf_stats_enabled`, kernel/bpf/syscall.c).
pub fn count() {
    set_counting("1");
}

/// Ends that.
pub fn count_no_more() {
    set_counting("0");
}

fn set_counting(to: &str) {
    fs::write("/proc/sys/kernel/bpf_stats_enabled", to).expect("this kernel counts runs");
}

/// All programs, by id.
pub fn all() -> Vec<Program> {
    let mut programs = Vec::new();
    let mut last = 0;
    while let Some(id) = next(last) {
        programs.push(of(id));
        last = id;
    }
    programs
}

/// What programs did since `before`; those that did not run are left out.
pub fn since(before: &[Program]) -> Vec<Program> {
    let mut now = all();
    for program in &mut now {
        if let Some(old) = before.iter().find(|old| old.id == program.id) {
            program.runs -= old.runs;
            program.instructions -= old.instructions;
        }
    }
    now.retain(|program| program.runs > 0);
    now
}

// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_PROG_GET_NEXT_ID: i32 = 11;
const BPF_PROG_GET_FD_BY_ID: i32 = 13;
const BPF_OBJ_GET_INFO_BY_FD: i32 = 15;

/// `union bpf_attr` of the two commands about ids.
#[repr(C)]
#[derive(Default)]
struct Id {
    id: u32,
    next: u32,
    flags: u32,
}

/// `union bpf_attr` of the command about information.
#[repr(C)]
struct Ask {
    fd: RawFd,
    size: u32,
    info: u64,
}

/// `struct bpf_prog_info` up to what is read here (include/uapi/linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct Info {
    before_name: [u64; 8],
    name: [u8; 16],
    after_name: [u64; 14],
    run_time_ns: u64,
    run_cnt: u64,
}

fn next(id: u32) -> Option<u32> {
    let mut attribute = Id { id, ..Id::default() };
    match bpf::call(BPF_PROG_GET_NEXT_ID, &mut attribute) {
        Ok(_) => Some(attribute.next),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => None,
        Err(error) => panic!("programs cannot be listed: {error}"),
    }
}

fn of(id: u32) -> Program {
    let mut id_of = Id { id, ..Id::default() };
    let fd = bpf::open(BPF_PROG_GET_FD_BY_ID, &mut id_of).expect("it is loaded");
    let mut info = Info::default();
    let mut ask = Ask {
        fd: fd.as_raw_fd(),
        size: size_of::<Info>() as u32,
        info: (&raw mut info).expose_provenance() as u64,
    };
    bpf::call(BPF_OBJ_GET_INFO_BY_FD, &mut ask).expect("it is known");
    let name: Vec<u8> = info.name.iter().copied().take_while(|byte| *byte != 0).collect();
    Program {
        id,
        name: String::from_utf8(name).expect("names are ASCII"),
        runs: info.run_cnt,
        instructions: info.run_time_ns,
    }
}
