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
        Container, UserNames,
        loopback::{self, Destination},
    },
};
pub use census::{Census, Counted, census};
use client::{Runtime, connect, describe, endpoints, is_answer, is_refusal, late};
use events::{BackOff, Events};
use inspect::Inspected;
use inspections::{Answer, Inspections};
pub use labels::LabelLimits;
use transport::Endpoint;
use words::{Happening, List};

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
    let mut follower = Follower::new(news, options.labels.clone());
    let mut back_off = BackOff::default();
    loop {
        match connect(&endpoints, options.request_timeout).await {
            Ok(runtime) => {
                // A second runtime must not stand in for the first while that one
                // restarts: all containers would seem to be gone.
                endpoints = vec![runtime.endpoint.clone()];
                let began = Instant::now();
                follower.session(&runtime, &options, &mut wanted).await;
                back_off.lasted(began);
            }
            Err((endpoint, reason)) => follower.unreachable(&endpoint, reason),
        }
        if !follower.listening {
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

/// What came back from the runtime.
enum Reply {
    List(Instant, List),
    /// It answers, but not with a list that we can read.
    NoList(String),
    /// It does not answer.
    Silence(String),
    /// And why it failed.
    Inspect(String, Answer, Option<String>),
    /// What a container calls its users.
    Users(String, UserNames),
}

struct Follower<N> {
    news: N,
    /// Cleared when nobody listens any more.
    listening: bool,
    /// The last word on whether the runtime answers.
    told: Option<RuntimeNews>,
    /// What was said last of a list, and of an inspect.
    no_list: String,
    no_inspect: String,
    inspections: Inspections,
    labels: LabelLimits,
}

impl<N: Fn(RuntimeNews) -> bool> Follower<N> {
    fn new(news: N, labels: LabelLimits) -> Self {
        let (no_list, no_inspect) = (String::new(), String::new());
        let inspections = Inspections::default();
        Self { news, listening: true, told: None, no_list, no_inspect, inspections, labels }
    }

    fn tell(&mut self, news: impl IntoIterator<Item = RuntimeNews>) {
        for mut news in news {
            if let RuntimeNews::Container(container) = &mut news {
                self.labels.apply(container);
            }
            self.listening = self.listening && (self.news)(news);
        }
    }

    fn reachable(&mut self, runtime: &Runtime) {
        let (endpoint, version) = (runtime.endpoint.clone(), runtime.version.clone());
        let news = RuntimeNews::Reachable { endpoint, version };
        if self.told.as_ref() != Some(&news) {
            self.told = Some(news.clone());
            self.tell([news]);
        }
    }

    fn unreachable(&mut self, endpoint: &str, reason: String) {
        if !matches!(self.told, Some(RuntimeNews::Unreachable { .. })) {
            let news = RuntimeNews::Unreachable { endpoint: endpoint.to_owned(), reason };
            self.told = Some(news.clone());
            self.tell([news]);
        }
    }

    fn complain(&mut self, list: &List) {
        if list.is_cut || list.strange > 0 {
            let kept = list.containers.len();
            let why = if list.is_cut { "there are more" } else { "others cannot be read" };
            self.warn_of_list(format!(
                "the list of containers is not complete: only {kept} of them are known, {why}"
            ));
        }
    }

    fn warn_of_list(&mut self, complaint: String) {
        if complaint != self.no_list {
            warn!("{complaint}");
            self.no_list = complaint;
        }
    }

    fn warn_of_inspect(&mut self, id: &str, reason: String) {
        if reason != self.no_inspect {
            warn!("could not inspect a container, {id}: {reason}");
            self.no_inspect = reason;
        }
    }

    /// Follows the runtime until it does not answer.
    async fn session(
        &mut self,
        runtime: &Runtime,
        options: &Options,
        wanted: &mut Receiver<String>,
    ) {
        let limit = options.request_timeout;
        let mut events = Events::new(runtime);
        let mut replies = FuturesUnordered::<BoxFuture<'static, Reply>>::new();
        let mut ticks = interval(options.reconcile_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut listing, mut wanting) = (false, true);
        self.inspections.begin();
        while self.listening {
            while let Some(id) = self.inspections.next() {
                replies.push(inspect(runtime.inspect(&id), id, limit).boxed());
            }
            let news = tokio::select! {
                event = events.next() => match event {
                    Ok(event) => match words::happening(event, runtime.kind) {
                        Some(Happening::Changed(sketch)) => {
                            self.inspections.changed(sketch, Instant::now())
                        }
                        Some(Happening::Removed(id)) => self.inspections.removed(id),
                        None => continue,
                    }
                    .into_iter()
                    .collect(),
                    Err(lasted) => {
                        // A stream that never works is no news; the list has to do.
                        if lasted {
                            self.inspections.doubt();
                        }
                        ticks.reset_immediately();
                        continue;
                    }
                },
                id = wanted.recv(), if wanting => {
                    match id {
                        Some(id) => self.inspections.wanted(&id, Instant::now()),
                        None => wanting = false,
                    }
                    continue;
                }
                Some(reply) = replies.next() => match reply {
                    Reply::Inspect(id, answer, reason) => {
                        if let Some(reason) = reason {
                            self.warn_of_inspect(&id, reason);
                        }
                        // A container that is known must not wait for what it claims.
                        if let Answer::Found { container, .. } = &answer
                            && container.pid != 0
                        {
                            replies.push(users(container).boxed());
                        }
                        self.inspections.answered(id, answer, Instant::now())
                    }
                    Reply::Users(id, users) => vec![RuntimeNews::Users { id, users }],
                    Reply::List(asked, list) => {
                        listing = false;
                        self.complain(&list);
                        let news = self.inspections.listed(list, runtime.kind, asked);
                        // Names first: whoever waits for the runtime waits for them.
                        self.tell(news);
                        self.reachable(runtime);
                        continue;
                    }
                    Reply::NoList(reason) => {
                        listing = false;
                        // One strange container is enough. The events still work.
                        if !matches!(self.told, Some(RuntimeNews::Reachable { .. })) {
                            self.unreachable(&runtime.endpoint, reason.clone());
                        }
                        let who = runtime.version.split(' ').next().unwrap_or("the runtime");
                        let did = if is_refusal(&reason) { "refused" } else { "did not send" };
                        self.warn_of_list(format!("{who} {did} the list of containers: {reason}"));
                        continue;
                    }
                    Reply::Silence(reason) => {
                        return self.unreachable(&runtime.endpoint, reason);
                    }
                },
                _ = ticks.tick(), if !listing => {
                    listing = true;
                    replies.push(list(runtime.list(), limit).boxed());
                    continue;
                }
            };
            self.tell(news);
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

fn users(container: &Container) -> impl Future<Output = Reply> + use<> {
    let (id, pid, namespace) = (container.id.clone(), container.pid, container.mount_namespace);
    async move { Reply::Users(id, passwd::claimed(pid, namespace).await) }
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
