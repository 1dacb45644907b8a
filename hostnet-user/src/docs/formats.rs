//! docs/formats.md: every field in every format, from the tables that make them.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::Result;
use serde_json::Value;

use super::{FIELDS, samples};
use crate::{
    event::{Action, Class},
    format::{
        ANY_OTHER, Kind, MOST_BYTES,
        cef::{self, ESCAPED},
        ecs::ECS_VERSION,
        is_inside,
        ocsf::{self, Role, Version},
    },
};

/// docs/formats.md.
///
/// # Errors
/// When the samples cannot be read.
pub fn formats() -> Result<String> {
    let mut text = format!(
        "# Formats\n\n\
         <!-- Made by `cargo xtask docs` from the tables that map events; edit those. -->\n\n\
         hostnet keeps every event in ECS {ECS_VERSION} ([events.md](events.md)). OCSF and CEF have \
         the fields of that document and nothing else, so that they are the same whether they come \
         from a sink, from `hostnet watch --format`, `hostnet replay --format` or, of files written \
         before, `hostnet stream convert --format`.\n\n\
         **OCSF {}**, one JSON document per line, profiles `container`, `datetime` and \
         `host`. What OCSF has no attribute for is under `unmapped`, by its ECS name, so nothing is \
         lost. What is not known is absent: `device.type_id` is 0. \
         `container.network_driver` is `host` because the kernel says that the socket is in the \
         host's network namespace, whatever the container declares (`unmapped.hostnet.netns.declared`).\n\n\
         **OCSF {}** (`ocsf-1.1.0`), for receivers that do not know the other: the same, without what \
         came later. {} are not in it; a field of ours that has no other place is then under `unmapped`; the containers of \
         a finding are in `device.container`. Sockets from before the agent (5040) are Network \
         Activity (4001), failures of the agent (6008) Application Lifecycle (6002), both with \
         `activity_id` 99, as is a socket that listens. An executable file is a regular one, and \
         an end of a network activity that is not known has the `name` `unknown`.\n\n\
         **CEF:0**, one line per event. What CEF has no key for has one of our own: \
         `hostnet.owner.kind` is `hostnetOwnerKind`. Values are escaped as CEF says; one that CEF \
         cannot write (controls other than CR and LF, invisible and reordering characters, a space at \
         either end) is a JSON text in quotes, and its key is listed in `{ESCAPED}`. Arrays, and \
         objects whose keys are anybody's, are JSON. Values can be longer than a receiver's limit \
         (ArcSight: 1023 characters for `msg` and 4000 for `cs1` to `cs6`): hostnet does not cut for that, \
         only an event of more than {MOST_BYTES} bytes ([sinks.md](sinks.md)).\n\n\
         ## Kinds\n\n\
         | event | OCSF class | `activity_id` | CEF name | CEF severity |\n|---|---|---|---|---|\n",
        Version::V1_8.number(),
        Version::V1_1.number(),
        Version::NEWER.map(|name| format!("`{name}`")).join(", "),
    );
    for action in Action::ALL {
        kind_row(&mut text, &format!("`{}`", action.name()), &Kind::of_action(*action))?;
    }
    for kind in ANY_OTHER {
        kind_row(&mut text, &format!("any unknown action in `{}`", kind.action), kind)?;
    }
    text.push_str(
        "\nA failure with an unknown action in `hostnet.health` is an Application Error (6008). Only lines of another version of hostnet have unknown actions.\n\n\
         ## Where OCSF has them\n\n\
         What has different places in different classes is written `{role}` below. A field whose \
         role has no place in the event's class is under `unmapped`. A container that the acting \
         process has whole is only named at its other places.\n\n| role | class | place |\n|---|---|---|\n",
    );
    for (name, role) in ocsf::ROLES {
        role_rows(&mut text, name, *role)?;
    }
    text.push_str(
        "\n## Fields\n\nFields of objects in arrays go with their array.\n\n\
         | ECS | OCSF | CEF |\n|---|---|---|\n",
    );
    for field in fields()? {
        writeln!(text, "| `{field}` | {} | {} |", in_ocsf(&field), in_cef(&field))?;
    }
    Ok(text)
}

