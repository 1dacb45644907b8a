//! Every `event.action` there is, and what is true of all events with it: one table, from
//! which every list of actions, captions, data sets, classes and SQL conditions is derived.

use super::{Activity, Category, Class};

/// How many of all events have an action, on a host that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// Most: they are looked for by time alone.
    Frequent,
    /// Few: the history has an index of them.
    Rare,
}

/// What an event says of how the host was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Nothing: it was observed.
    Complete,
    /// It began.
    Begins,
    /// It ended.
    Ends,
    /// It went on without an agent.
    Continues,
    /// Something was not observed, or is not kept.
    Missed,
}

/// Names as a list of SQL.
macro_rules! sql_list {
    (($first:literal Frequent) $(($rest:literal Frequent))*) => {
        concat!("'", $first, "'" $(, ", '", $rest, "'")*)
    };
}

macro_rules! actions {
    ($(
        $variant:ident = $name:literal, $caption:literal,
        $category:ident, $class:ident, $activity:ident$(($id:literal))?
        $(, frequency $frequency:ident)? $(, observation $observation:ident)?;
    )*) => {
        /// What kind of thing happened. A `match` on it has to decide about each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $(#[doc = concat!("`", $name, "`")] $variant,)* }

        /// The name of an action as a literal, for `concat!`.
        macro_rules! action_name { $(($variant) => { $name };)* }

        /// The names of frequent actions as a list of SQL, a literal.
        macro_rules! frequent_actions {
            () => { sql_list!($($(($name $frequency))?)*) };
        }

        impl Action {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// ECS `event.action`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The action of that name; `None` for one that this version does not have.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// What happened in a few words, the same for all events with it.
            #[must_use]
            pub const fn caption(self) -> &'static str {
                match self { $(Self::$variant => $caption,)* }
            }

            /// What it is about.
            #[must_use]
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* }
            }

            /// OCSF class.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            /// OCSF activity within the class.
            #[must_use]
            pub const fn activity(self) -> Activity {
                match self { $(Self::$variant => Activity::$activity$(($id))?,)* }
            }

            /// How many of all events have it.
            #[must_use]
            pub const fn frequency(self) -> Frequency {
                match self {
                    $(Self::$variant => [$(Frequency::$frequency,)? Frequency::Rare][0],)*
                }
            }

            /// What it says of how the host was observed.
            #[must_use]
            pub const fn observation(self) -> Observation {
                match self {
                    $(Self::$variant =>
                        [$(Observation::$observation,)? Observation::Complete][0],)*
                }
            }
        }
    };
}

