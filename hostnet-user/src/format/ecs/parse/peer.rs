//! Who was at the other end.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    NotOurs, Parser,
    document::Side,
    process::Short,
    read,
    who::{ContainerFields, OwnerFields},
};
use crate::event::{Peer, PeerMethod, PeerParty, Via};

/// `hostnet.peer`.
#[derive(Deserialize)]
struct Fields<'a> {
    method: PeerMethod,
    #[serde(borrow)]
    listens_on: Option<Side<'a>>,
    #[serde(borrow)]
    candidates: Option<Vec<&'a RawValue>>,
}

/// What one of `candidates` and `shares_port_with`, or a peer that is alone, has
/// beside the fields of an owner.
#[derive(Deserialize)]
struct Party<'a> {
    #[serde(borrow)]
    container: Option<ContainerFields<'a>>,
    #[serde(borrow)]
    process: Option<Short<'a>>,
    via: Option<Via>,
    #[serde(borrow)]
    listens_on: Option<Side<'a>>,
}

impl Parser {
    pub fn peer(&mut self, json: &RawValue) -> Result<Box<Peer>, NotOurs> {
        let make = || {
            let fields: Fields<'_> = read("hostnet.peer", json.get().as_bytes())?;
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
pub fn parties(field: &str, several: &[&RawValue]) -> Result<Vec<PeerParty>, NotOurs> {
    several.iter().map(|one| party(field, one)).collect()
}

fn party(field: &str, json: &RawValue) -> Result<PeerParty, NotOurs> {
    let owner: OwnerFields<'_> = read(field, json.get().as_bytes())?;
    let Party { container, process, via, listens_on } = read(field, json.get().as_bytes())?;
    Ok(PeerParty {
        owner: owner.owner(container.as_ref(), None).into(),
        process: process.map(|process| std::sync::Arc::new((&process).into())),
        via,
        local: listens_on.and_then(|side| side.address(None)),
    })
}
