//! The numbers as OpenMetrics text: one table of what they are called, what they say and where
//! they come from. It is looked at when somebody asks, and nothing is kept between answers.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::{KernelNumbers, Metrics, PipelineNumbers, ProcessNumbers, lock};
use crate::{
    event::shares::Fill,
    kernel::{ProgramNumbers, RingNumbers},
    output::{HistoryNumbers, HistorySize, SinkNumbers},
};

/// What `/metrics` answers.
pub struct Page(Registry);

impl Page {
    /// A page of these numbers, whatever they are when it is asked for.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let mut registry = Registry::with_prefix("hostnet");
        registry.register_collector(Box::new(Table(metrics)));
        Self(registry)
    }

    /// Its text at this moment.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _infallible = encode(&mut text, &self.0);
        text
    }
}

/// All numbers at one moment.
struct Numbers {
    pipeline: PipelineNumbers,
    kernel: KernelNumbers,
    process: ProcessNumbers,
    is_ready: bool,
    /// Since 1970.
    now: Duration,
}

/// A number of the page, or several of one name.
struct Row {
    /// Without the prefix, and what its unit and type add.
    name: &'static str,
    help: &'static str,
    unit: Option<&'static Unit>,
    /// What the values differ in; one alone has none.
    label: &'static str,
    values: Values,
}

/// Where the values come from, each with its label; without any there is no such number.
enum Values {
    /// What only grows.
    Counts(fn(&Numbers) -> Vec<(&str, u64)>),
    /// Time that only grows, seconds.
    Times(fn(&Numbers) -> Vec<(&str, f64)>),
    /// What grows and shrinks.
    Gauges(fn(&Numbers) -> Vec<(&str, f64)>),
}

const BYTES: &Unit = &Unit::Bytes;
const SECONDS: &Unit = &Unit::Seconds;

macro_rules! rows {
    ($($kind:ident $name:ident $(in $unit:ident)? $(by $label:ident)?: $help:literal, $of:expr;)*) => {
        const ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            help: concat!($help, "."),
            unit: [$(Some($unit),)? None][0],
            label: concat!($(stringify!($label))?),
            values: Values::$kind($of),
        }),*];
    };
}

// In the order of the page: what a number is, its name, its unit, what its values differ in,
// what it says, and where it comes from.
rows! {
    Gauges build by version: "The agent that answers", |_| vec![(env!("CARGO_PKG_VERSION"), 1.0)];
    Counts events by operation: "Events, by operation",
        |all| each(&all.pipeline.events, |count| *count);
    Counts told: "Events, the agent's own among them: the last event.sequence",
        |all| alone(all.pipeline.told);
    Counts records_lost by place: "Records lost, by where",
        |all| each(&all.pipeline.lost, |count| *count);
    Counts records_received by ring: "Records taken from a ring",
        |all| each(&all.pipeline.rings, |ring| ring.records);
    Counts ring_produced_bytes by ring: "Put into a ring, as the kernel counts",
        |all| each(&all.pipeline.rings, |ring| ring.produced_bytes);
    Counts ring_consumed_bytes by ring: "Taken from a ring, as the agent counts",
        |all| each(&all.pipeline.rings, |ring| ring.consumed_bytes);
    Gauges ring_waiting in BYTES by ring: "In a ring, not taken yet",
        |all| each(&all.pipeline.rings, waiting);
    Gauges ring_size in BYTES by ring: "Room in a ring",
        |all| each(&all.pipeline.rings, |ring| ring.size_bytes as f64);
    Gauges lookup_oldest_wait in SECONDS by of:
        "How long the oldest question beside records has waited for its answer",
        |all| each(&all.pipeline.lookups, |one| one.oldest_ns as f64 / 1e9);
    Gauges lookups_waiting by of: "Questions beside records that wait for their answers",
        |all| each(&all.pipeline.lookups, |one| one.waiting as f64);
    Counts lookups by of: "Questions asked beside records",
        |all| each(&all.pipeline.lookups, |one| one.asked);
    Counts lookups_refused by of:
        "Questions not asked, because too many waited or one owner had too many",
        |all| each(&all.pipeline.lookups, |one| one.refused);
    Counts lookups_late by of:
        "Answers that came after the records they were wanted for had been taken in",
        |all| each(&all.pipeline.lookups, |one| one.late);
    Gauges table_entries by table:
        "Entries in a table of the agent, or in a map of its eBPF programs (capital letters)",
        |all| tables(all, |fill| fill.entries);
    Gauges table_capacity by table: "Entries that a table or a map has room for",
        |all| tables(all, |fill| fill.capacity);
    Counts program_recursion_misses by program: "Times the kernel skipped a program",
        |all| programs(all, |one| Some(one.recursion_misses));
    Counts program_runs by program: "Times a program ran",
        |all| programs(all, |one| Some(one.runs?.0));
    Times program_run in SECONDS by program: "Time that a program ran",
        |all| programs(all, |one| Some(one.runs?.1 as f64 / 1e9));
    Counts sink_delivered by sink: "Events a sink took",
        |all| each(&all.pipeline.sinks, |sink| sink.delivered);
    Counts sink_dropped by sink:
        "Events that were dropped before delivery, or that the sink refused",
        |all| each(&all.pipeline.sinks, |sink| sink.dropped);
    Gauges sink_failing by sink: "1 when a sink's last attempt failed",
        |all| each(&all.pipeline.sinks, |sink| flag(sink.is_failing));
    Gauges sink_waiting by sink: "Rows that a sink is still to look at",
        |all| each(&all.pipeline.sinks, |sink| sink.waiting as f64);
    Gauges sink_lag in SECONDS by sink:
        "Age of the oldest row in memory that a sink is still to look at",
        |all| each(&all.pipeline.sinks, |sink| age(sink, all.now));
    Gauges history_size in BYTES by part:
        "What the history takes of its disk: used and unused pages of its file, and its log",
        parts;
    Gauges history_limit in BYTES: "What the history may take",
        |all| history(all, |one| Some(one.limit_bytes as f64));
    Gauges history_writable: "1 when events can be kept",
        |all| history(all, |one| Some(flag(one.is_writable)));
    Counts history_kept: "Events kept in the history", |all| history(all, |one| Some(one.kept));
    Counts history_not_kept:
        "Events that are missing from the history, because it could not be written",
        |all| history(all, |one| Some(one.not_kept));
    Counts history_purged by reason:
        "Events removed from the history, by the limit that they were beyond",
        purged;
    Gauges history_oldest_timestamp in SECONDS:
        "Time of the oldest event in the history, since 1970",
        |all| history(all, |one| Some(one.oldest_ns? as f64 / 1e9));
    Gauges process_resident_memory in BYTES: "Memory of the agent in RAM",
        |all| alone(all.process.resident_bytes as f64);
    Times process_cpu in SECONDS: "Processor time of the agent",
        |all| alone(all.process.cpu_seconds);
    Gauges ready: "1 when hooks are proven and records are taken", |all| alone(flag(all.is_ready));
}

