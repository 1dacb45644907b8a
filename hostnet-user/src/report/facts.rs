//! What a page says, as plain values. Nothing here knows where they are from or how
//! they look.

use std::collections::BTreeMap;

use crate::{
    advise::Advice,
    event::Severity,
    query::{Activity, ChainEnd, ContainerRow, ListenerRow, Time, TreeRow},
};

/// A list that was cut, and how long it was.
#[derive(Clone, Debug)]
pub struct Cut<T> {
    /// What is shown.
    pub shown: Vec<T>,
    /// How many there were.
    pub of: usize,
}

impl<T> Cut<T> {
    /// At most `most` of these.
    #[must_use]
    pub fn at(mut all: Vec<T>, most: usize) -> Self {
        let of = all.len();
        all.truncate(most);
        Self { shown: all, of }
    }

    /// How many are not shown.
    #[must_use]
    pub fn rest(&self) -> usize {
        self.of.saturating_sub(self.shown.len())
    }
}

/// Who made the page of what.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The history, or the file of events.
    pub source: String,
    /// Version of hostnet.
    pub version: String,
    /// SHA-256 of the program that made the page, in hexadecimal.
    pub binary: Option<String>,
    /// How it was called.
    pub command_line: Vec<String>,
    /// Which user called it: id, and name where it has one.
    pub operator: String,
    /// When, UTC.
    pub made: Option<Time>,
    /// Whether the history is what the agent wrote; `None` where that was not asked.
    pub verified: Option<Result<String, String>>,
}

/// All that a page says.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who made it.
    pub origin: Origin,
    /// From when to when.
    pub window: (Time, Time),
    /// Who and what it is narrowed down to.
    pub narrowed: Option<String>,
    /// The host.
    pub host: Host,
    /// Events in the window, whoever's.
    pub events: u64,
    /// How many of each action.
    pub actions: BTreeMap<String, u64>,
    /// Its first row and its last.
    pub rows: Option<(RowPlace, RowPlace)>,
    /// The end of the chain.
    pub chain: Option<ChainEnd>,
    /// Containers, those with findings first.
    pub containers: Cut<ContainerRow>,
    /// How many events of whom and when.
    pub activity: Activity,
    /// What should not be.
    pub findings: Findings,
    /// Who talked to whom.
    pub contacts: Contacts,
    /// Who listened: containers, then the host.
    pub listeners: Part<ListenerRow>,
    /// What ran, per container.
    pub trees: Part<Tree>,
    /// Whether anything is missing.
    pub record: Record,
    /// Who needed the host's network.
    pub verdicts: Verdicts,
}

/// Who needed the host's network, as advice says.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// Per container, those first that need it least.
    pub advice: Vec<Advice>,
    /// Why there are none, or not all.
    pub why_not: Option<String>,
}

/// A list that may be of the end of the window only, because all of it was too much.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// What is shown.
    pub rows: Cut<T>,
    /// From when on, where that is not the whole window.
    pub since: Option<Time>,
}

/// The host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its machine id.
    pub id: String,
    /// Kernel, architecture and distribution.
    pub system: String,
    /// Its boots in the window.
    pub boots: Vec<String>,
}

/// A row's place.
#[derive(Clone, Debug)]
pub struct RowPlace {
    /// In the history.
    pub id: u64,
    /// The run that told it.
    pub run: String,
    /// In that run.
    pub sequence: u64,
}

/// What should not be.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Rule by rule, the worst first.
    pub rules: Vec<Rule>,
    /// How many of each severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// How many of each owner, and the worst.
    pub by_owner: BTreeMap<String, (u64, Severity)>,
    /// When, for the timeline.
    pub marks: Vec<Mark>,
}

/// A rule that was broken.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// In a few words.
    pub name: String,
    /// What it means and what to do.
    pub description: String,
    /// The worst of its findings.
    pub severity: Severity,
    /// Techniques of MITRE ATT&CK: id and name.
    pub techniques: Vec<(String, String)>,
    /// How often.
    pub count: u64,
    /// The first of them.
    pub shown: Vec<Finding>,
}

/// A finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// When.
    pub time: Time,
    /// How much it matters.
    pub severity: Severity,
    /// Whose.
    pub container: String,
    /// The process.
    pub process: Option<String>,
    /// Its id.
    pub pid: Option<u32>,
    /// The finding as a sentence.
    pub message: String,
    /// `event.id` of what shows it.
    pub evidence: String,
    /// Its own `event.id`.
    pub event_id: String,
}

/// A finding on the timeline.
#[derive(Clone, Debug)]
pub struct Mark {
    /// When.
    pub time: Time,
    /// Whose: the owner as the history has it.
    pub owner: String,
    /// How much it matters.
    pub severity: Severity,
    /// The rule.
    pub rule: String,
}

/// Who talked to whom.
#[derive(Clone, Debug, Default)]
pub struct Contacts {
    /// Rows of the matrix: containers.
    pub who: Vec<String>,
    /// Columns of the matrix, a surface's beside each other.
    pub targets: Vec<Target>,
    /// The cells: row and column, begun and failed.
    pub cells: BTreeMap<(usize, usize), (u64, u64)>,
    /// Containers and targets that are not in the matrix.
    pub left_out: (usize, usize),
    /// In detail, the most first.
    pub details: Vec<Contact>,
    /// How many there were.
    pub of: usize,
}

/// Something that was talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is to the host.
    pub surface: String,
    /// The service, or its address.
    pub name: String,
}

/// What passed between a container and an address.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Who.
    pub container: String,
    /// Whether the other began.
    pub is_ingress: bool,
    /// What the other is to the host.
    pub surface: String,
    /// Protocol.
    pub protocol: String,
    /// Address and port, or name.
    pub address: String,
    /// Who is there.
    pub peer: String,
    /// Connections.
    pub begun: u64,
    /// Those that failed.
    pub failed: u64,
    /// Sent and received, bytes.
    pub bytes: (u64, u64),
    /// Sent and received, datagrams.
    pub datagrams: (u64, u64),
    /// The first and the last time.
    pub times: (Time, Time),
}

/// The processes of a container.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The container.
    pub container: String,
    /// Parents before children.
    pub rows: Cut<TreeRow>,
}

/// Whether the record is whole.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Runs of the agent in the window.
    pub runs: Vec<AgentRun>,
    /// Times that nobody looked at, and what is missing of others.
    pub gaps: Vec<Gap>,
    /// How many gaps there are.
    pub of: usize,
    /// What the last start said it can see.
    pub coverage: Vec<Covered>,
    /// Whether that is everything.
    pub is_covered: bool,
}

impl Record {
    /// Nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.of == 0 && self.is_covered && !self.runs.is_empty()
    }
}

/// A run of the agent.
#[derive(Clone, Debug)]
pub struct AgentRun {
    /// Its id.
    pub run: String,
    /// From when to when.
    pub times: (Time, Time),
    /// It said that it stops.
    pub has_ended: bool,
}

/// Something that is missing, or may be.
#[derive(Clone, Debug)]
pub struct Gap {
    /// From when to when.
    pub times: (Time, Time),
    /// What it is.
    pub why: String,
    /// Whether nobody looked at all.
    pub is_blind: bool,
}

/// An operation, and whether it is seen.
#[derive(Clone, Debug, Default)]
pub struct Covered {
    /// The operation.
    pub operation: String,
    /// By which hook.
    pub hook: String,
    /// The set it belongs to.
    pub set: String,
    /// `proven`, `unproven`, `refused`, `disabled`.
    pub state: String,
    /// Why not.
    pub reason: String,
}
