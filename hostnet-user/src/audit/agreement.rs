//! What `docker ps --filter network=host` shows, beside what the kernel shows. The
//! filter reads what a container was configured with.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Subject, Way};
use crate::sources::docker::{Census, Counted};

/// How one Docker daemon's list compares with the kernel.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// The daemon.
    pub endpoint: String,
    /// Whether the list is right.
    pub agrees: bool,
    /// The ids that the list shows.
    pub listed: Vec<String>,
    /// Where it is not right.
    pub disagreements: Vec<Disagreement>,
}

/// Where the list is not right.
#[derive(Clone, Debug, Serialize)]
pub struct Disagreement {
    /// The container's id, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// What a person calls it.
    pub label: String,
    /// Whether the list shows it.
    pub is_listed: bool,
    /// Why the list is not right, as a sentence without a full stop.
    pub why: String,
}

impl Agreement {
    /// The list and the subjects, compared.
    pub fn of(census: &Census, subjects: &[Subject]) -> Self {
        let is_listed = |one: &&Counted| one.is_alive() && one.container.network_mode == "host";
        let listed: Vec<&Counted> = census.containers.iter().filter(is_listed).collect();
        let ids: BTreeSet<&str> = listed.iter().map(|one| &*one.container.id).collect();
        let here: BTreeSet<&str> = subjects
            .iter()
            .filter(|subject| !subject.processes.is_empty())
            .filter_map(|subject| subject.container_id.as_deref())
            .collect();
        let absent = listed.iter().filter(|one| !here.contains(&*one.container.id));
        let absent = absent.map(|one| Disagreement {
            container_id: Some(one.container.id.clone()),
            label: one.container.name.clone(),
            is_listed: true,
            why: "it is configured with the host's network, but none of its processes is there: \
                  the daemon itself may run in another network namespace"
                .to_owned(),
        });
        let missing = subjects.iter().filter_map(|subject| {
            let id = subject.container_id.as_deref();
            let is_there = id.is_some_and(|id| ids.contains(id));
            (!is_there).then(|| Disagreement {
                container_id: id.map(str::to_owned),
                label: subject.label.clone(),
                is_listed: false,
                why: why_missing(&subject.way),
            })
        });
        let disagreements: Vec<Disagreement> = absent.chain(missing).collect();
        Self {
            endpoint: census.endpoint.clone(),
            agrees: disagreements.is_empty(),
            listed: ids.into_iter().map(str::to_owned).collect(),
            disagreements,
        }
    }
}

fn why_missing(way: &Way) -> String {
    match way {
        Way::Declared => "another runtime has it".to_owned(),
        Way::Joined { .. } => {
            "it is configured with another container's network, which is the host's".to_owned()
        }
        Way::Undeclared { declared } => {
            format!("it is configured with the network {declared}, and runs in the host's")
        }
        Way::Entered { declared } => format!(
            "it is configured with the network {declared}, but some of its processes have moved into \
             the host's"
        ),
        Way::Unknown => "no container runtime that answered knows it".to_owned(),
        Way::OwnNamespaces { .. } => "no container runtime made it".to_owned(),
        Way::FalseName => "its cgroup is named after a container that runs elsewhere".to_owned(),
        Way::Handed => {
            "it holds sockets of the host's network, but none of its processes is there".to_owned()
        }
    }
}
