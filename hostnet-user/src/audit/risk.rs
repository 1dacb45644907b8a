//! What a subject is worth to whoever takes it over: a table of reasons, each with
//! its weight. The risk is that of the weightiest. Pure.

use std::{collections::BTreeSet, fmt};

use rustix::thread::CapabilitySet;
use serde::Serialize;

use super::{ExpectationSeen, Exposed, Listener, ProcessSeen, Subject, Way};
use crate::{
    event::{Confidence, OwnerKind},
    judge::expectations::Source,
};

/// How bad something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing to say against it.
    #[default]
    None,
    /// To know.
    Low,
    /// To look at.
    Medium,
    /// To change.
    High,
    /// It has the host, or a way to it.
    Critical,
}

impl Level {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [Self::None, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that makes a subject a risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which rule.
    pub id: &'static str,
    /// How bad.
    pub level: Level,
    /// One sentence.
    pub says: String,
}

/// A rule: what it says of a subject, if it says anything.
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is so, in a sentence without a full stop.
    pub says: &'static str,
    /// Whether it is so, and what there is to add.
    when: fn(&Subject) -> Option<String>,
}

const fn rule(
    level: Level,
    id: &'static str,
    says: &'static str,
    when: fn(&Subject) -> Option<String>,
) -> Rule {
    Rule { id, level, says, when }
}

use Level::{Critical, High, Low, Medium};

/// All rules, the worst first.
#[rustfmt::skip]
pub const RULES: [Rule; 26] = [
    rule(Critical, "runtime-socket", "It can use a container runtime's socket, which controls every container and the host", |s| exposed(s, |one| one.host_path != "/" && one.usable)),
    rule(Critical, "host-files-writable", "It can write to the host's root file system", |s| exposed(s, |one| one.host_path == "/" && one.writable && one.usable)),
    rule(Critical, "privileged", "It is privileged: it has every capability and all of the host's devices", |s| s.container.as_ref().is_some_and(|one| one.privileged).then(String::new)),
    rule(Critical, "module-capability", "It can load code into the host's kernel", |s| capability(s, &[CapabilitySet::SYS_MODULE])),
    rule(Critical, "entered", "Some of its processes moved from the container's own network into the host's, which takes CAP_SYS_ADMIN on the host", |s| if matches!(s.way, Way::Entered { .. }) { named(s, |_| true) } else { None }),
    rule(Critical, "container-mounts", "Its processes have a container's mounts but run outside that container's cgroup", |s| match &s.way { Way::OwnNamespaces { mounts_of: Some(name) } => Some(name.clone()), _ => None }),
    rule(Critical, "false-name", "Its cgroup is named after a container that runs elsewhere", |s| (s.kind == OwnerKind::Unknown).then(|| s.attribution.cgroup_path.clone())),
    rule(High, "undeclared", "It is configured with another network but runs in the host's", |s| match &s.way { Way::Undeclared { declared } => Some(declared.clone()), _ => None }),
    rule(High, "host-files", "It can read the host's root file system", |s| exposed(s, |one| s.kind == OwnerKind::Container && one.host_path == "/" && !(one.writable && one.usable))),
    rule(High, "host-mounts", "One of its processes has the host's own mounts", |s| processes(s, |one| one.privileges.host_mounts)),
    rule(High, "host-processes", "It sees the host's processes, and can signal and trace them as root", |s| processes(s, |one| one.privileges.host_pids)),
    rule(High, "admin-capability", "It has capabilities that lead to root on the host", |s| capability(s, &[CapabilitySet::SYS_ADMIN, CapabilitySet::SYS_PTRACE, CapabilitySet::SYS_RAWIO, CapabilitySet::DAC_READ_SEARCH, CapabilitySet::BPF])),
    rule(High, "network-capability", "It can change the host's interfaces, routes and packet filters", |s| capability(s, &[CapabilitySet::NET_ADMIN])),
    rule(High, "packet-socket", "It reads packets from the host's interfaces", |s| list(&s.holds.packet)),
    rule(High, "abstract-socket", "It is connected to another program's abstract unix socket, which it reaches only because it uses the host's network", abstract_sockets),
    rule(High, "bind-not-expected", "It listens on a port that its [[expect]] entry does not allow", |s| listeners(s, |one| s.expectation.held().is_some_and(|held| !held.permits_bind(&one.protocol, one.port)))),
    rule(Medium, "unexpected", "It uses the host's network; no [[expect]] entry allows it", |s| (s.expectation.standing == "unexpected" && !s.only_holds_namespaces()).then(|| s.expectation.because.unwrap_or_default().to_owned())),
    rule(Medium, "expired", "Its permission to use the host's network has ended", |s| (s.expectation.standing == "expired").then(|| until(&s.expectation))),
    rule(Medium, "raw-capability", "It can read and forge packets on the host's interfaces (CAP_NET_RAW)", |s| s.capabilities().has(CapabilitySet::NET_RAW).then(String::new)),
    rule(Medium, "root", "It runs as the host's root, so it can use abstract unix sockets that check for nothing else (CVE-2020-15257)", |s| processes(s, |one| one.privileges.is_root())),
    rule(Medium, "listens-everywhere", "It listens on all of the host's addresses", |s| listeners(s, |one| one.exposure == "any" && !is_permitted(s, one))),
    rule(Medium, "shared-port", "Other programs listen on the same port", |s| listeners(s, |one| !one.shared_with.is_empty())),
    rule(Medium, "local-services", "It is connected to services of this host", local_services),
    rule(Low, "listens", "It listens on some of the host's addresses", |s| listeners(s, |one| one.exposure != "any" && !is_permitted(s, one))),
    rule(Low, "unconfirmed", "Only the name of its cgroup says which container it is", |s| (s.kind == OwnerKind::Container && s.attribution.confidence == Confidence::Path).then(|| s.attribution.cgroup_path.clone())),
    rule(Low, "says-itself", "Only its own labels say that it may use the host's network", |s| s.expectation.held().is_some_and(|held| held.by == Source::Label).then(String::new)),
];

