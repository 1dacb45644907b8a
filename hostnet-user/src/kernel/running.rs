//! Our programs in the kernel, held open to ask how they do; that does not keep them
//! attached.

use std::{
    collections::BTreeMap,
    fs,
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

/// What the kernel says of a program (`bpf_prog_show_fdinfo`, kernel/bpf/syscall.c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often it was skipped, because it would have interrupted itself (since 5.12).
    pub recursion_misses: u64,
    /// How often it ran and how long, nanoseconds; zeros unless the host counts that.
    pub runs: (u64, u64),
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
    /// Asks how it does.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn ask(&self) -> Result<Figures> {
        let path = format!("/proc/self/fdinfo/{}", self.fd.as_raw_fd());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(Figures::read(&text))
    }
}

impl Figures {
    fn read(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
        };
        Self {
            recursion_misses: field("recursion_misses"),
            runs: (field("run_cnt"), field("run_time_ns")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        let text = "pos:\t0\nprog_id:\t7\nrun_time_ns:\t900\nrun_cnt:\t3\nrecursion_misses:\t2\n";
        assert_eq!(Figures::read(text), Figures { recursion_misses: 2, runs: (3, 900) });
        assert_eq!(Figures::read("pos:\t0\n"), Figures::default(), "before 5.12");
    }
}
