//! Every figure of the benchmark: its name, what it says, and its goal. The page lists these,
//! a part that runs must give exactly its own, and documents quote them by their names.

use super::{part::Part, table::number};

/// One number that a part gives.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name; the page's anchor for it, too.
    pub id: &'static str,
    pub what: &'static str,
    decimals: usize,
    unit: &'static str,
    pub goal: Option<Goal>,
}

/// Where a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    /// A value of it, as the page has it and documents quote it.
    pub fn shown(&self, value: f64) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        number(value, self.decimals) + &unit
    }

    /// The goal in words.
    pub fn wanted(&self) -> String {
        match self.goal {
            Some(Goal::AtMost(0.0)) => self.shown(0.0),
            Some(Goal::AtMost(most)) => format!("≤ {}", self.shown(most)),
            Some(Goal::AtLeast(least)) => format!("≥ {}", self.shown(least)),
            None => String::new(),
        }
    }

    /// Whether a value reaches the goal; `None` where there is none.
    pub fn is_reached(&self, value: f64) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::AtMost(most) => value <= most,
            Goal::AtLeast(least) => value >= least,
        })
    }

    const fn most(self, most: f64) -> Self {
        Self { goal: Some(Goal::AtMost(most)), ..self }
    }

    const fn least(self, least: f64) -> Self {
        Self { goal: Some(Goal::AtLeast(least)), ..self }
    }
}

const fn fig(id: &'static str, what: &'static str, decimals: usize, unit: &'static str) -> Figure {
    Figure { id, what, decimals, unit, goal: None }
}

/// A number of things.
const fn count(id: &'static str, what: &'static str) -> Figure {
    fig(id, what, 0, "")
}

/// The figure with this name.
pub fn find(id: &str) -> Option<(Part, &'static Figure)> {
    Part::all().iter().find_map(|part| {
        let figure = figures(*part).iter().find(|figure| figure.id == id)?;
        Some((*part, figure))
    })
}

/// What a part gives, in the order of the page.
pub const fn figures(part: Part) -> &'static [Figure] {
    match part {
        Part::Cost => COST,
        Part::Delivery => DELIVERY,
        Part::Sustained => SUSTAINED,
        Part::Upkeep => UPKEEP,
        Part::Scale => SCALE,
        Part::Mixed => MIXED,
        Part::Short => SHORT,
        Part::Flood => FLOOD,
        Part::ListenFlood => LISTEN_FLOOD,
        Part::Restart => RESTART,
        Part::Record => RECORD,
        Part::Query => QUERY,
        Part::Crash => CRASH,
        Part::Outage => OUTAGE,
        Part::Drain => DRAIN,
    }
}

/// No difference between two system calls is measured more exactly than 3 ns.
const COST: &[Figure] = &[
    fig(
        "connect-ratio",
        "added CPU per isolated connect(2), relative to the floor with a record",
        2,
        "",
    )
    .most(1.25),
    fig("connect-added", "… in time", 0, "ns"),
    fig("connect-floor", "… of the floor with a record", 0, "ns"),
    fig("connect-empty", "… of an empty program", 0, "ns"),
    fig("bind-ratio", "added CPU per isolated bind(2), relative to the floor with a record", 2, "")
        .most(1.4),
    fig("bind-added", "… in time", 0, "ns"),
    fig("bind-floor", "… of the floor with a record", 0, "ns"),
    fig("getppid-added", "added CPU per getppid(2), which hostnet does not watch", 1, "ns")
        .most(3.0),
    fig("read-added", "added CPU per read(2) of one byte, which hostnet does not watch", 1, "ns")
        .most(3.0),
    count(
        "cost-lost",
        "records lost meanwhile: they would cost less than those that are delivered",
    )
    .most(0.0),
    count("cost-disturbed", "pairs of measurements during which another program watched, too"),
];

const DELIVERY: &[Figure] = &[
    fig(
        "burst-delivered",
        "delivered of a burst at full speed from one core, the worst burst",
        2,
        "%",
    )
    .least(100.0),
    count("burst-unaccounted", "neither delivered nor reported as lost, all bursts").most(0.0),
];

const SUSTAINED: &[Figure] = &[
    fig("sustained-delivered", "delivered at 60 000 connects/s", 3, "%").least(100.0),
    fig("sustained-highest", "highest rate of which everything was delivered", 0, "connects/s"),
    count("sustained-unaccounted", "neither delivered nor reported as lost, all rates").most(0.0),
];

const UPKEEP: &[Figure] = &[
    fig("agent-cpu", "CPU of the agent per 100 000 events, named, as ECS JSON in a file", 2, "s")
        .most(1.0),
    fig("agent-cpu-ocsf", "… with a sink of OCSF, relative to one of ECS", 2, "").most(1.5),
    fig("agent-cpu-cef", "… with a sink of CEF, relative to one of ECS", 2, "").most(1.5),
    fig("resident", "resident memory without history, idle or at 20 000 events/s", 1, "MiB")
        .most(20.0),
    fig("peak", "the most at any time, which is at the start", 1, "MiB").most(32.0),
    fig("idle-cpu", "CPU when nothing happens, of a core", 2, "%").most(0.2),
    fig("start", "start to first event, the slowest start", 2, "s").most(1.0),
];

const SCALE: &[Figure] = &[
    fig("scale-start", "time until the agent observes", 1, "s").most(10.0),
    fig("scale-told", "time until each socket is reported with its container's name", 1, "s")
        .most(10.0),
    fig("scale-peak", "peak memory", 0, "MiB").most(256.0),
    fig("scale-cpu", "CPU per event, relative to ten containers", 2, "").most(1.5),
    count("scale-wrong", "wrong owners").most(0.0),
];

