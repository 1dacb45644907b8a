//! Who talked to whom: what was counted per owner and address, span by span, and of
//! the spans at both ends of the time asked for, what their events say.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use rusqlite::{params_from_iter, types::Value};
use serde::Serialize;

use super::{
    Answer, Filter, History, Moment, Time,
    filter::Condition,
    history::{COLUMNS, span_of},
    known::names,
};
use crate::{
    record::tally::SPAN_NS,
    row::touch::{Sums, Touch, With},
};

/// Which others are asked about.
#[derive(Clone, Debug, Default)]
pub struct PeerFilter {
    /// With this address, or name of a unix socket.
    pub address: Option<String>,
    /// At this port: the other's, or the container's own of who came in.
    pub port: Option<u16>,
}

/// What passed between a container and one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerRow {
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id, or `host`.
    pub container_id: String,
    /// Its image.
    pub image: Option<String>,
    /// `egress` when the container began, `ingress` when the other did.
    pub direction: String,
    /// Protocol.
    pub protocol: String,
    /// The other's address, or the name of the unix socket.
    pub address: String,
    /// The other's port, or the container's own of who came in; 0 where there is none.
    pub port: u16,
    /// Who is there, when that is this host: containers, units or programs.
    pub peer: String,
    /// Connections that began, and peers of UDP sockets.
    pub begun: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Connections that ended.
    pub ended: u64,
    /// Bytes that the container sent over TCP connections that ended.
    pub bytes_sent: u64,
    /// Bytes that it received over them.
    pub bytes_received: u64,
    /// Datagrams that it sent from UDP sockets that are closed.
    pub datagrams_sent: u64,
    /// Datagrams that these received.
    pub datagrams_received: u64,
    /// First event.
    pub first: Time,
    /// Last event.
    pub last: Time,
}

impl Answer for PeerRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("container", "CONTAINER"),
        ("direction", "DIRECTION"),
        ("protocol", "PROTOCOL"),
        ("address", "ADDRESS"),
        ("port", "PORT"),
        ("peer", "PEER"),
        ("begun", "BEGUN"),
        ("failed", "FAILED"),
        ("bytes_sent", "SENT"),
        ("bytes_received", "RECEIVED"),
        ("first", "FIRST"),
        ("last", "LAST"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let Self { container, direction, protocol, address, port, begun, .. } = self;
        let way = if direction == "ingress" { "from" } else { "to" };
        let what = format!("{container}: {begun} {protocol} {way} {address}, port {port}");
        vec![
            Moment::new(self.first, "First Contact", what.clone()),
            Moment::new(self.last, "Last Contact", what),
        ]
    }
}

/// Owner and other, without who the other is: that is in some of their events only.
type Key = (String, String, String, String, u16);

#[derive(Default)]
struct Sum {
    sums: Sums,
    names: BTreeSet<String>,
    times: Option<(i64, i64)>,
}

#[derive(Default)]
struct Found(HashMap<Key, Sum>);

impl Found {
    fn add(&mut self, owner: &str, with: With, sums: &Sums, (first, last): (i64, i64)) {
        let With { direction, protocol, address, port, peer } = with;
        let key = (owner.to_owned(), direction, protocol, address, port);
        let found = self.0.entry(key).or_default();
        found.sums.add(sums);
        if !peer.is_empty() {
            found.names.insert(peer);
        }
        let (known_first, known_last) = found.times.unwrap_or((first, last));
        found.times = Some((known_first.min(first), known_last.max(last)));
    }
}

/// Who talked to whom.
///
/// # Errors
/// When the history cannot be read, or has nobody like that.
pub fn peers(history: &History, filter: &Filter, with: &PeerFilter) -> Result<Vec<PeerRow>> {
    let owners = filter.owners(history)?;
    let mut found = Found::default();
    let (from, to) = (filter.from(), filter.to());
    // Whole spans are those that begin and end between the two moments.
    let span_ns = SPAN_NS.cast_signed();
    let first_whole = if from.0 % span_ns == 0 { span_of(from) } else { span_of(from) + 1 };
    let last_whole = span_of(to.after(1)) - 1;
    if first_whole > last_whole {
        by_event(history, (from, to), owners.as_ref(), with, &mut found)?;
    } else {
        by_span(history, (first_whole, last_whole), owners.as_ref(), with, &mut found)?;
        let begin = Time(first_whole.saturating_mul(span_ns));
        let end = Time((last_whole + 1).saturating_mul(span_ns));
        if from < begin {
            by_event(history, (from, begin.before(1)), owners.as_ref(), with, &mut found)?;
        }
        if end <= to && to.0 != i64::MAX {
            by_event(history, (end, to), owners.as_ref(), with, &mut found)?;
        }
    }
    let names = names(history)?;
    let mut rows: Vec<PeerRow> =
        found.0.into_iter().map(|(key, sum)| row(key, sum, &names)).collect();
    rows.sort_by(|one, other| {
        let key = |row: &PeerRow| (row.first, row.container_id.clone(), row.address.clone());
        key(one).cmp(&key(other)).then(one.port.cmp(&other.port))
    });
    rows.truncate(filter.most());
    Ok(rows)
}

