//! Whether what was put into the kernel is still there: links that nobody has
//! detached.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use hostnet_abi::Hook;

use super::attach::Links;

/// Where each link of the agent is among its descriptors: the only place where the kernel says
/// whose a link is (`bpf_cgroup_link_show_fdinfo`).
#[derive(Debug, Default)]
pub struct Places(BTreeMap<u32, PathBuf>);

/// What the kernel says of a link.
struct Standing {
    id: u32,
    /// 0 once it is detached.
    cgroup: Option<u64>,
}

/// The hooks whose program somebody has detached: their links are there still, but
/// no longer belong to a cgroup. Only links of cgroups can be detached by others
/// (`BPF_LINK_DETACH`, kernel/bpf/cgroup.c, 5.9–7.3).
///
/// # Errors
/// When the links cannot be looked at.
pub(super) fn detached(links: &Links, places: &mut Places) -> Result<BTreeSet<Hook>> {
    let mut detached = BTreeSet::new();
    for (hook, link) in links {
        if !hook.attach_point().starts_with("cgroup/") {
            continue;
        }
        let id = link.info().context("a link cannot be asked for its id")?.id();
        if places.cgroup(id)? == Some(0) {
            detached.insert(*hook);
        }
    }
    Ok(detached)
}

impl Places {
    /// The cgroup that a link belongs to, as far as the kernel says it.
    fn cgroup(&mut self, id: u32) -> Result<Option<u64>> {
        let is_same = |standing: &Standing| standing.id == id;
        let at_its_place = |places: &Self| places.0.get(&id).and_then(|at| Standing::read(at));
        if let Some(standing) = at_its_place(self).filter(is_same) {
            return Ok(standing.cgroup);
        }
        self.find()?;
        Ok(at_its_place(self).filter(is_same).and_then(|standing| standing.cgroup))
    }

    /// Looks at every descriptor.
    fn find(&mut self) -> Result<()> {
        self.0.clear();
        let directory = "/proc/self/fdinfo";
        let entries =
            fs::read_dir(directory).with_context(|| format!("cannot read {directory}"))?;
        for entry in entries {
            let path = entry?.path();
            // A descriptor that was closed meanwhile is not one of the links.
            if let Some(Standing { id, .. }) = Standing::read(&path) {
                self.0.insert(id, path);
            }
        }
        Ok(())
    }
}

impl Standing {
    /// What a descriptor shows; `None` when it is no link.
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        let id = u32::try_from(value("link_id:")?).ok()?;
        Some(Self { id, cgroup: value("cgroup_id:") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(text: &str) -> Option<(u32, Option<u64>)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Standing::read(file.path()).map(|standing| (standing.id, standing.cgroup))
    }

    #[test]
    fn a_descriptor_says_which_link_it_is_and_of_which_cgroup() {
        let cgroup = "pos:\t0\nlink_type:\tcgroup\nlink_id:\t7\ncgroup_id:\t1\n";
        assert_eq!(standing(cgroup), Some((7, Some(1))));
        assert_eq!(standing("link_type:\ttracing\nlink_id:\t8\n"), Some((8, None)));
        assert_eq!(standing("pos:\t0\nmap_id:\t7\n"), None);
    }

    #[test]
    fn a_place_that_is_another_descriptor_by_now_is_looked_for_anew() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "link_id:\t8\ncgroup_id:\t0\n").unwrap();
        let mut places = Places([(7, file.path().to_owned())].into());
        assert_eq!(places.cgroup(7).unwrap(), None);
        assert!(!places.0.contains_key(&7));
    }
}
