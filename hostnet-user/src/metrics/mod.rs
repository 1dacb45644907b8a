//! How the agent is, in numbers: filled by the stages, shown by `/metrics` and in
//! the stream as heartbeats, which say the same.
//!
//! Whoever has numbers puts them here, whole, from time to time; whoever shows them
//! takes what was put last. Nothing here knows how either does it.

mod accept;
mod classic;
mod exposition;
mod listen;
mod process;
mod report;
mod server;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

pub use classic::classic;
pub use exposition::Page;
pub use listen::Listen;
pub use process::ProcessNumbers;
pub use report::Report;
pub use server::Server;

use crate::{
    ask::desk::LookupNumbers,
    event::shares::Fill,
    kernel::{MapNumbers, Meter, ProgramNumbers, RingNumbers},
    output::{HistoryNumbers, SinkNumbers},
};

/// How often programs and maps are asked for their numbers: a full map takes the
/// better part of a tenth of a second.
const METER_EVERY: Duration = Duration::from_secs(15);

/// A pipeline that has not been heard of for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The numbers of a run.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    is_ready: AtomicBool,
    /// When the pipeline was last heard of, milliseconds after `started`.
    heard_ms: AtomicU64,
    pipeline: Mutex<PipelineNumbers>,
    kernel: Mutex<KernelNumbers>,
}

/// What the pipeline counts, all at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PipelineNumbers {
    /// Events told, the agent's own among them: the last `event.sequence`.
    pub told: u64,
    /// Events by operation, the agent's own left out.
    pub events: BTreeMap<&'static str, u64>,
    /// Records lost by place.
    pub lost: BTreeMap<String, u64>,
    /// The same in all.
    pub lost_total: u64,
    /// The rings by name.
    pub rings: BTreeMap<&'static str, RingNumbers>,
    /// How full the agent's tables are, by name.
    pub tables: BTreeMap<&'static str, Fill>,
    /// What is asked beside records, by what it is.
    pub lookups: BTreeMap<&'static str, LookupNumbers>,
    /// The sinks by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sinks: BTreeMap<String, SinkNumbers>,
    /// The history, when one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryNumbers>,
}

/// What the kernel says of programs and maps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KernelNumbers {
    /// The programs.
    pub programs: Vec<ProgramNumbers>,
    /// The maps.
    pub maps: Vec<MapNumbers>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            is_ready: AtomicBool::default(),
            heard_ms: AtomicU64::default(),
            pipeline: Mutex::default(),
            kernel: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Takes the pipeline's numbers; it is alive, and its hooks are proven.
    pub fn put_pipeline(&self, numbers: PipelineNumbers) {
        *lock(&self.pipeline) = numbers;
        let heard = self.started.elapsed().as_millis();
        self.heard_ms.store(u64::try_from(heard).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.is_ready.store(true, Ordering::Release);
    }

    /// Asks programs and maps for their numbers from now on, on a thread of its own,
    /// until these metrics are dropped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn follow(self: &Arc<Self>, meter: Meter) -> std::io::Result<()> {
        let metrics: Weak<Self> = Arc::downgrade(self);
        std::thread::Builder::new().name("meter".to_owned()).spawn(move || {
            while let Some(metrics) = metrics.upgrade() {
                let numbers = KernelNumbers { programs: meter.programs(), maps: meter.maps() };
                *lock(&metrics.kernel) = numbers;
                drop(metrics);
                std::thread::park_timeout(METER_EVERY);
            }
        })?;
        Ok(())
    }

    /// Whether the hooks are proven and records are taken.
    pub fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire) && self.is_alive()
    }

    /// Whether the pipeline was heard of of late, or has not begun.
    pub fn is_alive(&self) -> bool {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        let began = self.is_ready.load(Ordering::Acquire);
        !began || self.started.elapsed().saturating_sub(heard) < STUCK_AFTER
    }

    /// What a heartbeat says.
    #[must_use]
    pub fn heartbeat(&self) -> Value {
        let pipeline = serde_json::to_value(&*lock(&self.pipeline)).unwrap_or_default();
        let Value::Object(mut numbers) = pipeline else { return Value::Null };
        let kernel = serde_json::to_value(&*lock(&self.kernel)).unwrap_or_default();
        if let Value::Object(kernel) = kernel {
            numbers.extend(kernel);
        }
        if let Ok(process) = serde_json::to_value(ProcessNumbers::read()) {
            numbers.insert("process".to_owned(), process);
        }
        numbers.into()
    }
}

/// Numbers are whole whatever happened to whoever held the lock.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
