//! A container that a name in a cgroup path stands for.

use std::borrow::Cow;

/// What made the cgroup, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// Docker, the classic ECS agent included.
    Docker,
    /// Podman.
    Podman,
    /// containerd, by its CRI plugin, nerdctl or its own client.
    Containerd,
    /// CRI-O.
    Crio,
    /// LXC, LXD and Incus.
    Lxc,
    /// libvirt's own containers.
    LibvirtLxc,
    /// systemd-nspawn, or another container registered with systemd-machined.
    Nspawn,
    /// A build step of BuildKit, in dockerd or on its own.
    Buildkit,
    /// Cloud Foundry's Garden.
    Garden,
    /// A container in a Kubernetes pod whose runtime the path does not tell.
    Kubernetes,
    /// The path has an id and nothing else to go by.
    Unknown,
}

impl Runtime {
    /// The name hostnet reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::Crio => "cri-o",
            Self::Lxc => "lxc",
            Self::LibvirtLxc => "libvirt-lxc",
            Self::Nspawn => "nspawn",
            Self::Buildkit => "buildkit",
            Self::Garden => "garden",
            Self::Kubernetes => "kubernetes",
            Self::Unknown => "unknown",
        }
    }
}

/// One container a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim<'a> {
    /// The id exactly as the path has it. An LXC, nspawn or containerd id is a
    /// free name and may hold any character but `/`.
    pub id: &'a str,
    /// What made the cgroup.
    pub runtime: Runtime,
    /// The path only has the shape of containerd's `/<namespace>/<name>`, which
    /// any two-level cgroup on the host has as well.
    pub is_guess: bool,
}

impl<'a> Claim<'a> {
    pub(super) const fn certain(id: &'a str, runtime: Runtime) -> Self {
        Self { id, runtime, is_guess: false }
    }

    /// The id to report: `nspawn:web`, `libvirt-lxc:web`, `buildkit:…` and `garden:…`
    /// where the bare id would be mistaken for another runtime's, else the id itself.
    #[must_use]
    pub fn qualified_id(&self) -> Cow<'a, str> {
        match self.runtime {
            Runtime::Nspawn | Runtime::LibvirtLxc => {
                Cow::Owned(format!("{}:{}", self.runtime.name(), unescaped(self.id)))
            }
            Runtime::Buildkit | Runtime::Garden => {
                Cow::Owned(format!("{}:{}", self.runtime.name(), self.id))
            }
            Runtime::Docker
            | Runtime::Podman
            | Runtime::Containerd
            | Runtime::Crio
            | Runtime::Lxc
            | Runtime::Kubernetes
            | Runtime::Unknown => Cow::Borrowed(self.id),
        }
    }
}

/// systemd writes bytes that mean something in a unit's name as `\xNN`: a machine's `-`
/// as `\x2d`.
fn unescaped(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    // Bytes that are no text stay as systemd writes them: two names never become one.
    String::from_utf8(bytes).unwrap_or_else(|_not_utf_8| name.to_owned())
}
