//! What a process may do, as the kernel has it: /proc/PID/status and the namespaces
//! that give its capabilities their reach.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
};

use rustix::thread::CapabilitySet;
use serde::{Serialize, Serializer};

use crate::{sources::procfs::namespace, text::text};

/// Any process of the kernel's own: its namespaces are the host's.
const KTHREADD: u32 = 2;

/// What a process may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Privileges {
    /// Effective user id, as the host counts.
    pub uid: u32,
    /// Effective group id and the supplementary ones, as the host counts.
    #[serde(skip)]
    pub groups: Vec<u32>,
    /// Effective capabilities.
    #[serde(serialize_with = "names_of")]
    pub capabilities: CapabilityBits,
    /// Its user namespace is not the host's: its capabilities are nothing to the
    /// host's network.
    pub own_user_namespace: bool,
    /// Its process ids are the host's.
    pub host_pids: bool,
    /// Its mounts are the host's.
    pub host_mounts: bool,
    /// A filter decides about its system calls.
    pub seccomp: bool,
    /// It cannot gain privileges by running a program.
    pub no_new_privileges: bool,
}

/// Capabilities as the kernel's bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilityBits(pub u64);

impl CapabilityBits {
    /// Whether all of `wanted` are among them.
    #[must_use]
    pub fn has(self, wanted: CapabilitySet) -> bool {
        CapabilitySet::from_bits_retain(self.0).contains(wanted)
    }

    /// Their names, such as `CAP_NET_ADMIN`.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let set = CapabilitySet::from_bits_retain(self.0);
        set.iter_names().map(|(name, _)| format!("CAP_{name}")).collect()
    }
}

fn names_of<S: Serializer>(bits: &CapabilityBits, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(bits.names())
}

impl Privileges {
    /// Those that count in the host's network namespace.
    #[must_use]
    pub fn on_host(&self) -> CapabilityBits {
        if self.own_user_namespace { CapabilityBits::default() } else { self.capabilities }
    }

    /// Whether the host takes it for root.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether it may write to a file of the host's, for a socket: connect to it.
    #[must_use]
    pub fn may_write(&self, file: &Metadata) -> bool {
        let mode = file.mode();
        if self.is_root() || self.on_host().has(CapabilitySet::DAC_OVERRIDE) {
            true
        } else if self.uid == file.uid() {
            mode & 0o200 != 0
        } else if self.groups.contains(&file.gid()) {
            mode & 0o020 != 0
        } else {
            mode & 0o002 != 0
        }
    }

    /// Those of a process; `None` when it is gone.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        // A process' name need not be text.
        let status = text(&fs::read(format!("/proc/{pid}/status")).ok()?).readable;
        let is_hosts = |name| namespace(pid, name) == namespace(KTHREADD, name);
        Some(Self {
            own_user_namespace: !is_hosts("user"),
            host_pids: is_hosts("pid"),
            host_mounts: is_hosts("mnt"),
            ..Self::parse(&status)?
        })
    }

    /// What the text of a /proc/PID/status says.
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        Some(Self {
            // Real, effective, saved, of the file system.
            uid: field("Uid")?.split_ascii_whitespace().nth(1)?.parse().ok()?,
            groups: field("Gid")
                .and_then(|ids| ids.split_ascii_whitespace().nth(1))
                .into_iter()
                .chain(field("Groups").into_iter().flat_map(str::split_ascii_whitespace))
                .filter_map(|id| id.parse().ok())
                .collect(),
            capabilities: CapabilityBits(u64::from_str_radix(field("CapEff")?, 16).ok()?),
            seccomp: field("Seccomp").is_some_and(|mode| mode != "0"),
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\ta\nUid:\t1000\t0\t0\t0\nGid:\t5\t6\t5\t5\nGroups:\t7 8 \nCapInh:\t0000000000000000\n\
                          CapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn what_counts_is_effective() {
        let found = Privileges::parse(STATUS).unwrap();
        assert!(found.is_root() && found.seccomp && found.no_new_privileges);
        assert_eq!(found.groups, [6, 7, 8]);
        // What Docker leaves a container.
        assert!(found.capabilities.has(CapabilitySet::NET_RAW | CapabilitySet::CHOWN));
        assert!(!found.capabilities.has(CapabilitySet::NET_ADMIN));
        assert_eq!(found.capabilities.names().len(), 14);
        assert!(found.capabilities.names().contains(&"CAP_NET_BIND_SERVICE".to_owned()));
        let elsewhere = Privileges { own_user_namespace: true, ..found };
        assert_eq!(elsewhere.on_host(), CapabilityBits(0));
    }

    #[test]
    fn who_may_write_to_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let own = fs::metadata(file.path()).unwrap();
        let (other, group) = (own.uid() + 7, own.gid() + 7);
        let somebody = Privileges { uid: other, groups: vec![group], ..Privileges::default() };
        assert!(!somebody.may_write(&own));
        assert!(Privileges::default().may_write(&own), "root");
        let open = |mode| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            fs::metadata(file.path()).unwrap()
        };
        assert!(somebody.may_write(&open(0o602)));
        let member = Privileges { groups: vec![own.gid()], ..somebody.clone() };
        assert!(member.may_write(&open(0o620)) && !somebody.may_write(&open(0o620)));
        let all = CapabilityBits(CapabilitySet::DAC_OVERRIDE.bits());
        let powerful = Privileges { capabilities: all, ..somebody };
        assert!(powerful.may_write(&open(0o600)));
        let elsewhere = Privileges { own_user_namespace: true, ..powerful };
        assert!(!elsewhere.may_write(&open(0o600)));
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        assert_eq!(Privileges::parse("Uid:\t1"), None);
        assert_eq!(Privileges::parse(""), None);
        assert!(Privileges::read(std::process::id()).is_some());
    }
}
