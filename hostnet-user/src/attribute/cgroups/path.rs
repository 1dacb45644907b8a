//! The containers a cgroup path names, outermost first.
//!
//! A name in a path is a claim: whoever may write to the cgroup file system
//! can make a child called after somebody else's container. The registry
//! decides what is true. This file reads text; it must not know the host, the
//! tree of cgroups or any runtime's API.

use std::str::Split;

use super::{
    claim::{Claim, Runtime},
    machine,
};

/// The outermost container `path` names.
#[must_use]
pub fn owner(path: &str) -> Option<Claim<'_>> {
    claims(path).next()
}

/// Every container `path` names: the owner, then what is claimed below it.
///
/// A leading `/..` (a path seen from another cgroup namespace) and the kernel's
/// trailing ` (deleted)` are ignored.
#[must_use]
pub fn claims(path: &str) -> Claims<'_> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    Claims {
        parts: path.split('/'),
        previous: "",
        below_libvirt: path.starts_with("/libvirt/"),
        hint: Runtime::Unknown,
        guess: containerd_name(path),
    }
}

/// Iterator of [`claims`].
#[derive(Clone, Debug)]
pub struct Claims<'a> {
    parts: Split<'a, char>,
    /// The component before, unless it was a container.
    previous: &'a str,
    /// The path begins as libvirt's before 1.0.5: `/libvirt/lxc/web`.
    below_libvirt: bool,
    /// Whose a bare id would be, from the components since the last claim.
    hint: Runtime,
    guess: Option<Claim<'a>>,
}

impl<'a> Iterator for Claims<'a> {
    type Item = Claim<'a>;

    fn next(&mut self) -> Option<Claim<'a>> {
        while let Some(part) = self.parts.next() {
            if part == "lxc.monitor" || part.starts_with("lxc.monitor.") {
                // LXC's own process; a name that follows is not its container.
                self.parts.next();
                self.previous = "";
                continue;
            }
            if let Some(claim) = self.claim(part) {
                self.previous = "";
                self.hint = Runtime::Unknown;
                self.guess = None;
                return Some(claim);
            }
            self.previous = part;
            self.hint = hint(part).unwrap_or(self.hint);
        }
        self.guess.take()
    }
}

impl<'a> Claims<'a> {
    fn claim(&self, part: &'a str) -> Option<Claim<'a>> {
        if let Some(machine) = machine::named(part) {
            let is_libvirt = self.parts.clone().next() == Some("libvirt");
            return machine::claim(machine, is_libvirt);
        }
        if let Some(domain) = part.strip_suffix(".libvirt-lxc") {
            // Without systemd: `/machine/lxc-969-web.libvirt-lxc`.
            return machine::libvirt_name(domain, "lxc", "-")
                .map(|name| Claim::certain(name, Runtime::LibvirtLxc));
        }
        if let Some(name) = part.strip_prefix("lxc.payload.") {
            return (!name.is_empty()).then_some(Claim::certain(name, Runtime::Lxc));
        }
        match self.previous {
            "lxc" | "lxc.payload" if !part.is_empty() => {
                let runtime = if self.below_libvirt { Runtime::LibvirtLxc } else { Runtime::Lxc };
                return Some(Claim::certain(part, runtime));
            }
            "buildkit" if is_buildkit_id(part) => {
                return Some(Claim::certain(part, Runtime::Buildkit));
            }
            "garden" if is_garden_id(part) => {
                return Some(Claim::certain(part, Runtime::Garden));
            }
            // With the cgroupfs manager Podman names a pod by its bare id and
            // a container by `libpod-<id>`.
            "libpod_parent" if is_id(part) => return None,
            _ => {}
        }
        self.runtime_unit(part)
    }

    /// `<id>`, `<prefix>-<id>`, either with `.scope`, or `<slice>:<prefix>:<id>`.
    ///
    /// No other unit type: `crio-<id>.mount` is a mount and Podman runs its
    /// health checks, on the host, in `<id>.service`.
    fn runtime_unit(&self, part: &'a str) -> Option<Claim<'a>> {
        let (prefix, id, is_scope) = if let Some((rest, id)) = part.rsplit_once(':') {
            let (slice, prefix) = rest.rsplit_once(':')?;
            if !slice.ends_with(".slice") {
                return None;
            }
            (Some(prefix).filter(|prefix| !prefix.is_empty()), id, true)
        } else {
            let unit = part.strip_suffix(".scope");
            let body = unit.unwrap_or(part);
            match body.rsplit_once('-') {
                Some((prefix, id)) => (Some(prefix), id, unit.is_some()),
                None => (None, body, unit.is_some()),
            }
        };
        if prefix == Some("docker") && is_scope && is_buildkit_id(id) {
            // dockerd with the systemd driver gives build steps its own prefix.
            return Some(Claim::certain(id, Runtime::Buildkit));
        }
        if !is_id(id) {
            return None;
        }
        let Some(prefix) = prefix else {
            return Some(Claim::certain(id, self.hint));
        };
        let runtime = match prefix {
            "" => return None,
            "docker" => Runtime::Docker,
            "libpod" | "libpod-payload" => Runtime::Podman,
            "cri-containerd" | "containerd" | "nerdctl" => Runtime::Containerd,
            "crio" => Runtime::Crio,
            // A container's monitor has its id too (`crio-conmon-<id>`).
            _ if is_scope && !prefix.ends_with("conmon") => Runtime::Unknown,
            _ => return None,
        };
        Some(Claim::certain(id, runtime))
    }
}

/// Whose containers have a bare id below `part`.
fn hint(part: &str) -> Option<Runtime> {
    match part {
        "docker" | "ecs" => Some(Runtime::Docker),
        _ if part.starts_with("kubepods") || part.starts_with("kubelet-kubepods") => {
            Some(Runtime::Kubernetes)
        }
        _ => None,
    }
}

/// `/<namespace>/<name>`, which is all containerd's own client leaves to go by.
fn containerd_name(path: &str) -> Option<Claim<'_>> {
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != "..");
    let (namespace, name) = (parts.next()?, parts.next()?);
    let shaped = parts.next().is_none()
        && is_containerd_name(namespace)
        && is_containerd_name(name)
        && !OTHERS_PARENTS.contains(&namespace)
        && !namespace.starts_with("lxc.")
        && !MONITORS.contains(&name);
    shaped.then_some(Claim { id: name, runtime: Runtime::Containerd, is_guess: true })
}

