//! Facts become subjects: grouped by owner, with how each came to be here and what
//! is to be thought of it. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Agreement, Attributed, Audit, Benchmark, ExpectationSeen, HeldSockets, HostFacts, PartOf,
    ProcessSeen, RuntimeSeen, Subject, Way,
    facts::{Facts, Held, Present},
    listening::Listening,
    risk,
};
use crate::{
    event::{Container, Owner, OwnerKind},
    judge::expectations::{Expectation, Expectations, Standing},
    sources::docker::Counted,
    text::{command_line, text},
};

/// Whose something is: a container, or without one a cgroup and a mount namespace.
type Key = (Option<String>, u64, u32);

/// What of one owner's is here.
#[derive(Default)]
struct Group<'a> {
    owner: Option<&'a Arc<Owner>>,
    processes: Vec<&'a Present>,
    sockets: Vec<&'a Held>,
}

/// The answer.
#[must_use]
pub fn assemble(facts: &Facts, expectations: &Expectations) -> Audit {
    let known = Known::of(facts);
    let listening = Listening::of(&facts.sockets, facts.chosen_ports);
    let mut subjects: Vec<Subject> = groups(facts)
        .into_values()
        .filter_map(|group| {
            let subject = subject(&group, facts, &known, &listening, expectations)?;
            Some(risk::judge(subject))
        })
        .collect();
    subjects.sort_by(|a, b| {
        (b.risk, b.reasons.len()).cmp(&(a.risk, a.reasons.len())).then(a.label.cmp(&b.label))
    });
    let at = Timestamp::from_nanosecond(i128::from(facts.wall_ns)).unwrap_or(Timestamp::MAX);
    let identity = &facts.identity;
    Audit {
        taken_at: at.to_string(),
        wall_ns: facts.wall_ns,
        host: HostFacts {
            name: identity.host_name.clone(),
            id: identity.host_id.clone(),
            boot_id: identity.boot_id.clone(),
            kernel: identity.kernel.clone(),
            network_namespace: identity.network_namespace,
        },
        complete: facts.gaps.is_empty(),
        gaps: facts.gaps.clone(),
        runtimes: facts
            .runtimes
            .iter()
            .map(|census| RuntimeSeen {
                endpoint: census.endpoint.clone(),
                runtime: census.runtime,
                version: census.version.clone(),
                containers: census.containers.len(),
            })
            .collect(),
        docker_ps: facts
            .runtimes
            .iter()
            .filter(|census| census.runtime == "docker")
            .map(|census| Agreement::of(census, &subjects))
            .collect(),
        cis: Benchmark::of(&facts.runtimes, &subjects),
        in_host_network: subjects,
    }
}

/// Containers by id and by their mounts.
struct Known<'a> {
    by_id: HashMap<&'a str, &'a Counted>,
    by_mounts: HashMap<u32, &'a Counted>,
}

impl<'a> Known<'a> {
    fn of(facts: &'a Facts) -> Self {
        let all = || facts.runtimes.iter().flat_map(|census| &census.containers);
        let mounts = |one: &&Counted| one.is_alive() && one.container.mount_namespace != 0;
        Self {
            by_id: all().map(|one| (&*one.container.id, one)).collect(),
            by_mounts: all()
                .filter(mounts)
                .map(|one| (one.container.mount_namespace, one))
                .collect(),
        }
    }

    fn name(&self, id: &str) -> Option<String> {
        let name = &self.by_id.get(id)?.container.name;
        (!name.is_empty()).then(|| name.clone())
    }
}

fn groups(facts: &Facts) -> BTreeMap<Key, Group<'_>> {
    let mut groups: BTreeMap<Key, Group<'_>> = BTreeMap::new();
    let key = |owner: &Owner, mounts: u32| match &owner.container_id {
        Some(id) => (Some(id.clone()), 0, 0),
        None => (None, owner.cgroup_id, mounts),
    };
    let mut mounts = HashMap::new();
    for present in &facts.present {
        mounts.insert(present.process.pid, present.mount_namespace);
        let group = groups.entry(key(&present.owner, present.mount_namespace)).or_default();
        group.owner.get_or_insert(&present.owner);
        group.processes.push(present);
    }
    for held in facts.sockets.iter().filter(|held| held.owner.kind != OwnerKind::Host) {
        let holder = held.process.as_ref().and_then(|process| mounts.get(&process.pid));
        let key = key(&held.owner, holder.copied().unwrap_or_default());
        // An unknown cgroup that holds a socket and no process is nobody to speak of.
        if held.owner.container_id.is_some() || groups.contains_key(&key) {
            let group = groups.entry(key).or_default();
            group.owner.get_or_insert(&held.owner);
            group.sockets.push(held);
        }
    }
    groups
}

