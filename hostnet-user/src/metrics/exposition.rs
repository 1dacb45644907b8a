//! The numbers as OpenMetrics text.

use std::{
    collections::BTreeMap,
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::{Metrics, ProcessNumbers, lock};
use crate::{
    ask::desk::LookupNumbers,
    record::{HistoryNumbers, SinkNumbers, Size},
};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// What `/metrics` answers.
#[must_use]
pub fn exposition(metrics: &Metrics) -> String {
    let mut text = Page(Registry::with_prefix("hostnet"));
    let pipeline = lock(&metrics.pipeline).clone();
    text.info(env!("CARGO_PKG_VERSION"));
    text.counters("events", "Events, by operation", "operation", &pipeline.events);
    text.counter(
        "told",
        "Events, the agent's own among them: the last event.sequence",
        pipeline.told,
    );
    text.counters("records_lost", "Records lost, by where", "place", &pipeline.lost);
    let rings = pipeline.rings.iter();
    text.counters(
        "records_received",
        "Records taken from a ring",
        "ring",
        rings.clone().map(|(name, ring)| (name, &ring.records)),
    );
    text.counters(
        "ring_produced_bytes",
        "Put into a ring, as the kernel counts",
        "ring",
        rings.clone().map(|(name, ring)| (name, &ring.produced_bytes)),
    );
    text.counters(
        "ring_consumed_bytes",
        "Taken from a ring, as the agent counts",
        "ring",
        rings.clone().map(|(name, ring)| (name, &ring.consumed_bytes)),
    );
    text.gauges(
        "ring_waiting",
        "In a ring, not taken yet",
        Some(Unit::Bytes),
        "ring",
        rings.clone().map(|(name, ring)| {
            (name, ring.produced_bytes.saturating_sub(ring.consumed_bytes) as f64)
        }),
    );
    text.gauges(
        "ring_size",
        "Room in a ring",
        Some(Unit::Bytes),
        "ring",
        rings.map(|(name, ring)| (name, ring.size_bytes as f64)),
    );
    lookups(&mut text, &pipeline.lookups);
    let kernel = lock(&metrics.kernel).clone();
    let of_kernel = kernel.maps.iter().map(|map| (map.map, map.fill));
    let tables: Vec<_> = of_kernel.chain(pipeline.tables).collect();
    text.gauges(
        "table_entries",
        "Entries in a table of the agent, or in a map of its eBPF programs (capital letters)",
        None,
        "table",
        tables.iter().map(|(name, fill)| (name, fill.entries as f64)),
    );
    text.gauges(
        "table_capacity",
        "Entries that a table or a map has room for",
        None,
        "table",
        tables.iter().map(|(name, fill)| (name, fill.capacity as f64)),
    );
    text.counters(
        "program_recursion_misses",
        "Times the kernel skipped a program",
        "program",
        kernel.programs.iter().map(|one| (one.program, &one.recursion_misses)),
    );
    let runs: Vec<_> =
        kernel.programs.iter().filter_map(|one| Some((one.program, one.runs?))).collect();
    if !runs.is_empty() {
        text.counters(
            "program_runs",
            "Times a program ran",
            "program",
            runs.iter().map(|(name, (runs, _))| (name, runs)),
        );
        text.seconds(
            "program_run",
            "Time that a program ran",
            "program",
            runs.iter().map(|(name, (_, nanoseconds))| (name, *nanoseconds as f64 / 1e9)),
        );
    }
    sinks(&mut text, &pipeline.sinks);
    if let Some(numbers) = &pipeline.history {
        history(&mut text, numbers);
    }
    let process = ProcessNumbers::read();
    let bytes = process.resident_bytes as f64;
    text.gauge("process_resident_memory", "Memory of the agent in RAM", Some(Unit::Bytes), bytes);
    text.second("process_cpu", "Processor time of the agent", process.cpu_seconds);
    let is_ready = f64::from(u8::from(metrics.is_ready()));
    text.gauge("ready", "1 when hooks are proven and records are taken", None, is_ready);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _infallible = encode(&mut out, &text.0);
    out
}

fn lookups(text: &mut Page, lookups: &BTreeMap<&'static str, LookupNumbers>) {
    let each = lookups.iter();
    text.gauges(
        "lookup_oldest_wait",
        "How long the oldest question beside records has waited for its answer",
        Some(Unit::Seconds),
        "of",
        each.clone().map(|(name, one)| (name, one.oldest_ns as f64 / 1e9)),
    );
    text.gauges(
        "lookups_waiting",
        "Questions beside records that wait for their answers",
        None,
        "of",
        each.clone().map(|(name, one)| (name, one.waiting as f64)),
    );
    text.counters(
        "lookups",
        "Questions asked beside records",
        "of",
        each.clone().map(|(name, one)| (name, &one.asked)),
    );
    text.counters(
        "lookups_refused",
        "Questions not asked, because too many waited or one owner had too many",
        "of",
        each.clone().map(|(name, one)| (name, &one.refused)),
    );
    text.counters(
        "lookups_late",
        "Answers that came after the records they were wanted for had been taken in",
        "of",
        each.map(|(name, one)| (name, &one.late)),
    );
}

fn sinks(text: &mut Page, sinks: &BTreeMap<String, SinkNumbers>) {
    text.counters(
        "sink_delivered",
        "Events a sink took",
        "sink",
        sinks.iter().map(|(name, sink)| (name, &sink.delivered)),
    );
    text.counters(
        "sink_dropped",
        "Events that were dropped before delivery, or that the sink refused",
        "sink",
        sinks.iter().map(|(name, sink)| (name, &sink.dropped)),
    );
    text.gauges(
        "sink_failing",
        "1 when a sink's last attempt failed",
        None,
        "sink",
        sinks.iter().map(|(name, sink)| (name, f64::from(u8::from(sink.is_failing)))),
    );
    text.gauges(
        "sink_waiting",
        "Rows that a sink is still to look at",
        None,
        "sink",
        sinks.iter().map(|(name, sink)| (name, sink.waiting as f64)),
    );
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = |sink: &SinkNumbers| {
        let since = sink.waiting_since_ns.map(Duration::from_nanos);
        since.map_or(0.0, |since| now.saturating_sub(since).as_secs_f64())
    };
    text.gauges(
        "sink_lag",
        "Age of the oldest row in memory that a sink is still to look at",
        Some(Unit::Seconds),
        "sink",
        sinks.iter().map(|(name, sink)| (name, age(sink))),
    );
}

fn history(text: &mut Page, history: &HistoryNumbers) {
    if let Some(Size { used, free, log }) = history.size {
        text.gauges(
            "history_size",
            "What the history takes of its disk: used and unused pages of its file, and its log",
            Some(Unit::Bytes),
            "part",
            [("used", used as f64), ("free", free as f64), ("log", log as f64)],
        );
    }
    let limit = history.limit_bytes as f64;
    text.gauge("history_limit", "What the history may take", Some(Unit::Bytes), limit);
    let is_writable = f64::from(u8::from(history.is_writable));
    text.gauge("history_writable", "1 when events can be kept", None, is_writable);
    text.counter("history_kept", "Events kept in the history", history.kept);
    text.counter(
        "history_not_kept",
        "Events that are missing from the history, because it could not be written",
        history.not_kept,
    );
    text.counters(
        "history_purged",
        "Events removed from the history, by the limit that they were beyond",
        "reason",
        &history.purged,
    );
    if let Some(oldest_ns) = history.oldest_ns {
        text.gauge(
            "history_oldest_timestamp",
            "Time of the oldest event in the history, since 1970",
            Some(Unit::Seconds),
            oldest_ns as f64 / 1e9,
        );
    }
}

/// The page in the making.
struct Page(Registry);

impl Page {
    fn info(&mut self, version: &'static str) {
        let build = Gauges::default();
        build.get_or_create(&vec![("version", version.to_owned())]).set(1.0);
        self.0.register("build", "The agent that answers", build);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }

    fn counters<'v, K: ToString>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (K, &'v u64)>,
    ) {
        let counters = Counters::default();
        for (key, value) in values {
            counters.get_or_create(&vec![(label, key.to_string())]).inc_by(*value);
        }
        self.0.register(name, help, counters);
    }

    fn second(&mut self, name: &str, help: &str, value: f64) {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(value);
        self.0.register_with_unit(name, help, Unit::Seconds, counter);
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<Unit>, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, gauge),
            None => self.0.register(name, help, gauge),
        }
    }

    /// A time that only grows.
    fn seconds<K: ToString>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (K, f64)>,
    ) {
        let counters = Family::<Labels, Counter<f64, AtomicU64>>::default();
        for (key, value) in values {
            counters.get_or_create(&vec![(label, key.to_string())]).inc_by(value);
        }
        self.0.register_with_unit(name, help, Unit::Seconds, counters);
    }

    fn gauges<K: ToString>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        label: &'static str,
        values: impl IntoIterator<Item = (K, f64)>,
    ) {
        let gauges = Gauges::default();
        for (key, value) in values {
            gauges.get_or_create(&vec![(label, key.to_string())]).set(value);
        }
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, gauges),
            None => self.0.register(name, help, gauges),
        }
    }
}
