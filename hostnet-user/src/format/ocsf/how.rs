//! Values of ours made into values of OCSF, both as JSON.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{event::Event, places::Place, rules::How};
use crate::{
    format::document::{Document, in_order, text},
    text::json::raw,
};

impl How {
    /// The attributes that a value becomes which goes to `to`, in the order of what is made of it.
    pub fn attributes(self, to: &str) -> Vec<String> {
        let beside = |name: &str| {
            let object = to.rsplit_once('.').map_or("", |(object, _)| object);
            format!("{object}.{name}")
        };
        match self {
            Self::Said => Vec::new(),
            Self::Time => vec![to.to_owned(), format!("{to}_dt")],
            Self::File => ["path", "name", "type_id"].map(|name| format!("{to}.{name}")).into(),
            Self::OsType => vec![to.to_owned(), beside("type_id")],
            Self::SocketState => vec![to.to_owned(), beside("tcp_state_id")],
            Self::Same
            | Self::Milliseconds
            | Self::Text
            | Self::Number
            | Self::First
            | Self::Pairs
            | Self::Ancestry
            | Self::Name
            | Self::Status
            | Self::Direction
            | Self::IpVersion
            | Self::Uuid
            | Self::Attacks => vec![to.to_owned()],
        }
    }

    /// Puts what is made of a value at the places of its attributes; whether OCSF can have it.
    pub fn put<'a>(
        self,
        value: &'a str,
        to: &[Vec<Place>],
        event: &mut Event<'a>,
        facts: &Facts,
    ) -> bool {
        let Some(made) = self.make(value, event, facts) else { return false };
        for places in to {
            for (place, made) in places.iter().zip(&made) {
                event.put(*place, made.clone());
            }
        }
        true
    }

    /// The values of its attributes; `None` where it is not what it should be.
    fn make<'a>(self, value: &'a str, event: &Event<'a>, facts: &Facts) -> Option<Made<'a>> {
        let whole = || text(value);
        Some(match self {
            Self::Said => Made::default(),
            Self::Same => one(in_order(value)),
            Self::Time => {
                let time: Timestamp = whole()?.parse().ok()?;
                [time.as_millisecond().to_string().into(), value.into(), "".into()]
            }
            Self::Milliseconds => one((value.parse::<u64>().ok()? / 1_000_000).to_string()),
            Self::Text => one(format!("\"{}\"", value.parse::<u64>().ok()?)),
            Self::Number => one(whole()?.parse::<u32>().ok()?.to_string()),
            Self::First => {
                let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
                one(in_order(items.first()?.get()))
            }
            Self::File => {
                let path = value.strip_prefix('"')?.strip_suffix('"')?;
                let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path);
                let name = format!("\"{name}\"");
                [value.into(), name.into(), event.table.version.executable().into()]
            }
            Self::Pairs => one(pairs(value)?),
            Self::Ancestry => one(ancestry(value)?),
            Self::Attacks => one(attacks(value)?),
            Self::Name if whole()?.parse::<std::net::IpAddr>().is_ok() => Made::default(),
            Self::Name => one(value),
            Self::Status => {
                one(word(value, &[("success", "1"), ("failure", "2"), ("unknown", "0")])?)
            }
            Self::Direction => one(word(value, &[("ingress", "1"), ("egress", "2")])?),
            Self::IpVersion => one(word(value, &[("ipv4", "4"), ("ipv6", "6")])?),
            Self::OsType => {
                let id = word(value, &[("linux", "200")]).unwrap_or("99");
                [in_order(value), id.into(), "".into()]
            }
            Self::SocketState => {
                let id = if facts.is_tcp { word(value, STATES) } else { None };
                [in_order(value), id.unwrap_or_default().into(), "".into()]
            }
            Self::Uuid => {
                uuid::Uuid::try_parse(&whole()?).ok()?;
                one(value)
            }
        })
    }
}

/// The values of a field's attributes; empty where there is none.
type Made<'a> = [Cow<'a, str>; 3];

fn one<'a>(value: impl Into<Cow<'a, str>>) -> Made<'a> {
    [value.into(), "".into(), "".into()]
}

/// What of the rest of the event a value depends on.
pub struct Facts {
    pub is_tcp: bool,
}

impl Facts {
    pub fn of(document: &Document<'_>) -> Self {
        let transport = document.text("network.transport").unwrap_or_default();
        Self { is_tcp: matches!(&*transport, "tcp" | "mptcp") }
    }
}

fn word(value: &str, words: &[(&str, &'static str)]) -> Option<&'static str> {
    let text = text(value)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, number)| *number)
}

const STATES: &[(&str, &str)] = &[
    ("established", "1"),
    ("syn-sent", "2"),
    ("fin-wait-1", "4"),
    ("fin-wait-2", "5"),
    ("close-wait", "8"),
    ("last-ack", "9"),
    ("listen", "10"),
    ("closing", "11"),
];

fn json_of(value: &impl Serialize) -> String {
    raw(value).get().to_owned()
}

fn pairs(value: &str) -> Option<String> {
    #[derive(Serialize)]
    struct Pair {
        name: String,
        value: Value,
    }
    let pairs: BTreeMap<String, Value> = serde_json::from_str(value).ok()?;
    let pairs: Vec<Pair> = pairs.into_iter().map(|(name, value)| Pair { name, value }).collect();
    Some(json_of(&pairs))
}

/// Processes by the names that OCSF has for what is known of them.
fn ancestry(value: &str) -> Option<String> {
    #[derive(Serialize, Deserialize)]
    struct Ancestor<'a> {
        #[serde(borrow, skip_serializing_if = "Option::is_none")]
        name: Option<&'a RawValue>,
        #[serde(borrow, rename(serialize = "path", deserialize = "executable"))]
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<&'a RawValue>,
        #[serde(borrow)]
        pid: &'a RawValue,
    }
    let ancestors: Vec<Ancestor<'_>> = serde_json::from_str(value).ok()?;
    Some(json_of(&ancestors))
}

fn attacks(value: &str) -> Option<String> {
    let value: Value = serde_json::from_str(value).ok()?;
    let names = value.get("name").and_then(Value::as_array);
    let attack = |(index, id): (usize, &Value)| {
        let mut technique = json!({ "uid": id });
        if let Some(name) = names.and_then(|names| names.get(index)) {
            technique["name"] = name.clone();
        }
        json!({ "technique": technique })
    };
    let attacks: Vec<Value> = value.get("id")?.as_array()?.iter().enumerate().map(attack).collect();
    Some(json_of(&attacks))
}
