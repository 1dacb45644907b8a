//! `hostnet.peer`, and the others of `shares_port_with`.

use serde_json::{Map, Value, json, value::RawValue};

use super::{super::fit::Cut, parts::Parts};
use crate::{
    event::{Peer, PeerParty, Side},
    text::{json::raw, json_cut},
};

/// Who is at the other end; several are `candidates`.
pub fn peer(peer: &Peer, parts: &mut Parts, cut: &mut Cut) -> Box<RawValue> {
    let mut value = match peer.sole() {
        Some(sole) => party(sole, parts, "hostnet.peer", cut),
        None => {
            let candidates = others(&peer.possible, parts, "hostnet.peer", cut);
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
    parts.bounded(&value, "hostnet.peer", cut)
}

/// Those of `shares_port_with`.
pub fn sharing(parties: &[PeerParty], parts: &mut Parts, cut: &mut Cut) -> Vec<Box<RawValue>> {
    if parties.is_empty() {
        return Vec::new();
    }
    others(parties, parts, "hostnet.shares_port_with", cut).iter().map(raw).collect()
}

/// Several, each with where its own socket is bound: as many as a part has room for, and one.
fn others(
    parties: &[PeerParty],
    parts: &mut Parts,
    name: &'static str,
    cut: &mut Cut,
) -> Vec<Value> {
    let mut left = parts.most;
    let mut others = Vec::new();
    for one in parties {
        let mut value = party(one, parts, name, cut);
        if let Some(local) = one.local {
            value.insert("listens_on".to_owned(), json!(Side::of(local)));
        }
        let rest = left.checked_sub(raw(&value).get().len());
        if rest.is_none() && !others.is_empty() {
            cut.insert(name.to_owned());
            break;
        }
        left = rest.unwrap_or_default();
        others.push(value.into());
    }
    others
}

fn party(
    party: &PeerParty,
    parts: &mut Parts,
    name: &'static str,
    cut: &mut Cut,
) -> Map<String, Value> {
    let owner = parts.owner(&party.owner);
    if owner.is_party_cut {
        cut.insert(name.to_owned());
    }
    let mut value = owner.party.clone();
    if let Some(unit) = party.unit() {
        value.insert("unit".to_owned(), json_cut(unit, parts.most / 8).into());
    }
    if let Some(process) = &party.process {
        value.insert("process".to_owned(), parts.boot.short(process, parts.most, name, cut));
    }
    if let Some(via) = party.via {
        value.insert("via".to_owned(), json!(via));
    }
    value
}
