//! Who was at the other end.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{
        process_fields::ShortFields,
        who_fields::{ContainerFields, OwnerFields},
    },
    NotOurs, Parser, read,
};
use crate::event::{Peer, PeerMethod, PeerParty, Side, Via};

/// `hostnet.peer`.
#[derive(Deserialize)]
struct Fields {
    method: PeerMethod,
    listens_on: Option<Side>,
    candidates: Option<Vec<Box<RawValue>>>,
}

/// What one of `candidates` and `shares_port_with`, or a peer that is alone, has
/// beside the fields of an owner.
#[derive(Deserialize)]
struct Party<'a> {
    #[serde(borrow)]
    container: Option<ContainerFields<'a>>,
    #[serde(borrow)]
    process: Option<ShortFields<'a>>,
    via: Option<Via>,
    listens_on: Option<Side>,
}

impl Parser {
    pub fn peer(&mut self, json: &RawValue) -> Result<Box<Peer>, NotOurs> {
        let make = || {
            let fields: Fields = read("hostnet.peer", json)?;
            let listens_on = fields.listens_on.as_ref().and_then(|side| side.address(None));
            let possible = match fields.candidates {
                Some(several) => parties("hostnet.peer.candidates", &several)?,
                // Where it listens is told of the peer.
                None => vec![PeerParty { local: None, ..party("hostnet.peer", json)? }],
            };
            Ok(Peer { possible, listens_on, method: fields.method }.into())
        };
        let peer = self.peers.get(&[json.get()], make)?;
        Ok(Box::new(Peer::clone(&peer)))
    }
}

/// Several of them.
pub fn parties(field: &str, several: &[Box<RawValue>]) -> Result<Vec<PeerParty>, NotOurs> {
    several.iter().map(|one| party(field, one)).collect()
}

fn party(field: &str, json: &RawValue) -> Result<PeerParty, NotOurs> {
    let owner: OwnerFields = read(field, json)?;
    let Party { container, process, via, listens_on } = read(field, json)?;
    Ok(PeerParty {
        owner: owner.owner(container.as_ref(), None).into(),
        process: process.map(|process| std::sync::Arc::new((&process).into())),
        via,
        local: listens_on.and_then(|side| side.address(None)),
    })
}
