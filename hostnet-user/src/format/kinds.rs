//! The kinds of events as the other formats name them: one table.

use super::{
    document::{Document, text},
    ocsf::class::{Activity, Class},
};

/// How events with one action are called elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `event.action`; of the rows in [`ANY_OTHER`], `event.dataset`.
    pub action: &'static str,
    /// What happened in a few words, the same for all events of the kind. Empty
    /// where the action itself has to do.
    pub caption: &'static str,
    /// OCSF class.
    pub class: Class,
    /// OCSF activity within the class.
    pub activity: Activity,
}

const fn kind(
    action: &'static str,
    caption: &'static str,
    class: Class,
    activity: Activity,
) -> Kind {
    Kind { action, caption, class, activity }
}

/// Every kind that is known by its action.
pub const KINDS: &[Kind] = &[
    kind("bound-socket", "Bind", Class::Network, Activity::Bind),
    kind("listen-for-connections", "Listen", Class::Network, Activity::Is(7)),
    kind("connection_attempted", "Connect", Class::Network, Activity::Connect),
    kind("connection-outcome", "Connect Outcome", Class::Network, Activity::Connect),
    kind("connection_accepted", "Accept", Class::Network, Activity::Connect),
    kind("disconnect_received", "Close", Class::Network, Activity::Close),
    kind("closed-listener", "Stop Listening", Class::Network, Activity::Other),
    kind("opened-raw-socket", "Open Raw Socket", Class::Network, Activity::Other),
    kind("opened-packet-socket", "Open Packet Socket", Class::Network, Activity::Other),
    kind("opened-netlink-socket", "Open Netlink Socket", Class::Network, Activity::Other),
    kind("opened-vsock-socket", "Open VSOCK Socket", Class::Network, Activity::Other),
    kind("opened-xdp-socket", "Open XDP Socket", Class::Network, Activity::Other),
    kind("opened-alg-socket", "Open Crypto Socket", Class::Network, Activity::Other),
    kind("opened-sctp-socket", "Open SCTP Socket", Class::Network, Activity::Other),
    kind("opened-other-socket", "Open Socket", Class::Network, Activity::Other),
    kind("bound-packet-socket", "Bind Packet Socket", Class::Network, Activity::Other),
    kind("attached-socket-filter", "Attach Socket Filter", Class::Network, Activity::Other),
    kind("requested-netlink-change", "Request Network Change", Class::Network, Activity::Other),
    kind("joined-netlink-groups", "Join Netlink Groups", Class::Network, Activity::Other),
    kind("used-unix-socket", "Use Unix Socket", Class::Network, Activity::Other),
    kind("existing_socket", "Existing Socket", Class::Evidence, Activity::Is(1)),
    kind("exec", "Exec", Class::Process, Activity::Is(1)),
    kind("end", "Process End", Class::Process, Activity::Is(2)),
    kind("cgroup-migration", "Cgroup Migration", Class::State, Activity::Is(1)),
    kind("name-spoof", "Container Name Spoof", Class::State, Activity::Is(1)),
    kind("finding", "Finding", Class::Finding, Activity::Is(1)),
    kind(
        "container-joined-host-network",
        "Container Joined Host Network",
        Class::State,
        Activity::Is(1),
    ),
    kind(
        "container-left-host-network",
        "Container Left Host Network",
        Class::State,
        Activity::Is(1),
    ),
    kind("container-identified", "Container Identified", Class::Inventory, Activity::Is(1)),
    kind("agent-started", "Agent Started", Class::Lifecycle, Activity::Is(3)),
    kind("agent-stopped", "Agent Stopped", Class::Lifecycle, Activity::Is(4)),
    kind("records-lost", "Records Lost", Class::Error, Activity::Is(1)),
    kind("records-suppressed", "Records Suppressed", Class::Error, Activity::Is(1)),
    kind("records-undecodable", "Records Undecodable", Class::Error, Activity::Is(1)),
    kind("runtime-reachable", "Container Runtime Reachable", Class::Lifecycle, Activity::Other),
    kind("runtime-unreachable", "Container Runtime Unreachable", Class::Error, Activity::Is(1)),
    kind("rules-refused", "Rules Refused", Class::Error, Activity::Is(1)),
    kind("rules-mended", "Rules Mended", Class::Lifecycle, Activity::Other),
    kind("agent-heartbeat", "Agent Heartbeat", Class::Lifecycle, Activity::Other),
    kind("agent-crashed", "Agent Crashed", Class::Error, Activity::Is(1)),
    kind("clock-stepped", "Clock Stepped", Class::Error, Activity::Is(1)),
    kind("history-failed", "History Failed", Class::Error, Activity::Is(1)),
    kind("history-recovered", "History Recovered", Class::Lifecycle, Activity::Other),
    kind("history-purged", "History Purged", Class::Lifecycle, Activity::Other),
    kind("chain-checkpoint", "Chain Checkpoint", Class::Lifecycle, Activity::Other),
    kind("sink-failing", "Sink Failing", Class::Error, Activity::Is(1)),
    kind("sink-recovered", "Sink Recovered", Class::Lifecycle, Activity::Other),
    kind("sink-dropped", "Sink Dropped Events", Class::Error, Activity::Is(1)),
];

