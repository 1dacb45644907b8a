//! Somebody else's eBPF program beside hostnet's: it refuses every IPv4 connect
//! from one cgroup, as a firewall by container does.

use std::{
    fs::{self, File},
    io,
    mem::size_of_val,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::Path,
};

/// The program, attached; dropping it detaches it.
pub struct Denial {
    _link: OwnedFd,
}

// include/uapi/linux/bpf.h
const BPF_PROG_LOAD: i32 = 5;
const BPF_LINK_CREATE: i32 = 28;
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR: u32 = 18;
const BPF_CGROUP_INET4_CONNECT: u32 = 10;

/// `r0 = 0; exit`: zero refuses, with EPERM.
const REFUSE: [u64; 2] = [0x00b7, 0x0095];

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u64; 2],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// The same for `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(Default)]
struct Link {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

impl Denial {
    /// Refuses what processes of the container with this first process connect.
    pub fn of(pid: u32) -> Self {
        let cgroup = File::open(cgroup_of(pid)).expect("the container's cgroup");
        let program = bpf(
            BPF_PROG_LOAD,
            &Load {
                program_type: BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                instructions: REFUSE.len() as u32,
                code: REFUSE.as_ptr() as u64,
                license: c"GPL".as_ptr() as u64,
                attach_type: BPF_CGROUP_INET4_CONNECT,
                ..Load::default()
            },
        );
        let link = bpf(
            BPF_LINK_CREATE,
            &Link {
                program: program.as_raw_fd() as u32,
                target: cgroup.as_raw_fd() as u32,
                attach_type: BPF_CGROUP_INET4_CONNECT,
                flags: 0,
            },
        );
        Self { _link: link }
    }
}

fn bpf<T>(command: i32, attributes: &T) -> OwnedFd {
    // SAFETY: the attributes, and what they point to, outlive the call, and it is
    // told how long they are.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of_val(attributes)) };
    assert!(descriptor >= 0, "bpf({command}): {}", io::Error::last_os_error());
    // SAFETY: the kernel has just given it to us.
    unsafe { OwnedFd::from_raw_fd(descriptor as i32) }
}

/// The directory of a process's v2 cgroup.
fn cgroup_of(pid: u32) -> std::path::PathBuf {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a process");
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).expect("a v2 cgroup");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let v2 = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then_some(at)
    });
    Path::new(v2.expect("cgroup v2 is mounted")).join(path)
}
