//! The container runtime's word on its containers, through the API that Docker
//! and Podman share. This folder is the only code that imports bollard.
//!
//! The event stream says when to look, the list says what the stream forgot, and
//! only an inspect is believed. A container that is gone before it could be
//! inspected is told as its event or the list showed it: `created` is then empty.

mod bounded;
mod census;
mod client;
mod events;
mod follower;
mod inspect;
mod inspections;
mod labels;
mod transport;
mod words;

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use bollard::errors::Error;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hyper::body::Bytes;
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::warn;

use super::passwd;
use crate::{
    attribute::RuntimeNews,
    event::{
        Container,
        loopback::{self, Destination},
    },
};
pub use census::{Census, Counted, census};
use client::{Runtime, connect, describe, endpoints, is_answer, late};
use events::{BackOff, Events};
use follower::{Action, Answering, Follower, Input, Reply};
use inspect::Inspected;
use inspections::Answer;
pub use labels::LabelLimits;
use transport::Endpoint;

/// How to reach the runtime and how patient to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Overrides `DOCKER_HOST` and `CONTAINER_HOST`.
    pub endpoint: Option<String>,
    /// How often the list is compared with what is known.
    pub reconcile_every: Duration,
    /// The longest any single request may take.
    pub request_timeout: Duration,
    /// What is told of containers' labels.
    pub labels: LabelLimits,
}

impl Default for Options {
    fn default() -> Self {
        let five = Duration::from_secs(5);
        let labels = LabelLimits::default();
        Self { endpoint: None, reconcile_every: five, request_timeout: five, labels }
    }
}

/// Follows the runtime until `news` is closed. An absent, unreadable or restarted
/// daemon is tried again, and each change of state is told once. The full
/// container ids from `wanted` are inspected ahead of all else.
pub async fn follow(
    options: Options,
    mut wanted: Receiver<String>,
    news: impl Fn(RuntimeNews) -> bool,
) {
    let mut endpoints = endpoints(options.endpoint.as_deref(), |name| std::env::var(name).ok());
    let mut follower = Follower::new(options.labels.clone());
    let mut back_off = BackOff::default();
    loop {
        let is_heard = match connect(&endpoints, options.request_timeout).await {
            Ok(runtime) => {
                // A second runtime must not stand in for the first while that one
                // restarts: all containers would seem to be gone.
                endpoints = vec![runtime.endpoint.clone()];
                let began = Instant::now();
                let is_heard = session(&mut follower, &runtime, &options, &mut wanted, &news).await;
                back_off.lasted(began);
                is_heard
            }
            Err((endpoint, reason)) => follower.unreachable(endpoint, reason).is_none_or(&news),
        };
        if !is_heard {
            return;
        }
        // The list of the next connection covers what is wanted in the meantime.
        let pause = sleep(back_off.next());
        tokio::pin!(pause);
        while tokio::select! { () = &mut pause => false, id = wanted.recv() => id.is_some() } {}
        pause.await;
    }
}

/// One look for `doctor`: who answers there, or exactly why nobody does.
pub async fn probe(options: &Options) -> Result<String, String> {
    let endpoints = endpoints(options.endpoint.as_deref(), |name| std::env::var(name).ok());
    match connect(&endpoints, options.request_timeout).await {
        Ok(runtime) => Ok(format!("{} at {}", runtime.version, runtime.endpoint)),
        Err((endpoint, reason)) => Err(format!("{endpoint}: {reason}")),
    }
}

/// Where the API is asked over the loopback without TLS, if it is.
#[must_use]
pub fn on_loopback(endpoint: Option<&str>) -> Option<Destination> {
    let env = |name: &str| std::env::var(name).ok();
    let at = endpoints(endpoint, env).into_iter().filter_map(|text| {
        let Ok(Endpoint::Tcp(address)) = Endpoint::read(&text, env) else { return None };
        let (host, port) = address.rsplit_once(':')?;
        Some(loopback::addresses(host, port.parse().ok()?))
    });
    let at: Vec<_> = at.flatten().collect();
    let what = "what hostnet asks the container runtime".to_owned();
    (!at.is_empty()).then_some(Destination { what, at })
}

