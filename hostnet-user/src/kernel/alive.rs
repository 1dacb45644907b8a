//! Whether what was put into the kernel is still there: links that nobody has
//! detached, and maps that nobody has emptied.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context, Result};
use hostnet_abi::Hook;

use super::attach::Links;

/// The hooks whose program somebody has detached: their links are there still, but
/// no longer belong to a cgroup. Only links of cgroups can be detached by others
/// (`BPF_LINK_DETACH`, kernel/bpf/cgroup.c, 5.9–7.3).
///
/// # Errors
/// When the links cannot be looked at.
pub(super) fn detached(links: &Links) -> Result<BTreeSet<Hook>> {
    let mut ids = BTreeMap::new();
    for (hook, link) in links {
        ids.insert(link.info().context("a link cannot be asked for its id")?.id(), *hook);
    }
    // The kernel says whose a link is only here (`bpf_cgroup_link_show_fdinfo`).
    let directory = "/proc/self/fdinfo";
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {directory}"))?;
    let mut detached = BTreeSet::new();
    for entry in entries {
        // A descriptor that was closed meanwhile is not one of the links.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        let hook = value("link_id:").and_then(|id| ids.get(&u32::try_from(id).ok()?));
        if let (Some(hook), Some(0)) = (hook, value("cgroup_id:")) {
            detached.insert(*hook);
        }
    }
    Ok(detached)
}
