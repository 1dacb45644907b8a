//! The agent's configuration file. What is not in it has the default; what is
//! not known is an error that names the line.

mod explain;
mod law;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use hostnet_abi::Hook;
use serde::{Deserialize, Serialize};

use self::explain::explain;
use crate::{
    judge::{self, expectations},
    kernel::{BeyondIp, Budget, LoadOptions},
    metrics::Listen,
    record, sink,
    sources::{docker::LabelLimits, identity::state_directory},
};

/// Where the configuration is looked for when no file is named.
pub const DEFAULT_PATH: &str = "/etc/hostnet/config.toml";

/// Where rules are looked for unless the configuration says so.
pub const RULES_DIRECTORY: &str = "/etc/hostnet/rules";

/// Room for 300 000 connects in one burst. Kernel memory, not the agent's.
pub const DEFAULT_RING_MIB: u32 = 32;

/// Room for all acts that one owner may have remembered at once, of three kinds.
pub const DEFAULT_RESERVED_RING_MIB: u32 = 4;

/// A sixth of what the agent takes from one busy core (60 000 a second, `cargo xtask
/// bench`), so that a flood leaves time and room for the others.
pub const DEFAULT_EVENTS_PER_SECOND: u32 = 10_000;

/// A sixth of the ring.
pub const DEFAULT_BURST: u32 = 50_000;

/// Where to pin, for whoever does.
pub const DEFAULT_PIN: &str = "/sys/fs/bpf/hostnet";

/// What an endpoint of a runtime's API begins with.
const ENDPOINTS: [&str; 5] = ["unix://", "tcp://", "http://", "https://", "/"];

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is observed.
    pub observe: Observe,
    /// Where names come from.
    pub docker: Docker,
    /// `[labels]`
    pub labels: Labels,
    /// How the agent tells of itself.
    pub metrics: Metrics,
    /// Where events go; standard output when there is none.
    pub sink: Vec<sink::Settings>,
    /// What is kept on this host.
    pub history: History,
    /// What findings are made of.
    pub judge: judge::Settings,
    /// Where the user's own rules are.
    pub rules: Rules,
    /// Which containers may use the host's network.
    pub expect: Vec<expectations::Entry>,
    /// Whether they may say so themselves.
    pub expectations: expectations::Settings,
}

/// `[observe]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// Tell host processes, too.
    pub all: bool,
    /// Size of the kernel's ring buffer in MiB, a power of two.
    pub ring_mib: u32,
    /// Size of the ring for new acts of owners whose budget is spent, in MiB, likewise.
    pub reserved_ring_mib: u32,
    /// Records a second that one container, or cgroup of the host's, may keep up; more
    /// are counted, but for new acts, which are told. 0 is no limit.
    pub events_per_second: u32,
    /// Records that it may tell at once after a rest.
    pub burst: u32,
    /// Pin the programs below this directory of the BPF file system: they go on when
    /// the agent ends badly, and the next one takes them over. Not pinned by default,
    /// because what is pinned costs the host until somebody removes it.
    pub pin: Option<PathBuf>,
    /// What is pinned stays when the agent is stopped, too.
    pub keep_pinned: bool,
    /// Write down all inputs of the run to this new file, for replay.
    pub record: Option<PathBuf>,
    /// Let the eBPF programs log to the agent's own log.
    pub kernel_log: bool,
    /// How sockets beyond IP are seen.
    pub beyond_ip: BeyondIp,
    /// Hooks to leave out, by their program's name: for a kernel on which one is
    /// dear or wrong, and for tests that have to fail without it. The coverage
    /// statement says so.
    pub without: Vec<String>,
}

/// `[rules]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// A directory of Sigma rules, [`RULES_DIRECTORY`] when not given.
    pub directory: PathBuf,
}

impl Default for Rules {
    fn default() -> Self {
        Self { directory: RULES_DIRECTORY.into() }
    }
}

impl Rules {
    /// Where they are; nowhere while the usual directory is not there, which nobody
    /// asked for.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        let is_there = self.directory != Path::new(RULES_DIRECTORY) || self.directory.exists();
        is_there.then_some(&*self.directory)
    }
}

/// `[docker]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Docker {
    /// Endpoint of the runtime's API; `DOCKER_HOST` and the usual places when not given.
    pub host: Option<String>,
}

/// `[labels]`: what is kept of a container's labels. Those of Compose, Swarm,
/// Kubernetes, Podman and hostnet, and those that an `[[expect]]` names, come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    /// Most labels.
    pub max: usize,
    /// Most bytes of them together, as they are written: a control character takes six.
    pub max_bytes: usize,
}

impl Default for Labels {
    fn default() -> Self {
        let LabelLimits { most, bytes, .. } = LabelLimits::default();
        Self { max: most, max_bytes: bytes }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where `/metrics`, `/healthz` and `/readyz` are served: `unix:/PATH` or
    /// `ADDRESS:PORT`. Nowhere when not given.
    pub listen: Option<Listen>,
    /// Seconds between two heartbeats in the stream; 0 for none.
    pub heartbeat_seconds: u32,
}

impl Metrics {
    /// Time between two heartbeats, if there are to be any.
    #[must_use]
    pub fn heartbeat_every(&self) -> Option<Duration> {
        let seconds = u64::from(self.heartbeat_seconds);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: None, heartbeat_seconds: 60 }
    }
}