fn subject(
    group: &Group<'_>,
    facts: &Facts,
    known: &Known<'_>,
    listening: &Listening<'_>,
    expectations: &Expectations,
) -> Option<Subject> {
    let owner = group.owner?;
    let label = label(group, owner);
    let holds = HeldSockets::of(&group.sockets, owner, listening);
    let container = owner.container.as_deref().cloned().map(Box::new);
    let way = way(group, owner, known);
    if way == Way::Handed && !is_worth_telling(&holds) {
        return None;
    }
    let mut exposed: Vec<_> =
        group.processes.iter().flat_map(|present| present.exposed.iter().cloned()).collect();
    // Of several processes the one counts that may do more.
    exposed.sort_by(|a, b| b.cmp(a));
    exposed.dedup_by(|a, b| (&a.host_path, &a.container_path) == (&b.host_path, &b.container_path));
    exposed.reverse();
    Some(Subject {
        kind: owner.kind,
        container_id: owner.container_id.clone(),
        label,
        runtime: container
            .as_ref()
            .map(|container| container.runtime.clone())
            .or_else(|| owner.runtime.map(str::to_owned)),
        attribution: Attributed {
            method: owner.method,
            confidence: owner.confidence,
            cgroup_path: owner.cgroup_path.clone(),
        },
        way,
        processes: group.processes.iter().map(|present| process(present)).collect(),
        exposed,
        holds,
        part_of: container.as_deref().and_then(PartOf::of),
        expectation: expectation(container.as_deref(), expectations, facts),
        container,
        risk: risk::Level::None,
        reasons: Vec::new(),
    })
}

/// The container's name, or that of the first process of none.
fn label(group: &Group<'_>, owner: &Owner) -> String {
    match (&owner.container_id, group.processes.first()) {
        (None, Some(first)) => {
            format!("{}[{}]", text(&first.process.name).readable, first.process.pid)
        }
        _ => owner.label().to_owned(),
    }
}

/// Standard output may be a unix socket that somebody handed down; that is no more
/// than a pipe would be.
fn is_worth_telling(holds: &HeldSockets) -> bool {
    let HeldSockets { listeners, connections, unix_listeners, packet, raw, netlink, .. } = holds;
    !listeners.is_empty()
        || connections.count > 0
        || !unix_listeners.is_empty()
        || !packet.is_empty()
        || !raw.is_empty()
        || !netlink.is_empty()
}

fn way(group: &Group<'_>, owner: &Owner, known: &Known<'_>) -> Way {
    match owner.kind {
        OwnerKind::Unknown => return Way::FalseName,
        OwnerKind::ContainerUnknown | OwnerKind::Host => {
            let mounts = group.processes.first().map(|present| present.mount_namespace);
            let whose = mounts.and_then(|mounts| known.by_mounts.get(&mounts));
            let name = |one: &&Counted| match &*one.container.name {
                "" => one.container.id.clone(),
                name => name.to_owned(),
            };
            return Way::OwnNamespaces { mounts_of: whose.map(name) };
        }
        OwnerKind::Container => {}
    }
    if group.processes.is_empty() {
        return Way::Handed;
    }
    let Some(container) = &owner.container else { return Way::Unknown };
    match &*container.network_mode {
        "host" => Way::Declared,
        "" => Way::Unknown,
        mode => other_way(mode, group, container, known),
    }
}

/// It declares another network than the host's.
fn other_way(mode: &str, group: &Group<'_>, container: &Container, known: &Known<'_>) -> Way {
    let declared = match mode {
        "default" => "bridge".to_owned(),
        other => other.to_owned(),
    };
    let is_first = |present: &&Present| present.process.pid == container.pid;
    // Before an inspect has told, its first process is not known.
    if container.pid != 0 && !group.processes.iter().any(is_first) {
        return Way::Entered { declared };
    }
    match mode.strip_prefix("container:") {
        // Both are here, because the first process is where the other's network is.
        Some(id) => Way::Joined { container: id.to_owned(), name: known.name(id) },
        None => Way::Undeclared { declared },
    }
}

fn process(present: &Present) -> ProcessSeen {
    let process = &present.process;
    ProcessSeen {
        pid: process.pid,
        name: text(&process.name).readable,
        executable: text(&process.executable.path).readable,
        command_line: (!process.arguments.is_empty() || !process.arguments_truncated)
            .then(|| command_line(&process.arguments)),
        privileges: present.privileges.clone(),
    }
}

fn expectation(
    container: Option<&Container>,
    expectations: &Expectations,
    facts: &Facts,
) -> ExpectationSeen {
    // Without a runtime's word there is neither name nor label to go by.
    if container.is_none() && facts.silent_runtime {
        return ExpectationSeen { standing: "unknown", expectation: None, because: None };
    }
    let standing = container.map_or(Standing::Unexpected { because: None }, |container| {
        expectations.standing(container, facts.wall_ns)
    });
    let name = standing.name();
    let (expectation, because) = match standing {
        Standing::Expected(one) | Standing::Expired(one) => (Some(Expectation::clone(&one)), None),
        Standing::Unexpected { because } => (None, because),
    };
    ExpectationSeen { standing: name, expectation, because }
}
