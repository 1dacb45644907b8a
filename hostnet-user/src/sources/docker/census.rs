//! What the runtimes say of their containers at this moment, once: for whoever
//! looks and goes, and cannot wait for one that does not answer.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::client::{Runtime, connect, describe, endpoints, is_absent, late};
use super::{Options, words};
use crate::event::Container;

/// Inspects under way at once.
const WIDTH: usize = 16;

/// States in which a container has processes.
const ALIVE: [&str; 3] = ["running", "paused", "restarting"];

/// What one runtime says.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Where it was asked.
    pub endpoint: String,
    /// `docker` or `podman`.
    pub runtime: &'static str,
    /// Its own word for itself.
    pub version: String,
    /// Its containers, those that do not run included.
    pub containers: Vec<Counted>,
    /// What it did not say, as sentences.
    pub gaps: Vec<String>,
}

/// A container.
#[derive(Clone, Debug)]
pub struct Counted {
    /// As an inspect has it, or when it does not run, or none was answered, as the list has it.
    pub container: Container,
    /// `running`, `exited`, …
    pub state: String,
}

impl Counted {
    /// Whether it has processes.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        ALIVE.contains(&&*self.state)
    }
}

/// Asks every runtime there is. Those at the usual places may be absent; one that is
/// named may not. Gives up after `options.request_timeout`, all questions together.
pub async fn census(options: &Options) -> Vec<Result<Census, String>> {
    let endpoints = endpoints(options.endpoint.as_deref(), |name| std::env::var(name).ok());
    let is_chosen = endpoints.len() == 1;
    let asked = endpoints.iter().map(|endpoint| one(endpoint, is_chosen, options.request_timeout));
    let mut answers: Vec<Result<Census, String>> =
        join_all(asked).await.into_iter().flatten().collect();
    for census in answers.iter_mut().flatten() {
        census.containers.iter_mut().for_each(|one| options.labels.apply(&mut one.container));
    }
    answers
}

async fn one(endpoint: &str, is_chosen: bool, limit: Duration) -> Option<Result<Census, String>> {
    let deadline = Instant::now() + limit;
    let at = [endpoint.to_owned()];
    let connected = timeout_at(deadline, connect(&at, limit)).await;
    match connected.unwrap_or_else(|_| Err((endpoint.to_owned(), late(limit)))) {
        Ok(runtime) => Some(of_runtime(&runtime, deadline, limit).await),
        Err((_, reason)) if is_absent(&reason) && !is_chosen => None,
        Err((endpoint, reason)) => Some(Err(format!("{endpoint}: {reason}"))),
    }
}

async fn of_runtime(
    runtime: &Runtime,
    deadline: Instant,
    limit: Duration,
) -> Result<Census, String> {
    let silent = |reason: String| format!("{}: {reason}", runtime.endpoint);
    let text = timeout_at(deadline, runtime.list()).await;
    let text = text.map_err(|_| silent(late(limit)))?;
    let text = text.map_err(|error| silent(describe(&error)))?;
    let list = words::listed(&text).map_err(|error| silent(error.to_string()))?;
    let mut census = Census {
        endpoint: runtime.endpoint.clone(),
        runtime: runtime.kind,
        version: runtime.version.clone(),
        ..Census::default()
    };
    if list.is_cut || list.strange > 0 {
        let kept = list.containers.len();
        census.gaps.push(silent(format!(
            "only {kept} of its containers could be read: the others are not named here"
        )));
    }
    let listed = list.containers.into_iter();
    let mut counted: Vec<Counted> = listed
        .map(|one| Counted { container: *one.sketch(runtime.kind), state: one.state })
        .collect();
    // What shares the host's network by its own word is asked for first.
    counted.sort_by_key(|one| !is_telling(&one.container.network_mode));
    let asked = counted.iter().filter(|one| one.is_alive()).map(|one| &one.container.id);
    let asked: Vec<String> = asked.cloned().collect();
    let mut answers = stream::iter(asked)
        .map(|id| async {
            let answer = timeout_at(deadline, runtime.inspect(&id)).await;
            (id, answer.unwrap_or_else(|_| Err("no answer in time".to_owned())))
        })
        .buffer_unordered(WIDTH);
    let (mut inspected, mut failed) = (HashMap::new(), Vec::new());
    while let Some((id, answer)) = answers.next().await {
        match answer {
            Ok(container) => {
                inspected.insert(id, container);
            }
            Err(reason) => failed.push(reason),
        }
    }
    drop(answers);
    if let Some(reason) = failed.first() {
        let count = failed.len();
        census
            .gaps
            .push(silent(format!("{count} of its containers could not be inspected: {reason}")));
    }
    counted.retain_mut(|one| match inspected.remove(&one.container.id) {
        Some(Some((container, _))) => {
            one.container = *container;
            true
        }
        // It is gone since.
        Some(None) => false,
        None => true,
    });
    census.containers = counted;
    Ok(census)
}

/// Whether a network mode names somebody else's network.
fn is_telling(network_mode: &str) -> bool {
    network_mode == "host" || network_mode.starts_with("container:")
}