/// `[history]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// Keep events on this host; without it, what a sink cannot take at once is
    /// kept in memory, not for long.
    pub enabled: bool,
    /// The file; `history.db` in [`state_directory`] when not given.
    pub path: Option<PathBuf>,
    /// Days after which events go.
    pub max_age_days: u32,
    /// MiB beyond which the oldest events go.
    pub max_mib: u32,
    /// Seconds between two signed values of the hash chain, while there is
    /// something new.
    pub checkpoint_seconds: u32,
}

impl Default for History {
    fn default() -> Self {
        let (max_age_days, max_mib, checkpoint_seconds) = (30, 2048, 10);
        Self { enabled: true, path: None, max_age_days, max_mib, checkpoint_seconds }
    }
}

impl History {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_else(|| state_directory().join("history.db"))
    }

    /// What the record is to know; `None` when there is to be no history.
    #[must_use]
    pub fn settings(&self) -> Option<record::Settings> {
        let age = Duration::from_secs(u64::from(self.max_age_days) * 24 * 60 * 60);
        self.enabled.then(|| record::Settings {
            path: self.path(),
            limits: record::Limits { age, bytes: u64::from(self.max_mib) << 20 },
            checkpoint_every: Duration::from_secs(self.checkpoint_seconds.into()),
        })
    }

    fn fault(&self) -> Option<String> {
        let numbers = [
            ("max_age_days", self.max_age_days, 1),
            ("max_mib", self.max_mib, record::Limits::LEAST_MIB),
            ("checkpoint_seconds", self.checkpoint_seconds, 1),
        ];
        let (name, number, least) =
            numbers.into_iter().find(|(_, number, least)| number < least)?;
        Some(format!("history.{name} is {number}: it must be at least {least}"))
    }
}

impl Default for Observe {
    fn default() -> Self {
        Self {
            all: false,
            ring_mib: DEFAULT_RING_MIB,
            reserved_ring_mib: DEFAULT_RESERVED_RING_MIB,
            events_per_second: DEFAULT_EVENTS_PER_SECOND,
            burst: DEFAULT_BURST,
            pin: None,
            keep_pinned: false,
            record: None,
            kernel_log: false,
            beyond_ip: BeyondIp::default(),
            without: Vec::new(),
        }
    }
}

impl Config {
    /// Reads `path`, or the default file when there is one, or the defaults.
    ///
    /// # Errors
    /// When the file cannot be read or holds something that is not known.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let path = match path {
            Some(path) => path,
            None if !Path::new(DEFAULT_PATH).exists() => return Ok(Self::default()),
            None => Path::new(DEFAULT_PATH),
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the configuration {} is wrong", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| anyhow!(explain(text, &error)))?;
        for (name, mib) in [
            ("ring_mib", config.observe.ring_mib),
            ("reserved_ring_mib", config.observe.reserved_ring_mib),
        ] {
            if !mib.is_power_of_two() || mib > 1024 {
                bail!("observe.{name} is {mib}: it must be a power of two from 1 to 1024");
            }
        }
        if config.observe.pin.is_some() && config.observe.kernel_log {
            bail!(
                "observe.kernel_log is true: leave it out, or observe.pin; what the programs log is not pinned"
            );
        }
        if config.observe.pin.as_ref().is_some_and(|pin| !pin.is_absolute()) {
            bail!("observe.pin is not an absolute path: it must be, such as {DEFAULT_PIN}");
        }
        if !config.rules.directory.is_absolute() {
            bail!("rules.directory is not an absolute path: it must be, such as {RULES_DIRECTORY}");
        }
        if config.observe.keep_pinned && config.observe.pin.is_none() {
            bail!("observe.keep_pinned is true: it needs observe.pin, such as {DEFAULT_PIN}");
        }
        if config.observe.events_per_second > 0 && config.observe.burst == 0 {
            bail!("observe.burst is 0: it must be 1 or more where events_per_second is a limit");
        }
        for name in &config.observe.without {
            if hook_of(name).is_none() {
                let known: Vec<&str> = Hook::ALL.iter().map(|hook| hook.program()).collect();
                bail!("observe.without names {name:?}: it must be one of {}", known.join(", "));
            }
        }
        if let Some(host) = &config.docker.host
            && !ENDPOINTS.iter().any(|scheme| host.starts_with(scheme))
        {
            bail!("docker.host is {host:?}: it must begin with one of {}", ENDPOINTS.join(", "));
        }
        if let Some(fault) = config
            .sink
            .iter()
            .find_map(sink::Settings::fault)
            .or_else(|| config.history.fault())
            .or_else(|| config.judge.fault())
        {
            bail!(fault);
        }
        let mut names = BTreeSet::new();
        for name in config.sink.iter().map(sink::Settings::name) {
            if names.contains(&name) {
                bail!("two sinks are called {name:?}: give each its own sink.name");
            }
            names.insert(name);
        }
        Ok(config)
    }
}

impl Observe {
    /// The hooks to leave out.
    #[must_use]
    pub fn hooks_left_out(&self) -> Vec<Hook> {
        self.without.iter().filter_map(|name| hook_of(name)).collect()
    }

    /// How the programs are loaded for it.
    #[must_use]
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            ring_bytes: self.ring_mib << 20,
            reserved_bytes: self.reserved_ring_mib << 20,
            budget: Budget { per_second: self.events_per_second, burst: self.burst },
            sensitive: judge::sensitive(),
            all: self.all,
            kernel_log: self.kernel_log,
            beyond_ip: self.beyond_ip,
            without: self.hooks_left_out(),
            pin: self.pin.clone(),
            keep: self.keep_pinned,
        }
    }
}

/// The hook whose program has this name.
fn hook_of(name: &str) -> Option<Hook> {
    Hook::ALL.iter().copied().find(|hook| hook.program() == name)
}
