//! Our programs in the kernel, held open to ask how they do; that does not keep them
//! attached.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use aya::programs::loaded_programs;
use hostnet_abi::Hook;

use super::attach::Links;

/// A program.
pub struct Running {
    /// Where it is attached.
    pub hook: Hook,
    fd: OwnedFd,
}

/// What the kernel says of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often it was skipped, because it would have interrupted itself (since 5.12).
    pub recursion_misses: u64,
    /// How often it ran and how long, nanoseconds; zeros unless the host counts that.
    pub runs: (u64, u64),
}

/// `struct bpf_prog_info` up to what is read here (include/uapi/linux/bpf.h; 5.10–7.3). A
/// kernel that knows less leaves the rest as it is; lengths that are 0 ask for nothing.
#[repr(C)]
#[derive(Default)]
struct Info {
    others: [u64; 24],
    run_time_ns: u64,
    run_cnt: u64,
    recursion_misses: u64,
}

/// The programs of these links.
///
/// # Errors
/// When a link cannot be asked for its program.
pub fn programs(links: &Links) -> Result<Vec<Running>> {
    let mut hooks = BTreeMap::new();
    for (hook, link) in links {
        hooks.insert(link.info()?.program_id(), *hook);
    }
    let mut programs = Vec::new();
    for program in loaded_programs().filter_map(Result::ok) {
        if let Some(hook) = hooks.remove(&program.id()) {
            programs.push(Running { hook, fd: program.fd()?.as_fd().try_clone_to_owned()? });
        }
    }
    Ok(programs)
}

impl Running {
    /// Asks how it does: one system call, where its descriptor's entry in /proc takes eight.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn ask(&self) -> Result<Figures> {
        // `enum bpf_cmd`, and `union bpf_attr` as far as it is read.
        const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
        #[repr(C)]
        struct Attribute {
            fd: libc::c_int,
            info_len: u32,
            info: u64,
        }
        let mut info = Info::default();
        let attribute = Attribute {
            fd: self.fd.as_raw_fd(),
            info_len: size_of::<Info>() as u32,
            info: (&raw mut info).expose_provenance() as u64,
        };
        // SAFETY: both are as long as is said, and live until the call returns.
        let result = unsafe {
            let attribute = &raw const attribute;
            libc::syscall(libc::SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, attribute, size_of::<Attribute>())
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            return Err(error).context("an eBPF program cannot be asked how it does");
        }
        Ok(Figures {
            recursion_misses: info.recursion_misses,
            runs: (info.run_cnt, info.run_time_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_where_the_kernel_has_them() {
        assert_eq!(std::mem::offset_of!(Info, run_time_ns), 192);
        assert_eq!(std::mem::offset_of!(Info, recursion_misses), 208);
    }

    #[test]
    fn what_is_no_program_has_no_figures() {
        let fd = std::fs::File::open("/dev/null").unwrap().into();
        let running = Running { hook: Hook::Bind4, fd };
        running.ask().unwrap_err();
    }
}
