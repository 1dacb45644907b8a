//! Which field of ours is which attribute of OCSF: the one table.
//!
//! A field without a row here, or whose row has no place in an event's class, is
//! put under `unmapped` by its own name. So nothing is lost, and nothing can be
//! forgotten here but its better name.

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Field of the ECS document; an object is taken whole.
    pub from: &'static str,
    /// Attributes it becomes; `{role}` stands for the class' place for it.
    pub to: &'static [&'static str],
    /// How its value is made.
    pub how: How,
    /// What else must be there, because OCSF asks for it beside this one.
    pub needs: Option<&'static str>,
}

/// How a value is made of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it is.
    Same,
    /// Other attributes already say it; they are what it is listed with.
    Said,
    /// A time: milliseconds since 1970, and exactly in a twin named `…_dt`.
    Time,
    /// A duration in milliseconds; exact under `unmapped` as well.
    Milliseconds,
    /// A number as text.
    Text,
    /// A text as number.
    Number,
    /// The first of several.
    First,
    /// The file that is executed: its path and name.
    File,
    /// Names with values as a list of pairs.
    Pairs,
    /// The processes it descends from.
    Ancestry,
    /// The name of an end that has no IP address; an address is said by `ip`.
    Name,
    /// `success` 1, `failure` 2, `unknown` 0.
    Status,
    /// `ingress` 1, `egress` 2.
    Direction,
    /// `ipv4` 4, `ipv6` 6.
    IpVersion,
    /// `linux` 200, and the word itself.
    OsType,
    /// The number of a TCP state, and the word itself.
    SocketState,
    /// A pod's id, when it is a UUID.
    Uuid,
    /// ATT&CK techniques, ids beside names, as attacks.
    Attacks,
}

impl How {
    /// How, for documentation, after the attribute; nothing when as it is.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Same | Self::Said => "",
            Self::Time => ", milliseconds; exact in its twin `…_dt`",
            Self::Milliseconds => ", milliseconds; exact under `unmapped`, too",
            Self::Text => ", as text",
            Self::Number => ", as number",
            Self::First => ", the first",
            Self::File => " (`path`, `name` and `type_id`)",
            Self::Pairs => ", as names and values",
            Self::Ancestry => ", as process entities",
            Self::Name => ", unless it is an IP address",
            Self::Status => ": success 1, failure 2, unknown 0",
            Self::Direction => ": ingress 1, egress 2, not known 0",
            Self::IpVersion => ": 4 or 6",
            Self::OsType => ", and `type_id`: Linux 200",
            Self::SocketState => ", and `tcp_state_id` of a TCP socket",
            Self::Uuid => ", when it is a UUID",
            Self::Attacks => ", one attack each",
        }
    }
}