/// The subject with its reasons, and its risk.
pub fn judge(mut subject: Subject) -> Subject {
    let found = RULES.iter().filter_map(|rule| {
        let more = (rule.when)(&subject)?;
        let says = if more.is_empty() {
            format!("{}.", rule.says)
        } else {
            format!("{}: {more}.", rule.says)
        };
        Some(Reason { id: rule.id, level: rule.level, says })
    });
    subject.reasons = found.collect();
    subject.risk = subject.reasons.iter().map(|reason| reason.level).max().unwrap_or_default();
    subject
}

/// The rules as a Markdown table: docs/audit.md has it.
#[cfg(test)]
pub fn table() -> String {
    let rows =
        RULES.iter().map(|rule| format!("| `{}` | {} | {} |\n", rule.id, rule.level, rule.says));
    format!("| reason | risk | says |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// Names that are too many to name are counted.
const MOST_NAMED: usize = 8;

fn list(names: &[String]) -> Option<String> {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let more = names.len().saturating_sub(MOST_NAMED);
    let shown: Vec<&str> = names.into_iter().take(MOST_NAMED).collect();
    match (shown.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(shown.join(", ")),
        (false, more) => Some(format!("{} and {more} more", shown.join(", "))),
    }
}

fn exposed(subject: &Subject, is_it: impl Fn(&Exposed) -> bool) -> Option<String> {
    let found = subject.exposed.iter().filter(|one| is_it(one));
    let found = found.map(|one| format!("{} at {}", one.host_path, one.container_path));
    list(&found.collect::<Vec<_>>())
}

fn capability(subject: &Subject, wanted: &[CapabilitySet]) -> Option<String> {
    let has = subject.capabilities();
    let found = wanted.iter().filter(|one| has.has(**one)).flat_map(|one| one.iter_names());
    list(&found.map(|(name, _)| format!("CAP_{name}")).collect::<Vec<_>>())
}

/// Processes whose privileges count on the host.
fn processes(subject: &Subject, is_it: impl Fn(&ProcessSeen) -> bool) -> Option<String> {
    named(subject, |one| !one.privileges.own_user_namespace && is_it(one))
}

fn named(subject: &Subject, is_it: impl Fn(&ProcessSeen) -> bool) -> Option<String> {
    let found = subject.processes.iter().filter(|one| is_it(one));
    list(&found.map(|one| format!("{}[{}]", one.name, one.pid)).collect::<Vec<_>>())
}

fn listeners(subject: &Subject, is_it: impl Fn(&Listener) -> bool) -> Option<String> {
    let found = subject.holds.listeners.iter().filter(|one| !one.is_chosen && is_it(one));
    let found = found.map(|one| {
        let others: Vec<&str> = one.shared_with.iter().map(String::as_str).collect();
        match &*others {
            [] => one.words(),
            others => format!("{} (also {})", one.words(), others.join(", ")),
        }
    });
    list(&found.collect::<Vec<_>>())
}

/// Whether somebody has said that it may listen there, of all places.
fn is_permitted(subject: &Subject, listener: &Listener) -> bool {
    subject.expectation.held().is_some_and(|held| {
        held.bind.is_some() && held.permits_bind(&listener.protocol, listener.port)
    })
}

fn local_services(subject: &Subject) -> Option<String> {
    let found = subject.holds.connections.remotes.iter().filter_map(|remote| {
        let peer = remote.peer.as_deref()?;
        Some(format!("{peer} at {}", std::net::SocketAddr::new(remote.address, remote.port?)))
    });
    list(&found.collect::<Vec<_>>())
}

fn abstract_sockets(subject: &Subject) -> Option<String> {
    let found = subject.holds.unix_connections.iter();
    let found = found.filter_map(|(name, to)| Some(format!("{name} ({})", to.peer.as_deref()?)));
    list(&found.collect::<Vec<_>>())
}

fn until(expectation: &ExpectationSeen) -> String {
    let until = expectation.expectation.as_ref().and_then(|one| one.until);
    until.map(|until| until.to_string()).unwrap_or_default()
}
