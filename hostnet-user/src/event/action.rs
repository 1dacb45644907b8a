//! Every `event.action` there is: one list.

macro_rules! actions {
    ($($variant:ident = $name:literal,)*) => {
        /// What kind of thing happened. A `match` on it has to decide about each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $(#[doc = concat!("`", $name, "`")] $variant,)* }

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
        }
    };
}

actions! {
    BoundSocket = "bound-socket",
    ListenForConnections = "listen-for-connections",
    ConnectionAttempted = "connection_attempted",
    ConnectionOutcome = "connection-outcome",
    ConnectionAccepted = "connection_accepted",
    DisconnectReceived = "disconnect_received",
    ClosedListener = "closed-listener",
    OpenedRawSocket = "opened-raw-socket",
    OpenedPacketSocket = "opened-packet-socket",
    OpenedNetlinkSocket = "opened-netlink-socket",
    OpenedVsockSocket = "opened-vsock-socket",
    OpenedXdpSocket = "opened-xdp-socket",
    OpenedAlgSocket = "opened-alg-socket",
    OpenedSctpSocket = "opened-sctp-socket",
    OpenedOtherSocket = "opened-other-socket",
    BoundPacketSocket = "bound-packet-socket",
    AttachedSocketFilter = "attached-socket-filter",
    RequestedNetlinkChange = "requested-netlink-change",
    JoinedMulticastGroup = "joined-multicast-group",
    JoinedNetlinkGroups = "joined-netlink-groups",
    UsedUnixSocket = "used-unix-socket",
    ExistingSocket = "existing_socket",
    Executed = "exec",
    ProcessEnded = "end",
    CgroupMigration = "cgroup-migration",
    NameSpoof = "name-spoof",
    Finding = "finding",
    ContainerInHostNetwork = "container-in-host-network",
    ContainerJoinedHostNetwork = "container-joined-host-network",
    ContainerLeftHostNetwork = "container-left-host-network",
    ContainerIdentified = "container-identified",
    AgentStarted = "agent-started",
    AgentStopped = "agent-stopped",
    RecordsLost = "records-lost",
    RecordsSuppressed = "records-suppressed",
    RecordsUndecodable = "records-undecodable",
    CoverageChanged = "coverage-changed",
    MapsWiped = "maps-wiped",
    MapsUnmarked = "maps-unmarked",
    AgentStalled = "agent-stalled",
    ProgramsAdopted = "programs-adopted",
    ProgramsReplaced = "programs-replaced",
    RuntimeReachable = "runtime-reachable",
    RuntimeUnreachable = "runtime-unreachable",
    RulesRefused = "rules-refused",
    RulesMended = "rules-mended",
    AgentHeartbeat = "agent-heartbeat",
    AgentCrashed = "agent-crashed",
    ClockStepped = "clock-stepped",
    HistoryFailed = "history-failed",
    HistoryRecovered = "history-recovered",
    HistoryPurged = "history-purged",
    ChainCheckpoint = "chain-checkpoint",
    SinkFailing = "sink-failing",
    SinkRecovered = "sink-recovered",
    SinkDropped = "sink-dropped",
}
