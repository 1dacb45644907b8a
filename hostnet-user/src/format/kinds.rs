//! The kinds of events as the other formats name them: one table.

use super::{
    document::{Document, text},
    ocsf::class::{Activity, Class},
};
use crate::event::Action;

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

/// The kinds of another version of hostnet, by their dataset: lines that were written
/// elsewhere can have actions that are not known here.
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
    /// What events with an action of ours are elsewhere. There is no row for the
    /// rest: a new action has to be decided here.
    #[must_use]
    pub const fn of_action(action: Action) -> Self {
        use Action as A;
        let (caption, class, activity) = match action {
            A::BoundSocket => ("Bind", Class::Network, Activity::Bind),
            A::ListenForConnections => ("Listen", Class::Network, Activity::Is(7)),
            A::ConnectionAttempted => ("Connect", Class::Network, Activity::Connect),
            A::ConnectionOutcome => ("Connect Outcome", Class::Network, Activity::Connect),
            A::ConnectionAccepted => ("Accept", Class::Network, Activity::Connect),
            A::DisconnectReceived => ("Close", Class::Network, Activity::Close),
            A::ClosedListener => ("Stop Listening", Class::Network, Activity::Other),
            A::OpenedRawSocket => ("Open Raw Socket", Class::Network, Activity::Other),
            A::OpenedPacketSocket => ("Open Packet Socket", Class::Network, Activity::Other),
            A::OpenedNetlinkSocket => ("Open Netlink Socket", Class::Network, Activity::Other),
            A::OpenedVsockSocket => ("Open VSOCK Socket", Class::Network, Activity::Other),
            A::OpenedXdpSocket => ("Open XDP Socket", Class::Network, Activity::Other),
            A::OpenedAlgSocket => ("Open Crypto Socket", Class::Network, Activity::Other),
            A::OpenedSctpSocket => ("Open SCTP Socket", Class::Network, Activity::Other),
            A::OpenedOtherSocket => ("Open Socket", Class::Network, Activity::Other),
            A::BoundPacketSocket => ("Bind Packet Socket", Class::Network, Activity::Other),
            A::AttachedSocketFilter => ("Attach Socket Filter", Class::Network, Activity::Other),
            A::RequestedNetlinkChange => {
                ("Request Network Change", Class::Network, Activity::Other)
            }
            A::JoinedMulticastGroup => ("Join Multicast Group", Class::Network, Activity::Other),
            A::JoinedNetlinkGroups => ("Join Netlink Groups", Class::Network, Activity::Other),
            A::UsedUnixSocket => ("Use Unix Socket", Class::Network, Activity::Other),
            A::ExistingSocket => ("Existing Socket", Class::Evidence, Activity::Is(1)),
            A::Executed => ("Exec", Class::Process, Activity::Is(1)),
            A::ProcessEnded => ("Process End", Class::Process, Activity::Is(2)),
            A::CgroupMigration => ("Cgroup Migration", Class::State, Activity::Is(1)),
            A::NameSpoof => ("Container Name Spoof", Class::State, Activity::Is(1)),
            A::Finding => ("Finding", Class::Finding, Activity::Is(1)),
            A::ContainerInHostNetwork => {
                ("Container In Host Network", Class::Inventory, Activity::Is(1))
            }
            A::ContainerJoinedHostNetwork => {
                ("Container Joined Host Network", Class::State, Activity::Is(1))
            }
            A::ContainerLeftHostNetwork => {
                ("Container Left Host Network", Class::State, Activity::Is(1))
            }
            A::ContainerIdentified => ("Container Identified", Class::Inventory, Activity::Is(1)),
            A::AgentStarted => ("Agent Started", Class::Lifecycle, Activity::Is(3)),
            A::AgentStopped => ("Agent Stopped", Class::Lifecycle, Activity::Is(4)),
            A::RecordsLost => ("Records Lost", Class::Error, Activity::Is(1)),
            A::RecordsSuppressed => ("Records Suppressed", Class::Error, Activity::Is(1)),
            A::RecordsUndecodable => ("Records Undecodable", Class::Error, Activity::Is(1)),
            A::CoverageChanged => ("Coverage Changed", Class::Error, Activity::Is(1)),
            A::MapsWiped => ("Maps Wiped", Class::Error, Activity::Is(1)),
            A::MapsUnmarked => ("Maps Unmarked", Class::Error, Activity::Is(1)),
            A::AgentStalled => ("Agent Stalled", Class::Error, Activity::Is(1)),
            A::ProgramsAdopted => ("Programs Adopted", Class::Lifecycle, Activity::Other),
            A::ProgramsReplaced => ("Programs Replaced", Class::Error, Activity::Is(1)),
            A::RuntimeReachable => {
                ("Container Runtime Reachable", Class::Lifecycle, Activity::Other)
            }
            A::RuntimeUnreachable => {
                ("Container Runtime Unreachable", Class::Error, Activity::Is(1))
            }
            A::RulesRefused => ("Rules Refused", Class::Error, Activity::Is(1)),
            A::RulesMended => ("Rules Mended", Class::Lifecycle, Activity::Other),
            A::AgentHeartbeat => ("Agent Heartbeat", Class::Lifecycle, Activity::Other),
            A::AgentCrashed => ("Agent Crashed", Class::Error, Activity::Is(1)),
            A::ClockStepped => ("Clock Stepped", Class::Error, Activity::Is(1)),
            A::HistoryFailed => ("History Failed", Class::Error, Activity::Is(1)),
            A::HistoryRecovered => ("History Recovered", Class::Lifecycle, Activity::Other),
            A::HistoryPurged => ("History Purged", Class::Lifecycle, Activity::Other),
            A::ChainCheckpoint => ("Chain Checkpoint", Class::Lifecycle, Activity::Other),
            A::SinkFailing => ("Sink Failing", Class::Error, Activity::Is(1)),
            A::SinkRecovered => ("Sink Recovered", Class::Lifecycle, Activity::Other),
            A::SinkDropped => ("Sink Dropped Events", Class::Error, Activity::Is(1)),
        };
        Self { action: action.name(), caption, class, activity }
    }

    /// The kind of an event.
    pub fn of(document: &Document) -> Self {
        let field = |path| text(document, path).unwrap_or_default();
        if let Some(action) = Action::from_name(field("event.action")) {
            return Self::of_action(action);
        }
        let dataset = field("event.dataset");
        if dataset == "hostnet.health" && field("event.outcome") == "failure" {
            return FAILED;
        }
        ANY_OTHER.iter().copied().find(|kind| kind.action == dataset).unwrap_or(UNKNOWN)
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