/// Top-level cgroups whose children are known not to be containerd's.
const OTHERS_PARENTS: &[&str] = &[
    "actions_job",
    "buildkit",
    "docker",
    "ecs",
    "garden",
    "htcondor",
    "init",
    "kubepods",
    "libpod_parent",
    "lxc",
    "machine",
    "mesos",
    "openrc",
    "podman",
    "slurm",
    "system",
    "systemd",
    "user",
    "wsl-user",
];

/// Cgroups of the processes that watch containers.
const MONITORS: &[&str] = &["conmon", "runtime", "supervisor"];

/// The unit types systemd gives a cgroup.
const UNITS: &[&str] = &[".slice", ".scope", ".service", ".mount", ".socket", ".swap"];

/// The alphabet and length containerd allows, less what is plainly a unit or an
/// id cut short.
fn is_containerd_name(part: &str) -> bool {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    part.len() <= 76
        && part.bytes().all(alphabet)
        && part.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && !UNITS.iter().any(|unit| part.ends_with(unit))
        && !(part.len() >= 32 && part.bytes().all(is_lower_hex))
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A full container id: 64 lower-case hexadecimal digits, no more and no fewer.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_lower_hex)
}

/// BuildKit writes 128 random bits as 25 digits in base 36.
fn is_buildkit_id(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// Garden's ids look like a UUID whose last group has four digits.
fn is_garden_id(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'-' || is_lower_hex(byte))
        && text.split('-').map(str::len).eq([8, 4, 4, 4, 4])
}

/// The path to attribute by in the text of a /proc/PID/cgroup.
///
/// The v2 line (`0::`) first, then v1's pids, memory and name=systemd, then any
/// other: v1 lines can disagree after a reload of systemd. A line that names a
/// container goes before one that does not: on hosts with both hierarchies, a
/// runc older than 1.0.0 leaves the v2 line at the runtime's own service. The
/// path is returned as the kernel wrote it.
#[must_use]
pub fn from_proc_cgroup(text: &str) -> Option<&str> {
    let rank = |(controllers, path): (&str, &str)| {
        let has = |wanted| controllers.split(',').any(|controller| controller == wanted);
        let named = owner(path).is_some_and(|claim| !claim.is_guess);
        let line = ["", "pids", "memory", "name=systemd"].iter().position(|wanted| has(*wanted));
        (!named, path == "/", line.unwrap_or(usize::MAX))
    };
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let _hierarchy = fields.next()?;
        Some((fields.next()?, fields.next()?))
    });
    lines.min_by_key(|line| rank(*line)).map(|(_controllers, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    #[test]
    fn an_id_has_exactly_its_length() {
        assert!(
            is_id(A) && !is_id(&A[1..]) && !is_id(&format!("{A}0")) && !is_id(&A.to_uppercase())
        );
        assert!(is_garden_id("69fac2be-4c4e-4c2a-4c4e-0a1b"));
        assert!(!is_garden_id("69fac2be-4c4e-4c2a-4c4e-0a1b2c3d4e5f"));
    }

    #[test]
    fn proc_cgroup_prefers_v2_then_pids_memory_systemd() {
        assert_eq!(from_proc_cgroup("0::/a.slice/b.service\n"), Some("/a.slice/b.service"));
        assert_eq!(from_proc_cgroup("2:pids:/p\n3:cpu,memory:/m\n0::/\n"), Some("/p"));
        assert_eq!(from_proc_cgroup("2:pids:/p\n0::/u\n"), Some("/u"));
        assert_eq!(from_proc_cgroup("3:cpu,memory:/m\n1:name=systemd:/s\n"), Some("/m"));
        assert_eq!(from_proc_cgroup("4:cpuset:/c\n1:name=systemd:/s\n"), Some("/s"));
        assert_eq!(from_proc_cgroup("4:cpuset:/c\n1:name=systemd:/\n"), Some("/c"));
        assert_eq!(from_proc_cgroup("1:name=systemd:/\n0::/\n"), Some("/"));
        assert_eq!(from_proc_cgroup("0::/x.slice:docker:1\n"), Some("/x.slice:docker:1"));
        assert_eq!(from_proc_cgroup("nonsense\n0:\n"), None);
    }

    #[test]
    fn proc_cgroup_of_an_old_runc_beside_an_unused_v2() {
        let text = format!("3:pids:/docker/{A}\n0::/system.slice/containerd.service\n");
        assert_eq!(from_proc_cgroup(&text), Some(&*format!("/docker/{A}")));
    }
}
