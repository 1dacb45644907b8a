//! Which fields events have, and which of those hold several values.

use crate::format::fields::{FIELDS, Field, Kind};

/// What ECS calls the groups that our events have.
const GROUPS: [&str; 19] = [
    "@timestamp",
    "agent",
    "client",
    "container",
    "data_stream",
    "destination",
    "ecs",
    "event",
    "host",
    "labels",
    "message",
    "network",
    "orchestrator",
    "process",
    "related",
    "server",
    "source",
    "tags",
    "user",
];

/// The fields of ECS that judged events have, by what they hold: a number that ECS writes
/// as text is a number here. Those of findings are not here, because these are not judged.
const ECS: &[(Kind, &[&str])] = &[
    (
        Kind::Number,
        &[
            "client.bytes",
            "client.port",
            "destination.bytes",
            "destination.port",
            "event.duration",
            "event.sequence",
            "network.bytes",
            "network.iana_number",
            "process.args_count",
            "process.exit_code",
            "process.group.id",
            "process.parent.pid",
            "process.pid",
            "process.thread.id",
            "process.user.id",
            "process.vpid",
            "server.bytes",
            "server.port",
            "source.bytes",
            "source.port",
            "user.id",
        ],
    ),
    (Kind::Ip, &["client.ip", "destination.ip", "server.ip", "source.ip"]),
    (Kind::Flag, &["container.security_context.privileged"]),
    (Kind::Texts, &LISTS),
    (Kind::Free, &["container.labels"]),
    (
        Kind::Text,
        &[
            "@timestamp",
            "agent.ephemeral_id",
            "agent.id",
            "agent.type",
            "agent.version",
            "client.address",
            "container.id",
            "container.image.name",
            "container.name",
            "container.runtime",
            "data_stream.dataset",
            "data_stream.namespace",
            "data_stream.type",
            "destination.address",
            "ecs.version",
            "event.action",
            "event.category",
            "event.created",
            "event.dataset",
            "event.end",
            "event.id",
            "event.kind",
            "event.module",
            "event.outcome",
            "event.provider",
            "event.reason",
            "event.start",
            "host.architecture",
            "host.boot.id",
            "host.hostname",
            "host.id",
            "host.name",
            "host.os.kernel",
            "host.os.name",
            "host.os.type",
            "host.os.version",
            "message",
            "network.community_id",
            "network.direction",
            "network.transport",
            "network.type",
            "orchestrator.namespace",
            "orchestrator.resource.id",
            "orchestrator.resource.name",
            "orchestrator.resource.type",
            "orchestrator.type",
            "process.command_line",
            "process.entity_id",
            "process.executable",
            "process.name",
            "process.parent.entity_id",
            "process.parent.executable",
            "process.parent.name",
            "process.parent.start",
            "process.start",
            "process.working_directory",
            "server.address",
            "source.address",
            "user.name",
        ],
    ),
];

/// Fields of ECS in which our events may have more than one value.
const LISTS: [&str; 6] = [
    "container.image.hash.all",
    "container.image.tag",
    "event.type",
    "process.args",
    "related.ip",
    "related.user",
];

/// What a field of judged events holds; `None` when none of them has it.
pub fn kind(name: &str) -> Option<Kind> {
    let Some(own) = name.strip_prefix("hostnet.") else {
        let mut rows = ECS.iter().flat_map(|(kind, names)| names.iter().map(|name| (*kind, *name)));
        return rows
            .find(|(kind, known)| {
                *known == name || matches!(kind, Kind::Free) && is_below(name, known)
            })
            .map(|(kind, known)| if known == name { kind } else { Kind::Free });
    };
    // Findings are not judged again.
    if is_below(own, "finding") {
        return None;
    }
    if let Some(field) = FIELDS.iter().find(|field| field.name == own) {
        return Some(field.kind);
    }
    let is_open = |field: &&Field| {
        let has_rows = || FIELDS.iter().any(|row| is_below(row.name, field.name));
        match field.kind {
            Kind::Free => is_below(own, field.name),
            // The fields of such objects are rows of their own, unless nothing is said of them.
            Kind::Objects => is_below(own, field.name) && !has_rows(),
            Kind::Text | Kind::Word(_) | Kind::Number | Kind::Flag | Kind::Ip | Kind::Texts => {
                false
            }
        }
    };
    FIELDS.iter().find(is_open).map(|_| Kind::Free)
}

/// Whether a name is one of ECS, though perhaps of no event of ours.
pub fn is_of_ecs(name: &str) -> bool {
    GROUPS.contains(&name.split('.').next().unwrap_or_default())
}

/// Whether it may have several values: those of a list, or of a field of listed objects.
pub fn is_list(name: &str) -> bool {
    let Some(own) = name.strip_prefix("hostnet.") else { return LISTS.contains(&name) };
    let of_container =
        |rest: &str| LISTS.iter().any(|list| list.strip_prefix("container") == Some(rest));
    FIELDS.iter().any(|field| match (field.kind, own.strip_prefix(field.name)) {
        (_, None) => false,
        (Kind::Texts, Some(rest)) => rest.is_empty(),
        (Kind::Objects, Some(rest)) => rest.is_empty() || rest.starts_with('.'),
        // Containers, and what the agent says of itself: its coverage is a list.
        (Kind::Free, Some(rest)) => of_container(rest) || rest.starts_with(".coverage"),
        _ => false,
    })
}

fn is_below(name: &str, group: &str) -> bool {
    name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'))
}