const fn rule(from: &'static str, to: &'static [&'static str], how: How) -> Rule {
    Rule { from, to, how, needs: None }
}

const fn same(from: &'static str, to: &'static [&'static str]) -> Rule {
    rule(from, to, How::Same)
}

const fn said(from: &'static str, by: &'static [&'static str]) -> Rule {
    rule(from, by, How::Said)
}

const fn needing(needs: &'static str, rule: Rule) -> Rule {
    Rule { needs: Some(needs), ..rule }
}

/// Every row.
pub const RULES: &[Rule] = &[
    rule("@timestamp", &["time"], How::Time),
    same("message", &["message"]),
    same("ecs.version", &["metadata.log_version"]),
    said("data_stream.type", &["class_uid"]),
    said("data_stream.dataset", &["metadata.log_name"]),
    said("data_stream.namespace", &["class_uid"]),
    same("event.id", &["metadata.uid"]),
    same("event.sequence", &["metadata.sequence"]),
    same("event.action", &["metadata.event_code"]),
    same("event.dataset", &["metadata.log_name"]),
    same("event.provider", &["metadata.log_provider"]),
    rule("event.created", &["metadata.logged_time"], How::Time),
    said("event.module", &["metadata.product.name"]),
    said("event.kind", &["class_uid"]),
    said("event.category", &["class_uid"]),
    said("event.type", &["activity_id"]),
    rule("event.outcome", &["{status_id}"], How::Status),
    same("event.reason", &["status_code"]),
    rule("event.duration", &["duration"], How::Milliseconds),
    rule("event.start", &["start_time"], How::Time),
    rule("event.end", &["end_time"], How::Time),
    same("hostnet.amends", &["metadata.correlation_uid"]),
    same("agent.type", &["metadata.product.name", "{app}.name"]),
    same("agent.version", &["metadata.product.version", "{app}.version"]),
    same("agent.id", &["metadata.reporter.uid"]),
    same("host.name", &["device.name"]),
    same("host.hostname", &["device.hostname", "metadata.reporter.hostname"]),
    same("host.id", &["device.uid"]),
    same("host.boot.id", &["device.boot_uid"]),
    same("host.architecture", &["device.hw_info.cpu_architecture"]),
    rule("host.os.type", &["device.os.type"], How::OsType),
    same("host.os.name", &["device.os.name"]),
    same("host.os.version", &["device.os.version"]),
    same("host.os.kernel", &["device.os.kernel_release"]),
    same("user.id", &["{actor}.user.uid"]),
    said("related.ip", &["observables"]),
    said("related.user", &["{actor}.user.uid"]),
    same("process.pid", &["{process}.pid"]),
    same("process.vpid", &["{process}.namespace_pid"]),
    same("process.entity_id", &["{process}.uid"]),
    same("process.name", &["{process}.name"]),
    needing("process.executable", rule("process.executable", &["{process}.file"], How::File)),
    same("process.command_line", &["{process}.cmd_line"]),
    same("process.working_directory", &["{process}.working_directory"]),
    rule("process.start", &["{process}.created_time"], How::Time),
    same("process.thread.id", &["{process}.ptid"]),
    same("process.user.id", &["{process}.user.uid"]),
    same("process.exit_code", &["{exit_code}"]),
    same("process.parent.pid", &["{process}.parent_process.pid"]),
    same("process.parent.entity_id", &["{process}.parent_process.uid"]),
    same("process.parent.name", &["{process}.parent_process.name"]),
    same("process.parent.executable", &["{process}.parent_process.path"]),
    rule("process.parent.start", &["{process}.parent_process.created_time"], How::Time),
    needing(
        "process.executable",
        rule("hostnet.process.file.inode", &["{process}.file.uid"], How::Text),
    ),
    needing(
        "process.executable",
        same("hostnet.process.file.deleted", &["{process}.file.is_deleted"]),
    ),
    rule("hostnet.process.ancestors", &["{process}.ancestry"], How::Ancestry),
    same("container.id", &["{container}.uid"]),
    same("container.name", &["{container}.name"]),
    same("container.runtime", &["{container}.runtime"]),
    needing("container.image.hash.all", same("container.image.name", &["{container}.image.name"])),
    needing("container.image.hash.all", same("container.image.tag", &["{container}.image.labels"])),
    rule("container.image.hash.all", &["{container}.image.uid"], How::First),
    rule("container.labels", &["{container}.tags"], How::Pairs),
    needing("container.id", same("orchestrator.type", &["{container}.orchestrator"])),
    needing("container.id", rule("orchestrator.resource.id", &["{container}.pod_uuid"], How::Uuid)),
    same("hostnet.peer.container.id", &["{peer_container}.uid"]),
    same("hostnet.peer.container.name", &["{peer_container}.name"]),
    same("hostnet.peer.container.runtime", &["{peer_container}.runtime"]),
    needing(
        "hostnet.peer.container.image.hash.all",
        same("hostnet.peer.container.image.name", &["{peer_container}.image.name"]),
    ),
    needing(
        "hostnet.peer.container.image.hash.all",
        same("hostnet.peer.container.image.tag", &["{peer_container}.image.labels"]),
    ),
    rule("hostnet.peer.container.image.hash.all", &["{peer_container}.image.uid"], How::First),
    rule("hostnet.peer.container.labels", &["{peer_container}.tags"], How::Pairs),
    same("network.transport", &["{connection}.protocol_name"]),
    rule("network.iana_number", &["{connection}.protocol_num"], How::Number),
    rule("network.type", &["{connection}.protocol_ver_id"], How::IpVersion),
    rule("network.direction", &["{connection}.direction_id"], How::Direction),
    same("network.community_id", &["{connection}.community_uid"]),
    same("network.bytes", &["{traffic}.bytes"]),
    rule("hostnet.socket.cookie", &["{connection}.uid"], How::Text),
    same("client.ip", &["{client}.ip"]),
    same("client.port", &["{client}.port"]),
    rule("client.address", &["{client}.name"], How::Name),
    same("client.bytes", &["{traffic}.bytes_out"]),
    same("server.ip", &["{server}.ip"]),
    same("server.port", &["{server}.port"]),
    rule("server.address", &["{server}.name"], How::Name),
    same("server.bytes", &["{traffic}.bytes_in"]),
    // An end is always `client` or `server`, too, wherever the class puts those.
    said("source", &["{client}", "{server}", "unmapped.client", "unmapped.server"]),
    said("destination", &["{server}", "unmapped.server"]),
    said("hostnet.local.ip", &["{client}.ip", "{server}.ip"]),
    said("hostnet.local.port", &["{client}.port", "{server}.port"]),
    said("hostnet.local.name", &["{client}.name", "{server}.name"]),
    said("hostnet.remote.ip", &["{client}.ip", "{server}.ip"]),
    said("hostnet.remote.port", &["{client}.port", "{server}.port"]),
    said("hostnet.remote.name", &["{client}.name", "{server}.name"]),
    rule("hostnet.existing.state", &["{query}.state"], How::SocketState),
    said("event.severity", &["severity_id"]),
    said("hostnet.finding.severity", &["severity_id"]),
    same("rule.id", &["finding_info.analytic.uid"]),
    same("rule.name", &["finding_info.analytic.name"]),
    same("rule.ruleset", &["finding_info.analytic.category"]),
    same("rule.description", &["finding_info.desc"]),
    said("threat.framework", &["finding_info.attacks"]),
    rule("threat.technique", &["finding_info.attacks"], How::Attacks),
];
