//! A live run from start to end: the pipeline on a thread of its own, and on
//! this one the container runtime, signals and the service manager.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use hostnet_abi::Hook;
use sd_notify::NotifyState;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use uuid::Uuid;

use crate::{
    agent::pipeline::{Control, Pipeline},
    ask::in_time,
    attribute::{Policy, RuntimeNews},
    config,
    engine::{
        capture::Recorder,
        input::World,
        stages::{Filter, Stages, Summary},
    },
    format::ecs::Identity,
    judge::{Judge, Law},
    kernel::{self, LoadOptions, Programs},
    metrics::{Listen, Metrics, Report, Server},
    output::{Output, is_broken_pipe},
    sources::{docker, identity},
};

/// How long a run may take to drain and write after it was told to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// Messages to the pipeline that may wait; the sender waits when it is behind. Room for all
/// of them is made, and written to, at once: 64 bytes each.
const MOST_CONTROLS: usize = 1 << 14;

/// Container ids waiting to be asked for; more are found by the next reconcile.
const MOST_WANTED: usize = 1024;

/// What a run is made of.
pub struct Run {
    /// How the programs are loaded.
    pub load: LoadOptions,
    /// Where names come from.
    pub docker: docker::Options,
    /// Which events are passed on.
    pub filter: Filter,
    /// Where the user's own rules are, if they are to be judged.
    pub rules: Option<config::Rules>,
    /// What findings are made by.
    pub law: Law,
    /// Where the inputs are written down.
    pub record: Option<PathBuf>,
    /// What the start event says of the settings.
    pub settings: serde_json::Value,
    /// How the run tells of itself.
    pub metrics: MetricsOptions,
}

/// How a run tells of itself.
#[derive(Default)]
pub struct MetricsOptions {
    /// The numbers; outputs may hold them, too.
    pub metrics: Arc<Metrics>,
    /// Where they are served, if anywhere.
    pub listen: Option<Listen>,
    /// How often they are told as an event, if ever.
    pub heartbeat_every: Option<Duration>,
}

impl MetricsOptions {
    const fn is_wanted(&self) -> bool {
        self.listen.is_some() || self.heartbeat_every.is_some()
    }
}

/// Makes the outputs of a run.
pub type MakeOutputs<'a> = &'a dyn Fn(&Identity) -> Result<Vec<Box<dyn Output>>>;

/// Observes until a signal, or until nobody reads standard output any more.
///
/// # Errors
/// [`kernel::CannotObserve`] when nothing can be observed; [`BadOutput`] when
/// an output cannot be opened.
pub fn observe(run: Run, make_outputs: MakeOutputs<'_>) -> Result<Summary> {
    // Outputs first: a wrong path is found before anything is attached.
    Opened::open(run, make_outputs)?.load()?.spawn()?.attend()
}

/// A run whose outputs are open; nothing is attached.
struct Opened {
    run: Run,
    identity: Identity,
    outputs: Vec<Box<dyn Output>>,
    recorder: Option<Recorder>,
    server: Option<Server>,
}

/// A run whose programs are attached; nobody reads what they tell.
struct Loaded {
    opened: Opened,
    programs: Programs,
    policy: Policy,
}

/// A run whose pipeline is at work on its thread.
struct Running {
    docker: docker::Options,
    wanted: tokio::sync::mpsc::Receiver<String>,
    control: SyncSender<Control>,
    start: oneshot::Receiver<()>,
    end: oneshot::Receiver<()>,
    signals: Signals,
    runtime: Runtime,
    thread: JoinHandle<Result<Summary>>,
}

impl Opened {
    fn open(run: Run, make_outputs: MakeOutputs<'_>) -> Result<Self> {
        let identity = ask_identity(Uuid::now_v7());
        let outputs = make_outputs(&identity).map_err(BadOutput)?;
        let recorder = run.record.as_deref().map(Recorder::create);
        let recorder = recorder.transpose().map_err(BadOutput)?;
        let MetricsOptions { metrics, listen, .. } = &run.metrics;
        let server = listen.as_ref().map(|listen| Server::open(listen, Arc::clone(metrics)));
        let server = server.transpose().map_err(BadOutput)?;
        for destination in &run.law.destinations {
            tracing::warn!("{}: use a unix socket, or TLS", destination.warning());
        }
        Ok(Self { run, identity, outputs, recorder, server })
    }

    fn load(self) -> Result<Loaded> {
        let Run { load, metrics, .. } = &self.run;
        let mut programs = kernel::load(load)?;
        if let Some(meter) = programs.meter.take().filter(|_| metrics.is_wanted()) {
            let followed = metrics.metrics.follow(meter);
            followed.context("cannot start the thread that reads programs and maps")?;
        }
        let policy = policy(&programs, load.all, self.identity.run);
        Ok(Loaded { opened: self, programs, policy })
    }
}

impl Loaded {
    fn spawn(self) -> Result<Running> {
        let Self { opened, programs, policy } = self;
        let Opened { run, identity, outputs, recorder, server } = opened;
        let (control, controls) = mpsc::sync_channel(MOST_CONTROLS);
        let (ask, wanted) = tokio::sync::mpsc::channel(MOST_WANTED);
        // Refused when too many wait; the next reconcile finds those.
        let inspect = Box::new(move |id| drop(ask.try_send(id)));
        let stages = Stages::new(policy.clone(), Judge::new(&run.law), run.filter, outputs);
        let report = Report::new(run.metrics.metrics, run.metrics.heartbeat_every);
        let mut pipeline = Pipeline::new(programs, stages, recorder, inspect, report, run.rules);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the asynchronous runtime")?;
        // Before the start is told: whoever reads that may ask for the end at once.
        let signals = {
            let _inside = runtime.enter();
            Signals::mind()?
        };
        if let Some(server) = server {
            runtime.spawn(server.serve());
        }
        let world = World::Run { policy, identity, law: Box::new(run.law) };
        let (started, start) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name("pipeline".to_owned()).spawn(move || {
            let begun = pipeline.start(world, run.settings, &controls);
            // The other side may have stopped listening already.
            let _nobody_listens = started.send(());
            let outcome = pipeline.run(begun, &controls);
            let _nobody_listens = ended.send(());
            outcome
        })?;
        let docker = run.docker;
        Ok(Running { docker, wanted, control, start, end, signals, runtime, thread })
    }
}

