//! Somebody else's eBPF program beside hostnet's, at one cgroup: it refuses every IPv4
//! connect, as a firewall by container does, or drops all TCP.

use std::{
    fs::File,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use crate::{bpf, cgroups};

/// The program, attached; dropping it detaches it.
pub struct Denial {
    _link: OwnedFd,
}

// include/uapi/linux/bpf.h
const BPF_PROG_LOAD: i32 = 5;
const BPF_LINK_CREATE: i32 = 28;
const BPF_PROG_TYPE_CGROUP_SKB: u32 = 8;
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR: u32 = 18;
const BPF_CGROUP_INET_EGRESS: u32 = 1;
const BPF_CGROUP_INET4_CONNECT: u32 = 10;

/// `r0 = 0; exit`: zero refuses, with EPERM.
const REFUSE: [u64; 2] = [0x00b7, 0x0095];

/// Drops a packet of TCP, of IPv4 or of IPv6, and lets others pass. Programs of this type
/// have no instruction that reads a packet (`may_access_skb`, kernel/bpf/verifier.c), but
/// a helper: `bpf_skb_load_bytes`.
const DROP_TCP: [u64; 22] = [
    0x16bf,                     // r6 = r1
    0x02b7,                     // r2 = 0
    0xa3bf,                     // r3 = r10
    0x0307 | 0xffff_fff8 << 32, // r3 -= 8
    0x04b7 | 1 << 32,           // r4 = 1
    0x0085 | 26 << 32,          // load_bytes(r1, r2, r3, r4)
    0xa071 | 0xfff8 << 16,      // r0 = the byte there
    0x0077 | 4 << 32,           // r0 >>= 4
    0x02b7 | 9 << 32,           // r2 = 9: the protocol of IPv4
    0x0055 | 1 << 16 | 6 << 32, // if r0 != 6 skip
    0x02b7 | 6 << 32,           // r2 = 6: that of IPv6
    0x61bf,                     // r1 = r6
    0xa3bf,                     // r3 = r10
    0x0307 | 0xffff_fff8 << 32, // r3 -= 8
    0x04b7 | 1 << 32,           // r4 = 1
    0x0085 | 26 << 32,          // load_bytes(r1, r2, r3, r4)
    0xa071 | 0xfff8 << 16,      // r0 = the byte there
    0x0015 | 2 << 16 | 6 << 32, // if r0 == IPPROTO_TCP goto drop
    0x00b7 | 1 << 32,           // r0 = 1
    0x0095,                     // exit
    0x00b7,                     // drop: r0 = 0
    0x0095,                     // exit
];

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
        let how = (BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT);
        Self::attached(&cgroups::directory(&cgroups::root(), &cgroups::path_of(pid)), how, &REFUSE)
    }

    /// Drops what processes in the cgroup at this directory send by TCP.
    pub fn of_tcp(cgroup: &Path) -> Self {
        Self::attached(cgroup, (BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS), &DROP_TCP)
    }

    fn attached(cgroup: &Path, (program_type, attach_type): (u32, u32), code: &[u64]) -> Self {
        let cgroup = File::open(cgroup).expect("a cgroup");
        let program = bpf::open(
            BPF_PROG_LOAD,
            &mut Load {
                program_type,
                instructions: code.len() as u32,
                code: code.as_ptr() as u64,
                license: c"GPL".as_ptr() as u64,
                attach_type,
                ..Load::default()
            },
        )
        .expect("it can be loaded");
        let link = bpf::open(
            BPF_LINK_CREATE,
            &mut Link {
                program: program.as_raw_fd() as u32,
                target: cgroup.as_raw_fd() as u32,
                attach_type,
                flags: 0,
            },
        )
        .expect("it can be attached");
        Self { _link: link }
    }
}
