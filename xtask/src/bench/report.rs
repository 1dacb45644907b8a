//! The results: as JSON, as text, as Markdown, and against their targets.

use anyhow::Result;
use serde::Serialize;

use super::{
    cost::{CONNECT, Costs, GETPPID, READ, Row},
    delivery::{Delivery, SUSTAINED},
    endurance::{Flood, ListenFlood, Restart},
    machine::{self, Machine},
    owners::{Scale, Shifts},
    stats::Spread,
    target::{Target, target},
    upkeep::Upkeep,
};

/// Everything that was measured.
#[derive(Serialize)]
pub struct Report {
    pub machine: Machine,
    pub quick: bool,
    pub targets: Vec<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Costs>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub full_speed: Vec<Delivery>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sustained: Vec<Delivery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upkeep: Option<Upkeep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Shifts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<Shifts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub floods: Vec<Flood>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listen_floods: Vec<ListenFlood>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
}

/// Nanoseconds that no difference of two system calls is exact to.
const NOISE_NS: f64 = 3.0;

impl Report {
    pub fn new(quick: bool) -> Result<Self> {
        Ok(Self {
            machine: Machine::read()?,
            quick,
            targets: Vec::new(),
            cost: None,
            full_speed: Vec::new(),
            sustained: Vec::new(),
            upkeep: None,
            scale: None,
            mixed: None,
            short: None,
            floods: Vec::new(),
            listen_floods: Vec::new(),
            restart: None,
        })
    }

    /// Holds the results against the targets.
    pub fn finish(&mut self) -> Result<()> {
        self.machine.load_average_after = machine::load_average()?;
        let mut targets = Vec::new();
        if let Some(cost) = &self.cost {
            cost_targets(cost, &mut targets);
        }
        let worst =
            |runs: &[Delivery]| runs.iter().map(Delivery::delivered_percent).fold(100.0, f64::min);
        if !self.full_speed.is_empty() {
            let percent = worst(&self.full_speed);
            let met = self.full_speed.iter().all(Delivery::is_complete);
            let what = "delivered of 300 000 connects at full speed from one core";
            targets.push(target(what, format!("{percent:.2} %"), "100 %", met));
        }
        if let Some(required) = self.sustained.first() {
            let seconds = required.load_seconds.round();
            let what = format!("delivered of {SUSTAINED} connects/s for {seconds} s");
            let percent = format!("{:.3} %", required.delivered_percent());
            targets.push(target(&what, percent, "100 %", required.is_complete()));
        }
        let all = || self.full_speed.iter().chain(&self.sustained);
        if all().next().is_some() {
            let unaccounted: i64 = all().map(|run| run.unaccounted().abs()).sum();
            let what = "lost without being reported, all loads together";
            targets.push(target(what, unaccounted.to_string(), "0", unaccounted == 0));
        }
        if let Some(upkeep) = &self.upkeep {
            upkeep_targets(upkeep, &mut targets);
        }
        if let Some(scale) = &self.scale {
            scale.targets(&mut targets);
        }
        if let Some(mixed) = &self.mixed {
            mixed.targets("containers, twenty at a time", &mut targets);
        }
        if let Some(short) = &self.short {
            short.targets("containers that lived a moment", &mut targets);
        }
        Flood::targets(&self.floods, &mut targets);
        self.listen_floods.iter().for_each(|flood| flood.targets(&mut targets));
        if let Some(restart) = &self.restart {
            restart.targets(&mut targets);
        }
        self.targets = targets;
        Ok(())
    }

    pub fn missed(&self) -> usize {
        self.targets.iter().filter(|target| !target.met).count()
    }

    pub fn text(&self) -> String {
        self.tables().iter().map(Table::text).collect::<Vec<_>>().join("\n")
    }

    pub fn markdown(&self) -> String {
        self.tables().iter().map(Table::markdown).collect::<Vec<_>>().join("\n")
    }

    fn tables(&self) -> Vec<Table> {
        let Machine { processor, cpus, kernel, .. } = &self.machine;
        let heading = format!(
            "{cpus} × {processor}, Linux {kernel}, load average {:.1} before and {:.1} after{}",
            self.machine.load_average_before,
            self.machine.load_average_after,
            if self.quick { "; quick" } else { "" }
        );
        let mut tables = vec![targets_table(heading, &self.targets)];
        tables.extend(self.cost.as_ref().map(cost_table));
        tables.extend(deliveries_table("300 000 connects at full speed", &self.full_speed));
        tables.extend(deliveries_table("Connects at a rate", &self.sustained));
        tables.extend(self.upkeep.as_ref().map(upkeep_table));
        tables
    }
}

fn cost_targets(cost: &Costs, targets: &mut Vec<Target>) {
    let row = |name: &str| cost.rows.iter().find(|row| row.operation == name);
    if let Some(ratio) = row(CONNECT).and_then(Row::ratio) {
        let what = "added CPU per connect, in units of the floor with a record";
        targets.push(target(what, format!("{ratio:.2}"), "≤ 1.3", ratio <= 1.3));
    }
    for name in [GETPPID, READ] {
        if let Some(row) = row(name) {
            let added = row.hostnet.median;
            let what = format!("added CPU per {name}, which hostnet does not watch");
            targets.push(target(&what, format!("{added:+.1} ns"), "0 ns", added <= NOISE_NS));
        }
    }
}

