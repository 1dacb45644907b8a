//! Which fields events have, and which of those hold several values.

use crate::format::fields::{FIELDS, Kind};

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

/// Fields of ECS in which our events may have more than one value.
const LISTS: [&str; 6] = [
    "container.image.hash.all",
    "container.image.tag",
    "event.type",
    "process.args",
    "related.ip",
    "related.user",
];

/// Whether an event may have this field.
pub fn is_known(name: &str) -> bool {
    match name.strip_prefix("hostnet.") {
        Some(own) => FIELDS.iter().any(|field| {
            let is_open = matches!(field.kind, Kind::Free | Kind::Objects);
            own == field.name || is_open && is_below(own, field.name)
        }),
        None => GROUPS.contains(&name.split('.').next().unwrap_or_default()),
    }
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
