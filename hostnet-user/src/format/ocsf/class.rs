//! The OCSF classes and activities that our events are.

use crate::{
    event::{Activity, Class},
    format::document::Document,
};

impl Class {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Network,
        Self::Process,
        Self::Finding,
        Self::State,
        Self::Inventory,
        Self::Evidence,
        Self::Lifecycle,
        Self::Error,
    ];

    /// `class_uid`.
    #[must_use]
    pub const fn uid(self) -> u32 {
        match self {
            Self::Network => 4001,
            Self::Process => 1007,
            Self::Finding => 2004,
            Self::State => 5019,
            Self::Inventory => 5001,
            Self::Evidence => 5040,
            Self::Lifecycle => 6002,
            Self::Error => 6008,
        }
    }

    /// `class_name`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "Network Activity",
            Self::Process => "Process Activity",
            Self::Finding => "Detection Finding",
            Self::State => "Device Config State Change",
            Self::Inventory => "Device Inventory Info",
            Self::Evidence => "Live Evidence Info",
            Self::Lifecycle => "Application Lifecycle",
            Self::Error => "Application Error",
        }
    }

    /// `category_name`; its id is the class' first digit.
    pub const fn category(self) -> &'static str {
        match self {
            Self::Network => "Network Activity",
            Self::Process => "System Activity",
            Self::Finding => "Findings",
            Self::State | Self::Inventory | Self::Evidence => "Discovery",
            Self::Lifecycle | Self::Error => "Application Activity",
        }
    }

    /// Where in an event of the class that which plays a role goes. A role that
    /// the class has no place for has none.
    pub const fn places(self, role: Role) -> &'static [&'static str] {
        match (role, self) {
            (Role::Actor, Self::Finding) => &["evidences.actor"],
            (Role::Actor, _) => &["actor"],
            (Role::Process, Self::Process) => &["process"],
            (Role::Process, Self::Finding) => &["evidences.actor.process"],
            (Role::Process, _) => &["actor.process"],
            (Role::Client, Self::Network) => &["src_endpoint"],
            (Role::Client, Self::Finding) => &["evidences.src_endpoint"],
            (Role::Server, Self::Network) => &["dst_endpoint"],
            (Role::Server, Self::Finding) => &["evidences.dst_endpoint"],
            (Role::Connection, Self::Network) => &["connection_info"],
            (Role::Connection, Self::Finding) => &["evidences.connection_info"],
            (Role::Connection, Self::Evidence) => &["query_evidence.connection_info"],
            (Role::Traffic, Self::Network) => &["traffic"],
            (Role::Container, Self::Network) => &["actor.process.container", LOCAL_CONTAINER],
            (Role::Container, Self::Process) => &["process.container"],
            (Role::Container, Self::Finding) => {
                &["evidences.actor.process.container", "evidences.container"]
            }
            (Role::Container, _) => &["actor.process.container", "device.container"],
            (Role::PeerContainer, Self::Network) => &[REMOTE_CONTAINER],
            (Role::Query, Self::Evidence) => &["query_evidence"],
            (Role::Data, Self::Finding) => &["evidences.data"],
            (Role::Application, Self::Lifecycle) => &["app"],
            (Role::ExitCode, Self::Process) => &["exit_code"],
            (Role::Status, Self::Finding) => &[],
            (Role::Status, _) => &["status_id"],
            _ => &[],
        }
    }
}

/// One of the two endpoints, by which of them is ours.
const LOCAL_CONTAINER: &str = "local_endpoint.container";
const REMOTE_CONTAINER: &str = "remote_endpoint.container";

/// What the classes have different places for. Tables write it `{actor}.user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who acted.
    Actor,
    /// The process that acted.
    Process,
    /// The end that began, or that a socket with two ends is on.
    Client,
    /// The other end, or a socket alone.
    Server,
    /// The connection between them.
    Connection,
    /// How much went over it.
    Traffic,
    /// The owner's container.
    Container,
    /// The container at the other end.
    PeerContainer,
    /// What was asked of the kernel.
    Query,
    /// What a finding is about.
    Data,
    /// The agent.
    Application,
    /// How a process ended.
    ExitCode,
    /// How the operation ended.
    Status,
}

/// The roles by the names that tables write.
pub const ROLES: &[(&str, Role)] = &[
    ("actor", Role::Actor),
    ("process", Role::Process),
    ("client", Role::Client),
    ("server", Role::Server),
    ("connection", Role::Connection),
    ("traffic", Role::Traffic),
    ("container", Role::Container),
    ("peer_container", Role::PeerContainer),
    ("query", Role::Query),
    ("data", Role::Data),
    ("app", Role::Application),
    ("exit_code", Role::ExitCode),
    ("status_id", Role::Status),
];

impl Role {
    /// The role by its name.
    pub fn named(name: &str) -> Option<Self> {
        ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
    }
}

impl Activity {
    /// `activity_id` of an event.
    pub fn id(self, document: &Document<'_>) -> u8 {
        let field = |path| document.text(path).unwrap_or_default();
        match self {
            Self::Is(id) => id,
            Self::Other => 99,
            Self::Connect => match (&*field("event.outcome"), &*field("event.reason")) {
                ("success", _) => 1,
                ("failure", "ECONNREFUSED") => 5,
                ("failure", _) => 4,
                _ => 99,
            },
            Self::Close if field("event.reason") == "ECONNRESET" => 3,
            Self::Close => 2,
            Self::Bind => {
                let asked = document.json("hostnet.bind.requested_port");
                let asked_for_port = asked.and_then(|port| port.parse::<u64>().ok()) > Some(0);
                let is_udp = matches!(&*field("network.transport"), "udp" | "udplite");
                let is_server = is_udp && asked_for_port && field("event.outcome") == "success";
                if is_server { 7 } else { 99 }
            }
        }
    }

    /// The same in words, for documentation.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Is(id) => id.to_string(),
            Self::Other => "99 (`activity_name` says what)".to_owned(),
            Self::Connect => {
                "1 Open; 5 Refuse when refused; 4 Fail on another failure; 99 while the outcome is \
                 not known"
            }
            .to_owned(),
            Self::Close => "2 Close; 3 Reset when the other end reset it".to_owned(),
            Self::Bind => {
                "7 Listen for a UDP socket that asked for a port; else 99 (`Bind`)".to_owned()
            }
        }
    }
}

/// The class' own name for an activity, where it has one.
pub const fn activity_name(class: Class, id: u8) -> Option<&'static str> {
    Some(match (class, id) {
        (Class::Network, 1) => "Open",
        (Class::Network, 2) => "Close",
        (Class::Network, 3) => "Reset",
        (Class::Network, 4) => "Fail",
        (Class::Network, 5) => "Refuse",
        (Class::Network, 7) => "Listen",
        (Class::Process, 1) => "Launch",
        (Class::Process, 2) => "Terminate",
        (Class::Finding, 1) => "Create",
        (Class::State | Class::Inventory, 1) => "Log",
        (Class::Evidence, 1) => "Query",
        (Class::Lifecycle, 3) => "Start",
        (Class::Lifecycle, 4) => "Stop",
        (Class::Error, 1) => "General Error",
        _ => return None,
    })
}
