//! Evidence for the CIS Docker Benchmark, recommendation 5.10 (from version 1.6 on;
//! 5.9 before): that the host's network namespace is not shared. The benchmark asks
//! what containers are configured with; beside it stands where they are.

use std::collections::HashMap;

use serde::Serialize;

use super::{Subject, Way};
use crate::sources::docker::Census;

/// The recommendation and how each container does.
#[derive(Clone, Debug, Serialize)]
pub struct Benchmark {
    /// Whose recommendation.
    pub benchmark: &'static str,
    /// Its number.
    pub recommendation: &'static str,
    /// What it says.
    pub title: &'static str,
    /// `pass` when every container passes.
    pub result: Verdict,
    /// Every container of every runtime, those that do not run included.
    pub containers: Vec<Check>,
}

/// How something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As recommended.
    Pass,
    /// Not so.
    Fail,
}

/// One container.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its id.
    pub container_id: String,
    /// Its name.
    pub name: String,
    /// How it does.
    pub result: Verdict,
    /// Why.
    pub evidence: String,
}

impl Benchmark {
    /// Of all containers that the runtimes have, and of those only the kernel shows.
    pub fn of(runtimes: &[Census], subjects: &[Subject]) -> Self {
        let here: HashMap<&str, &Subject> = subjects
            .iter()
            .filter_map(|subject| Some((subject.container_id.as_deref()?, subject)))
            .collect();
        let told = runtimes.iter().flat_map(|census| &census.containers).map(|counted| {
            let container = &counted.container;
            let mode = &container.network_mode;
            let subject = here.get(&*container.id).copied();
            let fails = mode == "host" || subject.is_some_and(|one| !one.processes.is_empty());
            let is_where = match subject {
                Some(subject) => counted_processes(subject),
                None if counted.is_alive() => {
                    "no process in the host's network namespace".to_owned()
                }
                None => format!("not running ({})", counted.state),
            };
            Check {
                container_id: container.id.clone(),
                name: container.name.clone(),
                result: if fails { Verdict::Fail } else { Verdict::Pass },
                evidence: format!("NetworkMode={mode}; {is_where}"),
            }
        });
        let mut containers: Vec<Check> = told.collect();
        let others: Vec<Check> = subjects
            .iter()
            .filter(|subject| subject.way == Way::Unknown && subject.container.is_none())
            .filter_map(|subject| Some((subject.container_id.as_deref()?, subject)))
            .map(|(id, subject)| Check {
                container_id: id.to_owned(),
                name: subject.label.clone(),
                result: Verdict::Fail,
                evidence: format!("NetworkMode not known; {}", counted_processes(subject)),
            })
            .collect();
        containers.extend(others);
        let fails = containers.iter().any(|check| check.result == Verdict::Fail);
        Self {
            benchmark: "CIS Docker Benchmark v1.6.0",
            recommendation: "5.10",
            title: "Ensure that the host's network namespace is not shared",
            result: if fails { Verdict::Fail } else { Verdict::Pass },
            containers,
        }
    }
}

fn counted_processes(subject: &Subject) -> String {
    match &*subject.processes {
        [] => "sockets of the host's network namespace, and no process in it".to_owned(),
        [one] => format!("process {} is in the host's network namespace", one.pid),
        [first, ..] => format!(
            "{} processes are in the host's network namespace, the first of them {}",
            subject.processes.len(),
            first.pid
        ),
    }
}