/// Every other kind, by its dataset. A failure of the agent's own is an error.
pub const ANY_OTHER: &[Kind] = &[
    kind("hostnet.network", "", Class::Network, Activity::Other),
    kind("hostnet.process", "", Class::Process, Activity::Other),
    kind("hostnet.state", "", Class::State, Activity::Is(1)),
    kind("hostnet.finding", "", Class::Finding, Activity::Is(1)),
    kind("hostnet.health", "", Class::Lifecycle, Activity::Other),
];

const FAILED: Kind = kind("", "", Class::Error, Activity::Is(1));

/// What is known of no dataset, either.
const UNKNOWN: Kind = kind("", "", Class::State, Activity::Other);

impl Kind {
    /// The kind of an event.
    pub fn of(document: &Document) -> Self {
        let field = |path| text(document, path).unwrap_or_default();
        let find = |table: &'static [Self], name: &str| {
            table.iter().copied().find(|kind| kind.action == name)
        };
        if let Some(kind) = find(KINDS, field("event.action")) {
            return kind;
        }
        let dataset = field("event.dataset");
        if dataset == "hostnet.health" && field("event.outcome") == "failure" {
            return FAILED;
        }
        find(ANY_OTHER, dataset).unwrap_or(UNKNOWN)
    }

    /// What happened in a few words.
    pub fn caption<'a>(&self, document: &'a Document) -> &'a str {
        if self.caption.is_empty() {
            text(document, "event.action").unwrap_or_default()
        } else {
            self.caption
        }
    }
}

impl Kind {
    /// Severity in the header of CEF.
    #[must_use]
    pub fn cef_severity(&self, document: &Document) -> &'static str {
        match Severity::of(self.class, document) {
            Severity::Unknown => "Unknown",
            Severity::Informational => "1",
            Severity::Low => "3",
            Severity::Medium => "5",
            Severity::High => "8",
            Severity::Critical => "10",
        }
    }
}

/// How much an event matters: of a finding as the rule says, else by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Of a finding without one: the one who reads it has to say.
    Unknown,
    /// What happened.
    Informational,
    /// Of a finding.
    Low,
    /// Of a finding; or the record has a gap, or will be poorer.
    Medium,
    /// Of a finding.
    High,
    /// Of a finding.
    Critical,
}

impl Severity {
    /// The severity of an event of a class.
    pub fn of(class: Class, document: &Document) -> Self {
        match class {
            Class::Finding => match text(document, "hostnet.finding.severity") {
                Some("low") => Self::Low,
                Some("medium") => Self::Medium,
                Some("high") => Self::High,
                Some("critical") => Self::Critical,
                _ => Self::Unknown,
            },
            Class::Error => Self::Medium,
            _ => Self::Informational,
        }
    }
}
