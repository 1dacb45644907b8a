//! Who is in the host's network namespace right now, whether it should be, and what
//! that is worth to whoever takes it over. Without the agent, without history and
//! without eBPF.
//!
//! `gather` finds out what is the case (`facts`), `assemble` says whose it all is,
//! `risk` what is to be thought of it, `show` how it looks outside. Only `gather`
//! and `privileges` do I/O.

mod agreement;
mod assemble;
mod cis;
mod each_process;
pub mod facts;
mod gather;
mod held;
mod listening;
mod mounts;
mod privileges;
mod risk;
pub mod show;
#[cfg(test)]
mod tests;

pub use agreement::{Agreement, Disagreement};
pub use assemble::assemble;
pub use cis::{Benchmark, Check, Verdict};
pub use gather::{PATIENCE, gather};
pub use held::{Connections, HeldSockets, Listener, Remote, UnixConnections, UnixListener};
pub use mounts::Exposed;
pub use privileges::{CapabilityBits, Privileges};
pub use risk::{Level, RULES, Reason, Rule};

use serde::Serialize;

use crate::{
    event::{Confidence, Container, Method, OwnerKind, short_id},
    judge::expectations::Expectation,
};

/// The whole answer.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// When, RFC 3339 in UTC.
    pub taken_at: String,
    /// The same in nanoseconds since 1970.
    #[serde(skip)]
    pub wall_ns: u64,
    /// Which host.
    pub host: HostFacts,
    /// Whether nothing is missing.
    pub complete: bool,
    /// What is missing, as sentences.
    pub gaps: Vec<String>,
    /// Who was asked for names.
    pub runtimes: Vec<RuntimeSeen>,
    /// What is in the host's network namespace and not the host's, worst first.
    pub in_host_network: Vec<Subject>,
    /// How that compares with `docker ps --filter network=host`.
    pub docker_ps: Vec<Agreement>,
    /// Evidence for the CIS Docker Benchmark.
    pub cis: Benchmark,
}

/// Which host.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// `/etc/machine-id`.
    pub id: String,
    /// Id of this boot.
    pub boot_id: String,
    /// Kernel release.
    pub kernel: String,
    /// Inode of its network namespace.
    pub network_namespace: u32,
}

/// A runtime that answered.
#[derive(Clone, Debug, Serialize)]
pub struct RuntimeSeen {
    /// Where.
    pub endpoint: String,
    /// `docker` or `podman`.
    pub runtime: &'static str,
    /// Its own word for itself.
    pub version: String,
    /// How many containers it has.
    pub containers: usize,
}

/// Somebody in the host's network namespace: a container, or processes that only
/// their namespaces tell from the host's.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// What kind of owner.
    pub kind: OwnerKind,
    /// The container's full id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// What a person calls it.
    pub label: String,
    /// The runtime, by the runtime itself or by the cgroup's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// What the runtime says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Box<Container>>,
    /// How it is known.
    pub attribution: Attributed,
    /// How it got here.
    pub way: Way,
    /// Its processes here.
    pub processes: Vec<ProcessSeen>,
    /// What it has of the host's files.
    pub exposed: Vec<Exposed>,
    /// The service or the pod that it is one container of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PartOf>,
    /// What it holds open.
    pub holds: HeldSockets,
    /// Whether it may be here.
    pub expectation: ExpectationSeen,
    /// The worst of the reasons.
    pub risk: Level,
    /// Why, worst first.
    pub reasons: Vec<Reason>,
}

/// What a container is one of several of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "kebab-case")]
pub enum PartOf {
    /// A task of a Swarm service.
    SwarmService(String),
    /// One of a Podman pod.
    PodmanPod(String),
}

impl PartOf {
    /// As the runtime says it.
    fn of(container: &Container) -> Option<Self> {
        if !container.pod.is_empty() {
            return Some(Self::PodmanPod(container.pod.clone()));
        }
        container.swarm_service().map(|name| Self::SwarmService(name.to_owned()))
    }
}

/// How an owner is known.
#[derive(Clone, Debug, Serialize)]
pub struct Attributed {
    /// By what.
    pub method: Method,
    /// How sure.
    pub confidence: Confidence,
    /// Path of its cgroup.
    pub cgroup_path: String,
}