/// Follows the runtime until it does not answer; false when nobody listens any more.
async fn session(
    follower: &mut Follower,
    runtime: &Runtime,
    options: &Options,
    wanted: &mut Receiver<String>,
    news: &impl Fn(RuntimeNews) -> bool,
) -> bool {
    let limit = options.request_timeout;
    let mut events = Events::new(runtime);
    let mut replies = FuturesUnordered::<BoxFuture<'static, Reply>>::new();
    let mut ticks = interval(options.reconcile_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wanting = true;
    let (endpoint, version) = (runtime.endpoint.clone(), runtime.version.clone());
    follower.begin(Answering { kind: runtime.kind, endpoint, version });
    loop {
        let input = tokio::select! {
            event = events.next() => match event {
                Ok(event) => match words::happening(event, runtime.kind) {
                    Some(happening) => Input::Happened(happening),
                    None => continue,
                },
                Err(lasted) => Input::Broken { lasted },
            },
            id = wanted.recv(), if wanting => match id {
                Some(id) => Input::Wanted(id),
                None => {
                    wanting = false;
                    continue;
                }
            },
            Some(reply) = replies.next() => Input::Reply(reply),
            _ = ticks.tick(), if !follower.is_listing() => Input::Tick,
        };
        for action in follower.on(input, Instant::now()) {
            match action {
                Action::Tell(told) => {
                    if !news(told) {
                        return false;
                    }
                }
                Action::Warn(warning) => warn!("{warning}"),
                Action::List => replies.push(list(runtime.list(), limit).boxed()),
                Action::ListSoon => ticks.reset_immediately(),
                Action::Inspect(id) => {
                    replies.push(inspect(runtime.inspect(&id), id, limit).boxed());
                }
                Action::Users { id, pid, namespace } => {
                    let users = passwd::claimed(pid, namespace);
                    replies.push(users.map(|users| Reply::Users(id, users)).boxed());
                }
                Action::End => return true,
            }
        }
    }
}

async fn list(answer: impl Future<Output = Result<Bytes, Error>>, limit: Duration) -> Reply {
    let asked = Instant::now();
    let list = timeout(limit, answer).await.map(|text| Ok(words::listed(&text?)?));
    match list {
        Ok(Ok(list)) => Reply::List(asked, list),
        Ok(Err(error)) if is_answer(&error) => Reply::NoList(describe(&error)),
        Ok(Err(error)) => Reply::Silence(describe(&error)),
        Err(_) => Reply::Silence(late(limit)),
    }
}

/// Adds to a container that runs what /proc shows of its first process.
fn locate(container: &mut Container) {
    if container.pid != 0 {
        let file = format!("/proc/{}/cgroup", container.pid);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        words::cgroup_v2(&text).clone_into(&mut container.cgroup_path);
        container.mount_namespace = mount_namespace(container.pid);
    }
}

/// Inode of a process' mount namespace; 0 when it is gone.
fn mount_namespace(pid: u32) -> u32 {
    let inode = std::fs::metadata(format!("/proc/{pid}/ns/mnt")).map(|metadata| metadata.ino());
    inode.ok().and_then(|inode| u32::try_from(inode).ok()).unwrap_or_default()
}

async fn inspect(answer: impl Future<Output = Inspected>, id: String, limit: Duration) -> Reply {
    let (answer, reason) = match timeout(limit, answer).await {
        Ok(Ok(Some((container, state)))) => (Answer::Found { container, state }, None),
        Ok(Ok(None)) => (Answer::Missing, None),
        Ok(Err(reason)) => (Answer::Failed, Some(reason)),
        Err(_) => (Answer::Failed, Some(late(limit))),
    };
    Reply::Inspect(id, answer, reason)
}