/// A value without a label.
fn alone<V>(value: V) -> Vec<(&'static str, V)> {
    vec![("", value)]
}

/// One of each, by name.
fn each<K: AsRef<str>, T, V>(all: &BTreeMap<K, T>, of: impl Fn(&T) -> V) -> Vec<(&str, V)> {
    all.iter().map(|(name, one)| (name.as_ref(), of(one))).collect()
}

fn waiting(ring: &RingNumbers) -> f64 {
    ring.produced_bytes.saturating_sub(ring.consumed_bytes) as f64
}

fn tables(all: &Numbers, of: fn(&Fill) -> u64) -> Vec<(&str, f64)> {
    let maps = all.kernel.maps.iter().map(|map| (map.map, &map.fill));
    let tables = all.pipeline.tables.iter().map(|(name, fill)| (*name, fill));
    maps.chain(tables).map(|(name, fill)| (name, of(fill) as f64)).collect()
}

fn programs<V>(all: &Numbers, of: fn(&ProgramNumbers) -> Option<V>) -> Vec<(&str, V)> {
    all.kernel.programs.iter().filter_map(|one| Some((one.program, of(one)?))).collect()
}

fn history<V>(all: &Numbers, of: fn(&HistoryNumbers) -> Option<V>) -> Vec<(&'static str, V)> {
    all.pipeline.history.iter().filter_map(of).map(|value| ("", value)).collect()
}

fn parts(all: &Numbers) -> Vec<(&str, f64)> {
    let size = all.pipeline.history.as_ref().and_then(|history| history.size.as_ref());
    let parts = |size: &HistorySize| [("used", size.used), ("free", size.free), ("log", size.log)];
    size.into_iter().flat_map(parts).map(|(part, bytes)| (part, bytes as f64)).collect()
}

fn purged(all: &Numbers) -> Vec<(&str, u64)> {
    let purged = all.pipeline.history.iter().flat_map(|history| &history.purged);
    purged.map(|(reason, count)| (reason.as_str(), *count)).collect()
}

fn age(sink: &SinkNumbers, now: Duration) -> f64 {
    let since = sink.waiting_since_ns.map(Duration::from_nanos);
    since.map_or(0.0, |since| now.saturating_sub(since).as_secs_f64())
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// Looks at all rows whenever the page is asked for.
#[derive(Debug)]
struct Table(Arc<Metrics>);

impl Collector for Table {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let numbers = Numbers {
            pipeline: lock(&self.0.pipeline).clone(),
            kernel: lock(&self.0.kernel).clone(),
            process: ProcessNumbers::read(),
            is_ready: self.0.is_ready(),
            now: now.unwrap_or_default(),
        };
        ROWS.iter().try_for_each(|row| row.encode(&numbers, &mut encoder))
    }
}

impl Row {
    fn encode(&self, numbers: &Numbers, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let count = MetricType::Counter;
        match self.values {
            Values::Counts(of) => self.write(of(numbers), count, encoder, |to, value| {
                to.encode_counter::<NoLabelSet, _, u64>(value, None)
            }),
            Values::Times(of) => self.write(of(numbers), count, encoder, |to, value| {
                to.encode_counter::<NoLabelSet, _, u64>(value, None)
            }),
            Values::Gauges(of) => {
                self.write(of(numbers), MetricType::Gauge, encoder, |to, value| {
                    to.encode_gauge(value)
                })
            }
        }
    }

    fn write<V>(
        &self,
        values: Vec<(&str, V)>,
        kind: MetricType,
        encoder: &mut DescriptorEncoder<'_>,
        value_to: impl Fn(&mut MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        if values.is_empty() {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(self.name, self.help, self.unit, kind)?;
        for (key, value) in &values {
            if self.label.is_empty() {
                value_to(&mut metric, value)?;
            } else {
                let labels = [(self.label, *key)];
                value_to(&mut metric.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }
}