fn by_span(
    history: &History,
    (first, last): (i64, i64),
    owners: Option<&BTreeSet<String>>,
    with: &PeerFilter,
    found: &mut Found,
) -> Result<()> {
    let mut condition = Condition::default();
    condition.with("spans.span >= ?", first);
    condition.with("spans.span <= ?", last);
    if let Some(owners) = owners {
        condition.one_of("p.owner", owners.iter().map(String::as_str));
    }
    if let Some(address) = &with.address {
        condition.with("p.address = ?", address.clone());
    }
    if let Some(port) = with.port {
        condition.with("p.port = ?", i64::from(port));
    }
    let question = format!(
        "WITH RECURSIVE spans(span) AS (SELECT min(span) FROM peer UNION ALL \
         SELECT (SELECT min(span) FROM peer WHERE peer.span > spans.span) FROM spans \
         WHERE spans.span IS NOT NULL) \
         SELECT p.owner, p.direction, p.protocol, p.address, p.port, p.peer, p.first_ns, \
         p.last_ns, p.begun, p.failed, p.ended, p.bytes_sent, p.bytes_received, \
         p.datagrams_sent, p.datagrams_received \
         FROM spans CROSS JOIN peer p ON p.span = spans.span WHERE {}",
        condition.sql()
    );
    let mut statement = history.connection.prepare_cached(&question)?;
    let mut rows = statement.query(params_from_iter(&condition.values))?;
    while let Some(row) = rows.next()? {
        let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let owner: String = row.get(0)?;
        let with = With {
            direction: row.get(1)?,
            protocol: row.get(2)?,
            address: row.get(3)?,
            port: row.get(4)?,
            peer: row.get(5)?,
        };
        let sums = Sums {
            begun: number(8)?,
            failed: number(9)?,
            ended: number(10)?,
            bytes: (number(11)?, number(12)?),
            datagrams: (number(13)?, number(14)?),
        };
        found.add(&owner, with, &sums, (row.get(6)?, row.get(7)?));
    }
    Ok(())
}

fn by_event(
    history: &History,
    (from, to): (Time, Time),
    owners: Option<&BTreeSet<String>>,
    with: &PeerFilter,
    found: &mut Found,
) -> Result<()> {
    let actions = action_list!(
        ConnectionAttempted,
        ConnectionOutcome,
        ConnectionAccepted,
        DisconnectReceived,
        ExistingSocket
    );
    let question = format!(
        "SELECT {COLUMNS} FROM event e WHERE e.time_ns BETWEEN ?1 AND ?2 AND e.action IN ({actions})"
    );
    let values = [Value::from(from.0), Value::from(to.0)];
    let again = again(history, (from, to))?;
    history.each(&question, &values, |event| {
        if owners.is_some_and(|owners| !owners.contains(&event.owner)) {
            return Ok(true);
        }
        let at = event.time.0;
        for exchange in Touch::of_document(&event.read).exchanges {
            let is_address = with.address.as_ref().is_none_or(|one| *one == exchange.with.address);
            let is_port = with.port.is_none_or(|one| one == exchange.with.port);
            if is_address && is_port {
                let is_again = again.contains(&event.id);
                let sums = if is_again { exchange.sums.again() } else { Some(exchange.sums) };
                if let Some(sums) = sums {
                    found.add(&event.owner, exchange.with, &sums, (at, at));
                }
            }
        }
        Ok(true)
    })
}

/// Rows that show a connection that was counted before.
fn again(history: &History, (from, to): (Time, Time)) -> Result<BTreeSet<u64>> {
    let mut statement =
        history.connection.prepare_cached("SELECT id FROM again WHERE span BETWEEN ?1 AND ?2")?;
    let ids = statement.query_map([span_of(from), span_of(to)], |row| row.get::<_, i64>(0))?;
    Ok(ids.map(|id| id.map(i64::cast_unsigned)).collect::<rusqlite::Result<_>>()?)
}

fn row(key: Key, sum: Sum, names: &HashMap<String, (String, Option<String>)>) -> PeerRow {
    let (owner, direction, protocol, address, port) = key;
    let Sum { sums, names: peers, times } = sum;
    let (first, last) = times.unwrap_or_default();
    let (container, image) = names.get(&owner).cloned().unwrap_or((owner.clone(), None));
    PeerRow {
        container,
        container_id: owner,
        image,
        direction,
        protocol,
        address,
        port,
        peer: peers.into_iter().collect::<Vec<_>>().join(", "),
        begun: sums.begun,
        failed: sums.failed,
        ended: sums.ended,
        bytes_sent: sums.bytes.0,
        bytes_received: sums.bytes.1,
        datagrams_sent: sums.datagrams.0,
        datagrams_received: sums.datagrams.1,
        first: Time(first),
        last: Time(last),
    }
}
