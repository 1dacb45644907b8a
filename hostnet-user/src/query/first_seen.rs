//! When something was seen for the first time, by whom, and when for the last time.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::Result;
use serde::Serialize;

use super::{
    Answer, Filter, History, Moment, PeerFilter, PeerRow, Time, containers, holdings::Held, peers,
    ports::holdings_of, runs,
};

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An address that somebody talked to, or that came in.
    Address(String),
    /// A port that somebody listened on or connected to.
    Port(u16),
    /// An image, with its tag or without.
    Image(String),
}

impl Subject {
    /// What a person wrote: an address, a port, or else the name of an image.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if let Ok(ip) = text.parse::<IpAddr>() {
            Self::Address(ip.to_canonical().to_string())
        } else if let Ok(port) = text.parse() {
            Self::Port(port)
        } else if text.starts_with('@') || text.starts_with('/') {
            Self::Address(text.to_owned())
        } else {
            Self::Image(text.to_owned())
        }
    }
}

/// Who saw it, and when.
#[derive(Clone, Debug, Serialize)]
pub struct FirstSeenRow {
    /// First time.
    pub first: Time,
    /// Last time.
    pub last: Time,
    /// `egress`, `ingress`, `listening`, `bound`, `image`.
    pub how: String,
    /// Protocol, where there is one.
    pub protocol: String,
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id, or `host`.
    pub container_id: String,
    /// Its image.
    pub image: Option<String>,
    /// Address and port, or the image.
    pub what: String,
    /// Who is there, when that is this host.
    pub peer: String,
    /// How often: connections, sockets, or events of the container.
    pub times: u64,
}

impl Answer for FirstSeenRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("first", "FIRST"),
        ("last", "LAST"),
        ("how", "HOW"),
        ("protocol", "PROTOCOL"),
        ("container", "CONTAINER"),
        ("image", "IMAGE"),
        ("what", "WHAT"),
        ("peer", "PEER"),
        ("times", "TIMES"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let what = format!("{}: {} {}", self.container, self.how, self.what);
        vec![
            Moment::new(self.first, "First Seen", what.clone()),
            Moment::new(self.last, "Last Seen", what),
        ]
    }
}

/// Who saw it, whoever was first in front.
///
/// # Errors
/// When the history cannot be read, or has nobody like that.
pub fn first_seen(
    history: &History,
    subject: &Subject,
    filter: &Filter,
) -> Result<Vec<FirstSeenRow>> {
    let unlimited = Filter { limit: None, ..filter.clone() };
    let mut rows = match subject {
        Subject::Address(address) => {
            let with = PeerFilter { address: Some(address.clone()), port: None };
            peers(history, &unlimited, &with)?.into_iter().map(of_peer).collect()
        }
        Subject::Port(port) => {
            let with = PeerFilter { address: None, port: Some(*port) };
            let mut rows: Vec<FirstSeenRow> =
                peers(history, &unlimited, &with)?.into_iter().map(of_peer).collect();
            rows.extend(of_holders(history, &unlimited, *port)?);
            rows
        }
        Subject::Image(image) => {
            let filter = Filter { image: Some(image.clone()), ..unlimited };
            let rows = containers(history, &filter)?;
            rows.into_iter()
                .map(|row| FirstSeenRow {
                    first: row.first,
                    last: row.last,
                    how: "image".to_owned(),
                    protocol: String::new(),
                    container: row.container,
                    container_id: row.container_id,
                    what: row.image.clone().unwrap_or_default(),
                    image: row.image,
                    peer: String::new(),
                    times: row.events,
                })
                .collect()
        }
    };
    rows.sort_by_key(|row| row.first);
    rows.truncate(filter.most());
    Ok(rows)
}

fn of_peer(row: PeerRow) -> FirstSeenRow {
    let PeerRow { address, port, .. } = &row;
    let what = if *port == 0 { address.clone() } else { format!("{address} port {port}") };
    FirstSeenRow {
        first: row.first,
        last: row.last,
        how: row.direction,
        protocol: row.protocol,
        container: row.container,
        container_id: row.container_id,
        image: row.image,
        what,
        peer: row.peer,
        times: row.begun,
    }
}

fn of_holders(history: &History, filter: &Filter, port: u16) -> Result<Vec<FirstSeenRow>> {
    let owners = filter.owners(history)?;
    let runs = runs(history)?;
    let mut found = BTreeMap::<(String, String, String, Held), FirstSeenRow>::new();
    for one in holdings_of(history, &runs, port)? {
        let is_meant = owners.as_ref().is_none_or(|owners| owners.contains(&one.event.owner));
        // What was connected to or from is among the peers.
        if !is_meant
            || one.held == Held::Connected
            || one.since > filter.to()
            || one.until.is_some_and(|until| until < filter.from())
        {
            continue;
        }
        let (container, owner) = (&one.event.read.container, one.event.owner.clone());
        let last = one.until.unwrap_or(one.since);
        let key = (owner.clone(), one.protocol.clone(), one.address.clone(), one.held);
        let row = found.entry(key).or_insert_with(|| FirstSeenRow {
            first: one.since,
            last,
            how: if one.held == Held::Bound { "bound" } else { "listening" }.to_owned(),
            protocol: one.protocol.clone(),
            container: container.label().unwrap_or(&owner).to_owned(),
            container_id: owner,
            image: container.image(),
            what: format!("{} port {port}", one.address),
            peer: String::new(),
            times: 0,
        });
        row.first = row.first.min(one.since);
        row.last = row.last.max(last);
        row.times += 1;
    }
    Ok(found.into_values().collect())
}
