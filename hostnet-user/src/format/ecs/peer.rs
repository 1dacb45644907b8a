//! `hostnet.peer`, and the others of `shares_port_with`.

use serde_json::{Map, Value, json, value::RawValue};

use super::{ends::Side, parts::Parts};
use crate::{
    event::{Peer, PeerParty},
    json::raw,
};

/// Who is at the other end; several are `candidates`.
pub fn peer(peer: &Peer, parts: &mut Parts) -> Box<RawValue> {
    let mut value = match peer.sole() {
        Some(sole) => party(sole, parts),
        None => {
            let candidates = others(&peer.possible, parts);
            Map::from_iter([
                ("ambiguous".to_owned(), true.into()),
                ("candidates".to_owned(), candidates.into()),
            ])
        }
    };
    value.insert("method".to_owned(), json!(peer.method));
    if let Some(local) = peer.listens_on {
        value.insert("listens_on".to_owned(), json!(Side::of(local)));
    }
    if let Some(scope) = peer.scope() {
        value.insert("scope".to_owned(), json!(scope));
    }
    raw(&value)
}

/// Several, each with where its own socket is bound.
pub fn others(parties: &[PeerParty], parts: &mut Parts) -> Vec<Value> {
    let other = |one: &PeerParty| {
        let mut value = party(one, parts);
        if let Some(local) = one.local {
            value.insert("listens_on".to_owned(), json!(Side::of(local)));
        }
        Value::Object(value)
    };
    parties.iter().map(other).collect()
}

fn party(party: &PeerParty, parts: &mut Parts) -> Map<String, Value> {
    let owner = parts.owner(&party.owner);
    let parsed = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).unwrap_or_default();
    let mut value = match parsed(&owner.owner) {
        Value::Object(value) => value,
        _ => Map::new(),
    };
    // How the peer is known goes beyond its cgroup.
    value.remove("method");
    if let Some(unit) = party.unit() {
        value.insert("unit".to_owned(), unit.into());
    }
    if let Some(container) = &owner.container {
        value.insert("container".to_owned(), parsed(container));
    }
    if let Some(process) = &party.process {
        value.insert("process".to_owned(), parts.boot.short(process));
    }
    if let Some(via) = party.via {
        value.insert("via".to_owned(), json!(via));
    }
    value
}