fn upkeep_targets(upkeep: &Upkeep, targets: &mut Vec<Target>) {
    let mib = |kib: u64| kib as f64 / 1024.0;
    let cpu = upkeep.cpu();
    let what = "CPU seconds per 100 000 events, named, as ECS JSON in a file";
    targets.push(target(what, format!("{cpu:.2}"), "≤ 1.0", cpu <= 1.0));
    let resident = mib(upkeep.idle_memory.resident_kib.max(upkeep.busy_memory.resident_kib));
    let met = resident <= 32.0;
    targets.push(target("resident memory", format!("{resident:.1} MiB"), "≤ 32 MiB", met));
    let peak = mib(upkeep.idle_memory.peak_kib.max(upkeep.busy_memory.peak_kib));
    let what = "resident memory, the most at any time";
    targets.push(target(what, format!("{peak:.1} MiB"), "≤ 32 MiB", peak <= 32.0));
    let idle = upkeep.idle_cpu_percent;
    let what = "CPU when nothing happens";
    targets.push(target(what, format!("{idle:.2} % of a core"), "≤ 0.3 %", idle <= 0.3));
    let start = upkeep.start();
    let what = "start to first event";
    targets.push(target(what, format!("{start:.2} s"), "≤ 1 s", start <= 1.0));
}

fn targets_table(heading: String, targets: &[Target]) -> Table {
    let mut table = Table::new(heading, &["target", "measured", "wanted", ""]);
    for target in targets {
        let verdict = if target.met { "ok" } else { "MISSED" };
        table.row([&*target.what, &*target.measured, &*target.wanted, verdict]);
    }
    table
}

fn cost_table(cost: &Costs) -> Table {
    let mut heading = format!(
        "Added CPU per operation, ns: median and quartiles of {} paired differences each",
        cost.pairs
    );
    if cost.lost > 0 {
        heading += &format!("; {} records were lost, hostnet's cost is understated", cost.lost);
    }
    if cost.disturbed > 0 {
        heading += &format!("; others watched, too, during {} pairs", cost.disturbed);
    }
    let columns = ["operation", "alone", "floor: empty", "floor: record", "hostnet", "× record"];
    let mut table = Table::new(heading, &columns);
    let spread = |spread: Spread| {
        format!("{:+.0} [{:+.0}…{:+.0}]", spread.median, spread.lower, spread.upper)
    };
    for row in &cost.rows {
        let floor = |floor: Option<Spread>| floor.map_or_else(|| "–".to_owned(), spread);
        let is_floors = matches!(row.operation, CONNECT) || row.operation.starts_with("bind(2)");
        let ratio = row.ratio().filter(|_| is_floors);
        table.row([
            row.operation,
            &format!("{:.0}", row.alone_ns),
            &floor(row.empty),
            &floor(row.record),
            &spread(row.hostnet),
            &ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        ]);
    }
    table
}

fn deliveries_table(heading: &str, runs: &[Delivery]) -> Option<Table> {
    let columns =
        ["offered/s", "offered", "delivered", "%", "reported lost", "unaccounted", "agent CPU"];
    let mut table = Table::new(heading.to_owned(), &columns);
    for run in runs {
        table.row([
            &*format!("{:.0}", run.offered_per_second),
            &run.offered.to_string(),
            &run.delivered.to_string(),
            &format!("{:.2}", run.delivered_percent()),
            &run.reported_lost.to_string(),
            &run.unaccounted().to_string(),
            &format!("{:.2} s per 100 000", run.agent_cpu_seconds * 1e5 / run.delivered as f64),
        ]);
    }
    (!runs.is_empty()).then_some(table)
}

fn upkeep_table(upkeep: &Upkeep) -> Table {
    let columns = ["memory, MiB", "resident", "anonymous", "program and ring", "most so far"];
    let mut table = Table::new("The agent's own memory".to_owned(), &columns);
    for (name, memory) in [("idle", upkeep.idle_memory), ("20 000 events/s", upkeep.busy_memory)] {
        let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
        table.row([
            name,
            &*mib(memory.resident_kib),
            &mib(memory.anonymous_kib),
            &mib(memory.file_kib),
            &mib(memory.peak_kib),
        ]);
    }
    table
}

/// A table that becomes text or Markdown.
struct Table {
    heading: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(heading: String, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { heading, rows: vec![columns] }
    }

    fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.map(str::to_owned).to_vec());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |at: usize| self.rows.iter().map(|row| row[at].chars().count()).max();
        (0..columns).map(|at| width(at).unwrap_or(0)).collect()
    }

    fn text(&self) -> String {
        let widths = self.widths();
        let mut text = format!("{}\n", self.heading);
        for row in &self.rows {
            let mut cells = row.iter().zip(&widths);
            let (first, width) = cells.next().unzip();
            let mut line = format!(
                "  {:width$}",
                first.map_or("", String::as_str),
                width = width.copied().unwrap_or(0)
            );
            for (cell, width) in cells {
                line += &format!("  {cell:>width$}");
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.heading);
        for (at, row) in self.rows.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | "));
            if at == 0 {
                let right = vec!["--:"; row.len().saturating_sub(1)];
                text += &format!("|---|{}|\n", right.join("|"));
            }
        }
        text
    }
}