impl Running {
    fn attend(self) -> Result<Summary> {
        let Self { docker, wanted, control, start, end, signals, runtime, thread } = self;
        let outcome = runtime.block_on(attend(docker, wanted, control, (start, end), signals));
        // A container's file, or a resolver, may hold up whoever asks it for ever.
        runtime.shutdown_background();
        outcome?;
        finished(thread)
    }
}

/// Which host and run this is.
fn ask_identity(run: Uuid) -> Identity {
    let network_namespace = kernel::Host::read().map_or(0, |host| host.network_namespace);
    let identity = in_time::ask("ask-identity", in_time::PATIENCE, move || {
        identity::identity(network_namespace, run, identity::Keep::Yes)
    });
    identity.unwrap_or_else(|unanswered| {
        tracing::warn!("which host this is is not known: its files gave {unanswered}");
        Identity { network_namespace, run, ..Identity::default() }
    })
}

/// What attribution may rely on, where these programs are attached.
fn policy(programs: &Programs, all: bool, run: Uuid) -> Policy {
    let Programs { root, coverage, host, .. } = programs;
    let sees = |hooks: &[Hook]| hooks.iter().all(|hook| coverage.is_attached(*hook));
    Policy {
        all,
        v1_only: root.is_private(),
        sees_refusals: sees(&[Hook::InetBind, Hook::Inet6Bind]),
        sees_acceptor: sees(&[Hook::InetAccept]),
        sees_accepts_within_host: sees(&[Hook::InetSockSetState]),
        sees_listeners: sees(&[Hook::InetSockSetState]),
        // Either way of seeing them has both families.
        sees_first_sends: sees(&[Hook::SockSendLength])
            || sees(&[Hook::UdpSendmsg, Hook::Udpv6Sendmsg]),
        sees_datagram_ends: sees(&[Hook::PostBind4, Hook::PostBind6, Hook::SockRelease]),
        host_mount_namespace: host.mount_namespace,
        own_mount_namespace: host.own_mount_namespace,
        own_pid: if host.is_agent_apart() { std::process::id() } else { 0 },
        seed: run.as_u64_pair().1,
    }
}

/// An output that cannot be opened.
#[derive(Debug)]
pub struct BadOutput(anyhow::Error);

impl std::fmt::Display for BadOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for BadOutput {}

/// The signals a run minds; one that comes early waits.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on they no longer end the process. Needs the runtime's context.
    fn mind() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn attend(
    docker: docker::Options,
    wanted: tokio::sync::mpsc::Receiver<String>,
    control: SyncSender<Control>,
    (mut start, mut end): (oneshot::Receiver<()>, oneshot::Receiver<()>),
    mut signals: Signals,
) -> Result<()> {
    let news = control.clone();
    let follow = tokio::spawn(docker::follow(docker, wanted, move |told| {
        match &told {
            RuntimeNews::Reachable { endpoint, version } => {
                tracing::info!("container runtime answers: {version} at {endpoint}");
            }
            RuntimeNews::Unreachable { endpoint, reason } => {
                tracing::info!("container runtime at {endpoint} does not answer: {reason}");
            }
            RuntimeNews::Container(_) | RuntimeNews::Users { .. } | RuntimeNews::Removed { .. } => {
            }
        }
        news.send(Control::Runtime(told)).is_ok()
    }));
    let mut has_started = false;
    let reason = loop {
        tokio::select! {
            _ = &mut start, if !has_started => {
                has_started = true;
                let status = NotifyState::Status("observing the host network namespace");
                notify(&[NotifyState::Ready, status]);
            }
            _ = signals.interrupt.recv() => break "interrupted",
            _ = signals.terminate.recv() => break "terminated",
            _ = signals.hangup.recv() => {
                notify(&[NotifyState::Reloading]);
                drop(control.send(Control::Reopen));
                notify(&[NotifyState::Ready]);
            }
            _ = &mut end => {
                follow.abort();
                return Ok(());
            }
        }
    };
    notify(&[NotifyState::Stopping]);
    follow.abort();
    if !has_started {
        // A start takes as long as the host is large; what follows it does not.
        drop(start.await);
    }
    drop(control.send(Control::Stop(reason.to_owned())));
    tokio::time::timeout(DRAIN_PATIENCE, end)
        .await
        .map_err(|_elapsed| {
            anyhow!("an output did not take the last events in {DRAIN_PATIENCE:?}")
        })?
        .ok();
    Ok(())
}

/// Tells the service manager, when there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot notify the service manager: {error}");
    }
}

fn finished(thread: JoinHandle<Result<Summary>>) -> Result<Summary> {
    match thread.join() {
        Ok(Err(error)) if is_broken_pipe(&error) => Ok(Summary::default()),
        Ok(outcome) => outcome,
        Err(_panic) => Err(anyhow!("the pipeline ended badly; its message is above")),
    }
}