// Name, caption, category, OCSF class and activity; how frequent it is where not rare; what
// it says of the observation, if anything.
actions! {
    BoundSocket = "bound-socket", "Bind", Network, Network, Bind;
    ListenForConnections = "listen-for-connections", "Listen", Network, Network, Is(7);
    ConnectionAttempted = "connection_attempted", "Connect",
        Network, Network, Connect, frequency Frequent;
    ConnectionOutcome = "connection-outcome", "Connect Outcome", Network, Network, Connect;
    ConnectionAccepted = "connection_accepted", "Accept",
        Network, Network, Connect, frequency Frequent;
    DisconnectReceived = "disconnect_received", "Close",
        Network, Network, Close, frequency Frequent;
    ClosedListener = "closed-listener", "Stop Listening", Network, Network, Other;
    OpenedRawSocket = "opened-raw-socket", "Open Raw Socket", Network, Network, Other;
    OpenedPacketSocket = "opened-packet-socket", "Open Packet Socket", Network, Network, Other;
    OpenedNetlinkSocket = "opened-netlink-socket", "Open Netlink Socket", Network, Network, Other;
    OpenedVsockSocket = "opened-vsock-socket", "Open VSOCK Socket", Network, Network, Other;
    OpenedXdpSocket = "opened-xdp-socket", "Open XDP Socket", Network, Network, Other;
    OpenedAlgSocket = "opened-alg-socket", "Open Crypto Socket", Network, Network, Other;
    OpenedSctpSocket = "opened-sctp-socket", "Open SCTP Socket", Network, Network, Other;
    OpenedOtherSocket = "opened-other-socket", "Open Socket", Network, Network, Other;
    BoundPacketSocket = "bound-packet-socket", "Bind Packet Socket", Network, Network, Other;
    AttachedSocketFilter = "attached-socket-filter", "Attach Socket Filter",
        Network, Network, Other;
    RequestedNetlinkChange = "requested-netlink-change", "Request Network Change",
        Configuration, Network, Other;
    JoinedMulticastGroup = "joined-multicast-group", "Join Multicast Group",
        Network, Network, Other;
    JoinedNetlinkGroups = "joined-netlink-groups", "Join Netlink Groups", Network, Network, Other;
    UsedUnixSocket = "used-unix-socket", "Use Unix Socket", Network, Network, Other;
    ExistingSocket = "existing_socket", "Existing Socket", Network, Evidence, Is(1);
    Executed = "exec", "Exec", Process, Process, Is(1);
    ProcessEnded = "end", "Process End", Process, Process, Is(2);
    CgroupMigration = "cgroup-migration", "Cgroup Migration", Process, State, Is(1);
    NameSpoof = "name-spoof", "Container Name Spoof", Process, State, Is(1);
    Finding = "finding", "Finding", Finding, Finding, Is(1);
    ContainerInHostNetwork = "container-in-host-network", "Container In Host Network",
        State, Inventory, Is(1);
    ContainerJoinedHostNetwork = "container-joined-host-network", "Container Joined Host Network",
        State, State, Is(1);
    ContainerLeftHostNetwork = "container-left-host-network", "Container Left Host Network",
        State, State, Is(1);
    ContainerIdentified = "container-identified", "Container Identified", State, Inventory, Is(1);
    AgentStarted = "agent-started", "Agent Started", Health, Lifecycle, Is(3), observation Begins;
    AgentStopped = "agent-stopped", "Agent Stopped", Health, Lifecycle, Is(4), observation Ends;
    RecordsLost = "records-lost", "Records Lost", Health, Error, Is(1), observation Missed;
    RecordsSuppressed = "records-suppressed", "Records Suppressed",
        Health, Error, Is(1), observation Missed;
    RecordsUndecodable = "records-undecodable", "Records Undecodable",
        Health, Error, Is(1), observation Missed;
    CoverageChanged = "coverage-changed", "Coverage Changed",
        Health, Error, Is(1), observation Missed;
    MapsWiped = "maps-wiped", "Maps Wiped", Health, Error, Is(1), observation Missed;
    MapsUnmarked = "maps-unmarked", "Maps Unmarked", Health, Error, Is(1), observation Missed;
    AgentStalled = "agent-stalled", "Agent Stalled", Health, Error, Is(1);
    ProgramsAdopted = "programs-adopted", "Programs Adopted",
        Health, Lifecycle, Other, observation Continues;
    ProgramsReplaced = "programs-replaced", "Programs Replaced",
        Health, Error, Is(1), observation Missed;
    RuntimeReachable = "runtime-reachable", "Container Runtime Reachable",
        Health, Lifecycle, Other;
    RuntimeUnreachable = "runtime-unreachable", "Container Runtime Unreachable",
        Health, Error, Is(1);
    RulesRefused = "rules-refused", "Rules Refused", Health, Error, Is(1);
    RulesMended = "rules-mended", "Rules Mended", Health, Lifecycle, Other;
    AgentHeartbeat = "agent-heartbeat", "Agent Heartbeat", Health, Lifecycle, Other;
    AgentCrashed = "agent-crashed", "Agent Crashed", Health, Error, Is(1), observation Ends;
    ClockStepped = "clock-stepped", "Clock Stepped", Health, Error, Is(1);
    HistoryFailed = "history-failed", "History Failed", Health, Error, Is(1), observation Missed;
    HistoryRecovered = "history-recovered", "History Recovered",
        Health, Lifecycle, Other, observation Missed;
    HistoryPurged = "history-purged", "History Purged", Health, Lifecycle, Other;
    ChainCheckpoint = "chain-checkpoint", "Chain Checkpoint", Health, Lifecycle, Other;
    SinkFailing = "sink-failing", "Sink Failing", Health, Error, Is(1);
    SinkRecovered = "sink-recovered", "Sink Recovered", Health, Lifecycle, Other;
    SinkDropped = "sink-dropped", "Sink Dropped Events", Health, Error, Is(1);
}

/// Names of actions as a list of SQL, a literal.
macro_rules! action_list {
    ($first:ident $(, $rest:ident)*) => {
        concat!("'", action_name!($first), "'" $(, ", '", action_name!($rest), "'")*)
    };
}

impl Action {
    /// Those for which something holds.
    pub fn that(is_so: impl Fn(Self) -> bool) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |action| is_so(*action))
    }

    /// Whether it says something of how the host was observed.
    #[must_use]
    pub const fn is_of_observation(self) -> bool {
        !matches!(self.observation(), Observation::Complete)
    }

    /// Whether the history has an index of them.
    #[must_use]
    pub const fn is_rare(self) -> bool {
        matches!(self.frequency(), Frequency::Rare)
    }
}
