//! Who talked to whom: all of it counted, the most of it shown, and a matrix of the
//! most of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;

use super::facts::{Contact, Contacts, Target};
use crate::{
    event::Surface,
    judge::surface::Network,
    query::{self, Filter, History, PeerFilter, PeerRow},
};

/// Rows and columns of the matrix.
const WHO: usize = 30;
const TARGETS: usize = 24;

/// Rows in detail.
const DETAILS: usize = 300;

/// Rows whose surface is looked up; of others it is what the address says by itself.
const LOOKED_UP: usize = 4000;

pub fn gather(history: &History, filter: &Filter) -> Result<Contacts> {
    let mut rows = query::peers(history, filter, &PeerFilter::default())?;
    rows.retain(|row| row.container_id != "host" || filter.container.as_deref() == Some("host"));
    rows.sort_by_cached_key(|row| {
        let count = std::cmp::Reverse(row.begun.max(row.ended));
        (is_nobody(row), count, row.address.clone(), row.port)
    });
    let surfaces: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| surface(history, row, at < LOOKED_UP))
        .collect::<Result<_>>()?;
    let mut contacts = matrix(&rows, &surfaces);
    contacts.of = rows.len();
    contacts.details = rows
        .into_iter()
        .zip(surfaces)
        .take(DETAILS)
        .map(|(row, surface)| contact(row, surface))
        .collect();
    Ok(contacts)
}

/// What the other is to the host: as it was judged when it happened, or by the address
/// alone.
fn surface(history: &History, row: &PeerRow, is_looked_up: bool) -> Result<String> {
    if is_ingress(row) {
        return Ok(INGRESS.to_owned());
    }
    if is_looked_up && let Some(surface) = query::surface_of(history, row)? {
        return Ok(surface);
    }
    let surface = match row.address.parse() {
        Ok(ip) => Network::default().surface(ip),
        Err(_name) if row.address.starts_with('@') => Surface::AbstractUnix,
        Err(_name) => Surface::PathUnix,
    };
    Ok(surface.name().to_owned())
}

/// In place of a surface, of who came in.
pub const INGRESS: &str = "inbound";

fn is_ingress(row: &PeerRow) -> bool {
    row.direction == "ingress"
}

/// Nobody answered, not once.
fn is_nobody(row: &PeerRow) -> bool {
    row.begun > 0 && row.failed == row.begun && row.peer.is_empty()
}

/// What is reached, by the name that a person knows it by.
fn target(row: &PeerRow, surface: &str) -> Target {
    // What is scanned is not a service a port.
    if is_nobody(row) && row.port > 0 {
        return Target { surface: surface.to_owned(), name: format!("{}, no answer", row.address) };
    }
    let name = match (row.peer.as_str(), row.port) {
        ("", 0) => row.address.clone(),
        ("", _) => end(row),
        (peer, 0) => peer.to_owned(),
        (peer, port) => format!("{peer} :{port}"),
    };
    Target { surface: surface.to_owned(), name }
}

fn matrix(rows: &[PeerRow], surfaces: &[String]) -> Contacts {
    let mut by_who = BTreeMap::<&str, u64>::new();
    let mut by_target = HashMap::<(String, String), u64>::new();
    let mut cells = HashMap::<(&str, (String, String)), (u64, u64)>::new();
    for (row, surface) in rows.iter().zip(surfaces) {
        if is_ingress(row) {
            continue;
        }
        let Target { surface, name } = target(row, surface);
        let key = (surface, name);
        *by_who.entry(&row.container).or_default() += row.begun;
        *by_target.entry(key.clone()).or_default() += row.begun;
        let cell = cells.entry((&row.container, key)).or_default();
        *cell = (cell.0 + row.begun, cell.1 + row.failed);
    }
    let mut who: Vec<(&str, u64)> = by_who.into_iter().collect();
    who.sort_by(|one, other| (other.1, one.0).cmp(&(one.1, other.0)));
    let mut targets: Vec<((String, String), u64)> = by_target.into_iter().collect();
    targets.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    let left_out = (who.len().saturating_sub(WHO), targets.len().saturating_sub(TARGETS));
    who.truncate(WHO);
    // The most of each surface before the rest: little is not unimportant.
    let mut surfaces = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|((surface, _), _)| surfaces.insert(surface.clone()));
    let mut targets: Vec<_> = first.into_iter().chain(rest).take(TARGETS).collect();
    let place = |surface: &str| Surface::ALL.iter().position(|one| one.name() == surface);
    targets.sort_by(|one, other| (place(&one.0.0), other.1).cmp(&(place(&other.0.0), one.1)));
    let mut shown = BTreeMap::new();
    for (row, (name, _)) in who.iter().enumerate() {
        for (column, (key, _)) in targets.iter().enumerate() {
            if let Some(cell) = cells.get(&(name, key.clone())) {
                shown.insert((row, column), *cell);
            }
        }
    }
    Contacts {
        who: who.into_iter().map(|(name, _)| name.to_owned()).collect(),
        targets: targets.into_iter().map(|((surface, name), _)| Target { surface, name }).collect(),
        cells: shown,
        left_out,
        ..Contacts::default()
    }
}

fn contact(row: PeerRow, surface: String) -> Contact {
    Contact {
        is_ingress: is_ingress(&row),
        address: end(&row),
        surface,
        container: row.container,
        protocol: row.protocol,
        peer: row.peer,
        begun: row.begun,
        failed: row.failed,
        bytes: (row.bytes_sent, row.bytes_received),
        datagrams: (row.datagrams_sent, row.datagrams_received),
        times: (row.first, row.last),
    }
}

/// The other's address with the port that was asked for, which of who came in is the
/// owner's own.
fn end(row: &PeerRow) -> String {
    match row.port {
        0 => row.address.clone(),
        port if is_ingress(row) => format!("{} → :{port}", row.address),
        port if row.address.contains(':') => format!("[{}]:{port}", row.address),
        port => format!("{}:{port}", row.address),
    }
}
