//! This machine: whether it can be measured, and what a reader must know of it.

use std::fs;

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// Where the load runs; it pins itself.
pub const LOAD_CPU: usize = 0;

/// Where hostnet, or what stands in for it, runs.
pub const WATCHER_CPU: usize = 1;

/// Where events are written: a disk would be measured along with the agent.
pub const MEMORY: &str = "/dev/shm";

/// What a reader must know to compare numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cpus: usize,
    pub kernel: String,
    pub load_average_before: f64,
    pub load_average_after: f64,
}

/// Fails when there is no point in beginning.
pub fn check() -> Result<()> {
    let allowed = sched_getaffinity(None).context("cannot read the CPUs of this process")?;
    if !allowed.is_set(LOAD_CPU) || !allowed.is_set(WATCHER_CPU) {
        bail!("CPUs {LOAD_CPU} and {WATCHER_CPU} are needed: one for the load, one for hostnet");
    }
    if !mounts("tmpfs").any(|at| at == MEMORY) {
        bail!("{MEMORY} is not a tmpfs: events must not wait for a disk here");
    }
    Ok(())
}

impl Machine {
    pub fn read() -> Result<Self> {
        let cpus = read("/proc/cpuinfo")?;
        let processor = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let uname = rustix::system::uname();
        let load_average = load_average()?;
        Ok(Self {
            processor: processor.trim().to_owned(),
            cpus: cpus.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: String::from_utf8(uname.release().to_bytes().to_vec())?,
            load_average_before: load_average,
            load_average_after: load_average,
        })
    }
}

/// How busy the machine was in the last minute.
pub fn load_average() -> Result<f64> {
    let text = read("/proc/loadavg")?;
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().with_context(|| format!("/proc/loadavg says {text:?}"))
}

/// Where cgroup v2 is mounted.
pub fn cgroup2() -> Result<String> {
    mounts("cgroup2").next().context("no cgroup v2 is mounted")
}

/// Starts something on one CPU: children stay where their parent was.
pub fn on_cpu<T>(cpu: usize, start: impl FnOnce() -> T) -> Result<T> {
    let before = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    Ok(started)
}

fn mounts(kind: &str) -> impl Iterator<Item = String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points: Vec<String> = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let point = words.next()?;
            (words.next()? == kind).then(|| point.to_owned())
        })
        .collect();
    points.into_iter()
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