const MIXED: &[Figure] = &[
    count("mixed-events", "events"),
    count("mixed-wrong", "wrong owners").most(0.0),
    fig("mixed-named", "events that have the container's name", 3, "%").least(99.9),
    count("mixed-never", "events of which no later one says the name").most(0.0),
    count("mixed-lost", "lost, and reported").most(0.0),
];

const SHORT: &[Figure] = &[
    count("short-events", "events"),
    count("short-wrong", "wrong owners").most(0.0),
    fig("short-named", "events that have the container's name", 3, "%").least(99.9),
    count("short-never", "events of which no later one says the name").most(0.0),
    count("short-lost", "lost, and reported").most(0.0),
];

const FLOOD: &[Figure] = &[
    count("flood-acts", "connects of the container that floods, all floods together"),
    count("flood-unaccounted", "of these, neither reported nor counted as suppressed or lost")
        .most(0.0),
    count("flood-marks", "acts of another container meanwhile"),
    count("flood-marks-missing", "of these, not reported exactly once").most(0.0),
    count("flood-rare", "rare acts of the container that floods"),
    count("flood-rare-missing", "of these, not reported exactly once").most(0.0),
];

const LISTEN_FLOOD: &[Figure] = &[
    count("listen-flood-acts", "listens without a bind, all floods together"),
    count("listen-flood-marks", "connects of a quiet container meanwhile"),
    count("listen-flood-missing", "of these, not reported").most(0.0),
    fig("listen-flood-latest", "the latest report of one, after the connect", 0, "ms").most(2000.0),
    count("listen-flood-lost", "records of the quiet container suppressed or lost").most(0.0),
];

const RESTART: &[Figure] = &[
    count("restart-acts", "acts of a container while agents were killed"),
    count("restart-missing", "of these, not reported").most(0.0),
    count("restart-losses", "events that report a loss").most(0.0),
];

const RECORD: &[Figure] = &[
    fig("record-rate", "rows through the history and one file", 0, "rows/s"),
    fig("record-bytes", "an event in the history", 0, "bytes"),
    fig("record-document", "… of which the document", 0, "bytes"),
    fig("record-cpu", "CPU per 100 000 events", 2, "s"),
];

const QUERY: &[Figure] = &[
    fig("query-port", "`who-had-port PORT --at TIME`", 0, "ms"),
    fig("query-client-port", "… of a client's port", 0, "ms"),
    fig("query-peers", "`peers` of a container", 0, "ms"),
    fig("query-peers-between", "… between two moments", 0, "ms"),
    fig("query-peers-address", "`peers` of an address", 0, "ms"),
    fig("query-around", "`around TIME --within 10s`", 0, "ms"),
    fig("query-first-seen", "`first-seen IP`", 0, "ms"),
    fig("query-containers", "`containers`", 0, "ms"),
    fig("query-listeners", "`listeners` of ten minutes: reads the documents of that time", 0, "ms"),
];

const CRASH: &[Figure] = &[
    count("crash-kills", "kills"),
    count("crash-runs", "runs of which an event was kept"),
    count("crash-events", "events kept; of those that were delivered, none is missing"),
    count("crash-gaps", "gaps reported, one for each run but the last"),
    fig("crash-latest", "the latest report of a gap, after the next start", 0, "ms").most(3000.0),
];

const OUTAGE: &[Figure] = &[
    count("outage-events", "events while both sinks were away"),
    count("outage-missing", "of these, not delivered once they were back").most(0.0),
    count("outage-misplaced", "delivered out of order").most(0.0),
    fig("outage-drained", "time until all was delivered", 0, "s").most(300.0),
    fig("outage-early", "memory after a tenth of the events", 0, "MiB"),
    fig("outage-peak", "… after all, or after delivery", 0, "MiB"),
    fig("outage-growth", "… the difference", 0, "MiB").most(64.0),
    count("outage-capped", "delivered to the sink with a cap of 64 MiB"),
    count("outage-dropped", "… reported as dropped"),
    count("outage-unaccounted", "… neither").most(0.0),
];

/// What an hour of 1000 events a second needs to be gone in five minutes; what is in another
/// format than the kept one is made on delivery, which is a matter of the processor alone.
const DRAIN: &[Figure] = &[
    count("drain-waiting", "events that wait for each sink"),
    fig("drain-file", "file", 0, "events/s").least(12_000.0),
    fig("drain-unix", "unix stream", 0, "events/s").least(12_000.0),
    fig("drain-unix-datagram", "unix datagrams", 0, "events/s").least(12_000.0),
    fig("drain-syslog", "syslog over TCP", 0, "events/s").least(12_000.0),
    fig("drain-http", "HTTP with lines of JSON", 0, "events/s").least(12_000.0),
    fig("drain-http-50ms-away", "HTTP to a server that answers after 50 ms", 0, "events/s")
        .least(12_000.0),
    fig("drain-unix-ocsf", "unix stream of OCSF", 0, "events/s").least(60_000.0),
    fig("drain-unix-cef", "unix stream of CEF", 0, "events/s").least(60_000.0),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_figures_have_one_name() {
        let all = || Part::all().iter().flat_map(|part| figures(*part));
        let names: BTreeSet<&str> = all().map(|figure| figure.id).collect();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn a_goal_is_reached_at_its_limit_and_not_beyond() {
        let most = fig("a", "a", 2, "").most(1.25);
        assert_eq!(most.is_reached(1.25), Some(true));
        assert_eq!(most.is_reached(1.26), Some(false));
        let least = fig("a", "a", 0, "%").least(100.0);
        assert_eq!(least.is_reached(99.999), Some(false));
        assert_eq!((&*least.wanted(), &*most.wanted()), ("≥ 100 %", "≤ 1.25"));
        assert_eq!(fig("a", "a", 2, "").is_reached(1.0), None);
    }
}