fn kind_row(text: &mut String, name: &str, kind: &Kind) -> Result<()> {
    let Kind { class, activity, caption, .. } = kind;
    let caption = if caption.is_empty() { "the action" } else { caption };
    let (uid, class_name) = (class.uid(), class.name());
    let severity = kind.cef_severity(None);
    let activity = activity.in_words();
    writeln!(text, "| {name} | {uid} {class_name} | {activity} | {caption} | {severity} |")?;
    Ok(())
}

fn role_rows(text: &mut String, name: &str, role: Role) -> Result<()> {
    let mut by_places: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for class in Class::ALL {
        let places = ocsf::places(role, class);
        match by_places.iter_mut().find(|(known, _)| *known == places) {
            _ if places.is_empty() => {}
            Some((_, classes)) => classes.push(class.uid().to_string()),
            None => by_places.push((places, vec![class.uid().to_string()])),
        }
    }
    for (places, classes) in by_places {
        writeln!(text, "| `{{{name}}}` | {} | {} |", classes.join(", "), places.join(", "))?;
    }
    Ok(())
}

/// Every field that an event can have: our own, and of ECS those that a sample
/// has or a table names.
fn fields() -> Result<BTreeSet<String>> {
    let mut fields: BTreeSet<String> = FIELDS
        .iter()
        .filter(|field| !is_in_array(field.name))
        .map(|field| format!("hostnet.{}", field.name))
        .collect();
    for event in samples()? {
        leaves(&event, "", &mut fields);
    }
    for rule in ocsf::RULES {
        let inside = format!("{}.", rule.from);
        if !fields.iter().any(|field| field.starts_with(&inside)) {
            fields.insert(rule.from.to_owned());
        }
    }
    fields.extend(cef::RULES.iter().map(|rule| rule.from.to_owned()));
    Ok(fields)
}

fn is_in_array(name: &str) -> bool {
    FIELDS.iter().any(|field| {
        let rest = name.strip_prefix(field.name).and_then(|rest| rest.strip_prefix('.'));
        field.kind == super::Kind::Objects && rest.is_some()
    })
}

fn leaves(value: &Value, path: &str, to: &mut BTreeSet<String>) {
    let Value::Object(object) = value else { return };
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        // What is under our own name is in our own table.
        if path == "hostnet" {
            continue;
        }
        match value {
            Value::Object(_) if !cef::FREE.contains(&&*path) => leaves(value, &path, to),
            _ => {
                to.insert(path);
            }
        }
    }
}

fn in_ocsf(field: &str) -> String {
    let Some(rule) = ocsf::RULES.iter().find(|rule| is_inside(field, rule.from)) else {
        return format!("`unmapped.{field}`");
    };
    let rest = &field[rule.from.len()..];
    let to: Vec<String> = rule.to.iter().map(|to| format!("`{to}{rest}`")).collect();
    let to = to.join(", ");
    let made = rule.how.in_words();
    let needs = rule.needs.map(|needs| format!(", with `{needs}`")).unwrap_or_default();
    let said = if rule.how == ocsf::How::Said { "said by " } else { "" };
    format!("{said}{to}{made}{needs}")
}

fn in_cef(field: &str) -> String {
    if cef::SAID.iter().any(|said| is_inside(field, said)) && field != "user.id" {
        return "said by others".to_owned();
    }
    let mut shown: Vec<String> = cef::RULES
        .iter()
        .filter(|rule| rule.from == field)
        .map(|rule| {
            let other = rule.other.map(|other| format!(" or `{other}`")).unwrap_or_default();
            format!("`{}`{other}{}", rule.key, rule.how.in_words())
        })
        .collect();
    let is_exact = cef::RULES.iter().any(|rule| rule.from == field && rule.how != cef::How::Time);
    if !is_exact {
        let whole = cef::FREE.iter().find(|free| is_inside(field, free));
        shown.push(format!("`{}`", cef::own_key(whole.copied().unwrap_or(field))));
    }
    shown.join(", ")
}