/// How somebody came to be in the host's network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Way {
    /// It declares `--network host`.
    Declared,
    /// It declares the network of a container that is here.
    Joined {
        /// That container's id.
        container: String,
        /// Its name, when it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// It declares another network, and its first process is here all the same.
    Undeclared {
        /// The network it declares.
        declared: String,
    },
    /// It declares another network and is there; some of its processes have come here.
    Entered {
        /// The network it declares.
        declared: String,
    },
    /// No runtime that answers knows it: what it declares is not known.
    Unknown,
    /// No runtime's: processes with namespaces of their own, but not of network.
    OwnNamespaces {
        /// The container whose mounts they have.
        #[serde(skip_serializing_if = "Option::is_none")]
        mounts_of: Option<String>,
    },
    /// Its cgroup bears the name of a container that is elsewhere.
    FalseName,
    /// None of its processes is here: it has inherited sockets that are.
    Handed,
}

/// A process in the host's network namespace.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessSeen {
    /// Its id on the host.
    pub pid: u32,
    /// Name of its program.
    pub name: String,
    /// The file it runs.
    pub executable: String,
    /// Its arguments, as it shows them; `None` when it did not show them in time.
    pub command_line: Option<String>,
    /// What it may do.
    pub privileges: Privileges,
}

/// Whether somebody may be here.
#[derive(Clone, Debug, Serialize)]
pub struct ExpectationSeen {
    /// `expected`, `expired` or `unexpected`; `unknown` where the runtime that knows the
    /// container did not answer.
    pub standing: &'static str,
    /// The expectation that holds, or did.
    #[serde(flatten)]
    pub expectation: Option<Expectation>,
    /// Why its labels are not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

impl ExpectationSeen {
    /// The expectation, when it holds.
    #[must_use]
    pub fn held(&self) -> Option<&Expectation> {
        self.expectation.as_ref().filter(|_| self.standing == "expected")
    }
}

impl Way {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Declared => "declared host".to_owned(),
            Self::Joined { container, name } => {
                let short = short_id(container);
                format!("joined {}", name.as_deref().unwrap_or(short))
            }
            Self::Undeclared { declared } => format!("declared {declared}, is in host"),
            Self::Entered { declared } => format!("entered from {declared}"),
            Self::Unknown => "not known to a runtime".to_owned(),
            Self::OwnNamespaces { mounts_of: Some(name) } => format!("has the mounts of {name}"),
            Self::OwnNamespaces { mounts_of: None } => "own namespaces, no runtime".to_owned(),
            Self::FalseName => "named after another".to_owned(),
            Self::Handed => "was handed sockets".to_owned(),
        }
    }
}

impl Subject {
    /// Its capabilities that count here, all processes together.
    #[must_use]
    pub fn capabilities(&self) -> CapabilityBits {
        let each = self.processes.iter().map(|process| process.privileges.on_host().0);
        CapabilityBits(each.fold(0, |all, one| all | one))
    }

    /// A pod's infra container that does no more than hold the pod's namespaces. What is
    /// said of the pod's other containers is all there is to say.
    #[must_use]
    pub fn only_holds_namespaces(&self) -> bool {
        let HeldSockets { listeners, connections, packet, raw, .. } = &self.holds;
        self.container.as_ref().is_some_and(|container| container.is_infra)
            && self.processes.len() <= 1
            && listeners.is_empty()
            && connections.count == 0
            && packet.is_empty()
            && raw.is_empty()
    }
}

impl Audit {
    /// The worst there is.
    #[must_use]
    pub fn risk(&self) -> Level {
        self.in_host_network.iter().map(|subject| subject.risk).max().unwrap_or(Level::None)
    }

    /// Those that nobody expects, or no longer.
    pub fn unexpected(&self) -> impl Iterator<Item = &Subject> {
        let is_unexpected = |subject: &&Subject| {
            matches!(subject.expectation.standing, "unexpected" | "expired")
                && !subject.only_holds_namespaces()
        };
        self.in_host_network.iter().filter(is_unexpected)
    }
}
