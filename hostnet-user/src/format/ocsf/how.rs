//! Values of ours made into values of OCSF.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::rules::How;
use crate::format::document::{Document, set, text};

/// Puts `value`, made so, at `to`. Gives it back when OCSF cannot have it like that.
pub fn put(
    how: How,
    value: Value,
    to: &[&'static str],
    document: &mut Document,
    facts: &Facts,
) -> Result<(), Value> {
    let made = match how {
        // Twins and kin are put beside `to`.
        How::Time => return time(value, to, document),
        How::File => return file(value, to, document),
        How::OsType => return os_type(value, to, document),
        How::SocketState => return socket_state(value, to, document, facts),
        How::Said => return Ok(()),
        How::Same => Some(value.clone()),
        How::Milliseconds => value.as_u64().map(|nanoseconds| (nanoseconds / 1_000_000).into()),
        How::Text => value.as_u64().map(|number| number.to_string().into()),
        How::Number => value.as_str().and_then(|text| text.parse::<u32>().ok()).map(Value::from),
        How::First => value.get(0).cloned(),
        How::Pairs => pairs(&value),
        How::Ancestry => ancestry(&value),
        How::Attacks => attacks(&value),
        How::Name => match value.as_str() {
            Some(text) if text.parse::<std::net::IpAddr>().is_ok() => return Ok(()),
            Some(_) => Some(value.clone()),
            None => None,
        },
        How::Status => word(&value, &[("success", 1), ("failure", 2), ("unknown", 0)]),
        How::Direction => word(&value, &[("ingress", 1), ("egress", 2)]),
        How::IpVersion => word(&value, &[("ipv4", 4), ("ipv6", 6)]),
        How::Uuid => {
            value.as_str().filter(|text| uuid::Uuid::try_parse(text).is_ok()).map(Value::from)
        }
    };
    let Some(made) = made else { return Err(value) };
    set(document, to.iter().copied(), made);
    Ok(())
}

/// What of the rest of the event a value depends on.
pub struct Facts {
    pub is_tcp: bool,
}

impl Facts {
    pub fn of(document: &Document) -> Self {
        let transport = text(document, "network.transport").unwrap_or_default();
        Self { is_tcp: matches!(transport, "tcp" | "mptcp") }
    }
}

fn word(value: &Value, words: &[(&str, u32)]) -> Option<Value> {
    let text = value.as_str()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, number)| (*number).into())
}

fn time(value: Value, to: &[&'static str], document: &mut Document) -> Result<(), Value> {
    let Some(time) = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return Err(value);
    };
    if let Some((last, before)) = to.split_last() {
        let twin = format!("{last}_dt");
        let path = before.iter().copied().chain([twin.as_str()]);
        set(document, path, value);
        set(document, to.iter().copied(), time.as_millisecond().into());
    }
    Ok(())
}

fn os_type(value: Value, to: &[&'static str], document: &mut Document) -> Result<(), Value> {
    if let Some((_, before)) = to.split_last() {
        let id = word(&value, &[("linux", 200)]).unwrap_or_else(|| 99.into());
        set(document, before.iter().copied().chain(["type_id"]), id);
        set(document, to.iter().copied(), value);
    }
    Ok(())
}

fn socket_state(
    value: Value,
    to: &[&'static str],
    document: &mut Document,
    facts: &Facts,
) -> Result<(), Value> {
    const STATES: &[(&str, u32)] = &[
        ("established", 1),
        ("syn-sent", 2),
        ("fin-wait-1", 4),
        ("fin-wait-2", 5),
        ("close-wait", 8),
        ("last-ack", 9),
        ("listen", 10),
        ("closing", 11),
    ];
    if let (Some((_, before)), true, Some(id)) =
        (to.split_last(), facts.is_tcp, word(&value, STATES))
    {
        set(document, before.iter().copied().chain(["tcp_state_id"]), id);
    }
    set(document, to.iter().copied(), value);
    Ok(())
}

/// 8: executable file.
fn file(value: Value, to: &[&'static str], document: &mut Document) -> Result<(), Value> {
    let Some(path) = value.as_str() else { return Err(value) };
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path);
    let fields = [("name", name.into()), ("type_id", 8.into()), ("path", value.clone())];
    for (field, value) in fields {
        set(document, to.iter().copied().chain([field]), value);
    }
    Ok(())
}

fn pairs(value: &Value) -> Option<Value> {
    let pair = |(name, value): (&String, &Value)| json!({ "name": name, "value": value });
    value.as_object().map(|pairs| pairs.iter().map(pair).collect())
}

fn ancestry(value: &Value) -> Option<Value> {
    let one = |ancestor: &Value| -> Option<Value> {
        let renamed = [("pid", "pid"), ("name", "name"), ("path", "executable")];
        let fields = renamed.map(|(to, from)| Some((to.to_owned(), ancestor.get(from)?.clone())));
        let fields: Map<String, Value> = fields.into_iter().flatten().collect();
        fields.contains_key("pid").then(|| fields.into())
    };
    value.as_array()?.iter().map(one).collect::<Option<Vec<Value>>>().map(Value::from)
}

fn attacks(value: &Value) -> Option<Value> {
    let names = value.get("name").and_then(Value::as_array);
    let attack = |(index, id): (usize, &Value)| {
        let mut technique = json!({ "uid": id });
        if let Some(name) = names.and_then(|names| names.get(index)) {
            technique["name"] = name.clone();
        }
        json!({ "technique": technique })
    };
    Some(value.get("id")?.as_array()?.iter().enumerate().map(attack).collect())
}
