//! What this process may do, and from where it looks at the host.

use std::{fs, os::unix::fs::MetadataExt};

use super::{Args, Check};
use crate::kernel::Host;

/// A capability (include/uapi/linux/capability.h) and what becomes of us without it.
struct Capability {
    name: &'static str,
    bit: u32,
    /// `CAP_SYS_ADMIN` stands in for it.
    is_in_sys_admin: bool,
    /// Nothing can be observed without it.
    is_needed: bool,
    purpose: &'static str,
}

const SYS_ADMIN: u32 = 21;

#[rustfmt::skip]
const CAPABILITIES: &[Capability] = &[
    Capability { name: "CAP_BPF", bit: 39, is_in_sys_admin: true, is_needed: true, purpose: "to load eBPF programs" },
    Capability { name: "CAP_PERFMON", bit: 38, is_in_sys_admin: true, is_needed: true, purpose: "to load the programs that read kernel structures" },
    Capability { name: "CAP_NET_ADMIN", bit: 12, is_in_sys_admin: true, is_needed: true, purpose: "to attach programs to cgroups" },
    Capability { name: "CAP_SYS_PTRACE", bit: 19, is_in_sys_admin: false, is_needed: true, purpose: "to look at the namespaces and executables of other processes" },
    Capability { name: "CAP_SYS_ADMIN", bit: SYS_ADMIN, is_in_sys_admin: false, is_needed: false, purpose: "to enter the host's network namespace and to mount cgroup v2 where it is not" },
    Capability { name: "CAP_NET_RAW", bit: 13, is_in_sys_admin: false, is_needed: false, purpose: "to prove the hook that sees raw sockets" },
    Capability { name: "CAP_DAC_OVERRIDE", bit: 1, is_in_sys_admin: false, is_needed: false, purpose: "to make the cgroup that proves the cgroup hooks" },
];

impl Capability {
    fn is_held(&self, effective: u64) -> bool {
        let has = |bit: u32| effective >> bit & 1 == 1;
        has(self.bit) || (self.is_in_sys_admin && has(SYS_ADMIN))
    }
}

pub fn capabilities(_: &Args) -> Check {
    let effective = fs::read_to_string("/proc/self/status").ok().and_then(|text| parse(&text));
    // The first user namespace maps every id to itself; the file is there even without the feature.
    let is_first = fs::read_to_string("/proc/self/uid_map")
        .map_or(true, |map| map.split_ascii_whitespace().eq(["0", "0", "4294967295"]));
    judge(rustix::process::geteuid().as_raw(), effective, is_first)
}

fn judge(user: u32, effective: Option<u64>, is_first_user_namespace: bool) -> Check {
    const NAME: &str = "privileges";
    if !is_first_user_namespace {
        return Check::fail(
            NAME,
            format!(
                "user {user} in a user namespace of its own; capabilities in there do not count"
            ),
            "run it as the host's root, in a container without user namespace remapping",
        );
    }
    let Some(effective) = effective else {
        return Check::fail(NAME, "cannot read /proc/self/status", "mount /proc");
    };
    let user = if user == 0 { "root".to_owned() } else { format!("user {user}") };
    let missing: Vec<&Capability> =
        CAPABILITIES.iter().filter(|capability| !capability.is_held(effective)).collect();
    if missing.is_empty() {
        return Check::ok(NAME, format!("{user} with every capability that hostnet uses"));
    }
    let list: Vec<String> = missing
        .iter()
        .map(|capability| format!("{} ({})", capability.name, capability.purpose))
        .collect();
    let finding = format!("{user} without {}", list.join(", "));
    let names: Vec<&str> = missing.iter().map(|capability| capability.name).collect();
    let advice = match user.as_str() {
        "root" => format!(
            "add {} (in a container --cap-add, in a unit CapabilityBoundingSet=)",
            names.join(" ")
        ),
        _ => "run it with sudo".to_owned(),
    };
    if missing.iter().any(|capability| capability.is_needed) {
        Check::fail(NAME, finding, advice)
    } else {
        Check::warn(NAME, finding, advice)
    }
}

/// The effective capabilities in a /proc/PID/status.
fn parse(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

pub fn namespaces(_: &Args) -> Check {
    const NAME: &str = "namespaces";
    let host = match Host::read() {
        Ok(host) => host,
        Err(error) => {
            return Check::fail(
                NAME,
                format!("{error:#}"),
                "run it as the host's root with all that privileges asks for, in a container with \
                 --pid=host and --cgroupns=host",
            );
        }
    };
    let own = fs::metadata("/proc/self/ns/net").map(|metadata| metadata.ino());
    if own.is_ok_and(|own| own != u64::from(host.network_namespace)) {
        return Check::warn(
            NAME,
            "in the host's pid namespace, but in another network namespace than the host's, from \
             where most hooks cannot be proven",
            "in a container add --network=host",
        );
    }
    Check::ok(NAME, "in the host's pid, cgroup and network namespaces")
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    const ALL: u64 = u64::MAX >> 23;

    fn without(names: &[&str]) -> u64 {
        let of = |name: &&str| CAPABILITIES.iter().find(|c| c.name == *name).unwrap().bit;
        names.iter().map(of).fold(ALL, |set, bit| set & !(1 << bit))
    }

    #[test]
    fn effective_capabilities() {
        let status = "Name:\thostnet\nCapPrm:\t0000000000000001\nCapEff:\t000001fffeffffff\n";
        assert_eq!(parse(status), Some(0x1ff_feff_ffff));
        assert_eq!(parse("Name:\tCapEff\n"), None);
        assert_eq!(parse("CapEff:\tnothing\n"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_its_purpose() {
        assert_eq!(judge(0, Some(ALL), true).status, Status::Ok);
        let check = judge(0, Some(without(&["CAP_NET_RAW"])), true);
        assert_eq!(check.status, Status::Warn);
        assert!(check.finding.contains("CAP_NET_RAW (to prove"), "{}", check.finding);
        let check = judge(1000, Some(0), true);
        assert_eq!(
            (check.status, check.advice.as_deref()),
            (Status::Fail, Some("run it with sudo"))
        );
        for capability in CAPABILITIES {
            assert!(check.finding.contains(capability.name), "{}", check.finding);
        }
    }

    #[test]
    fn sys_admin_stands_in_for_the_newer_ones() {
        let newer = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"];
        assert_eq!(judge(0, Some(without(&newer)), true).status, Status::Ok);
        let neither = without(&["CAP_BPF", "CAP_SYS_ADMIN"]);
        assert_eq!(judge(0, Some(neither), true).status, Status::Fail);
        assert_eq!(judge(0, Some(without(&["CAP_SYS_PTRACE"])), true).status, Status::Fail);
    }

    #[test]
    fn capabilities_of_another_user_namespace_do_not_count() {
        assert_eq!(judge(0, Some(ALL), false).status, Status::Fail);
    }
}
