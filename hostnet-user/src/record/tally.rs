//! What is counted beside the rows, so that questions about ports, peers and owners
//! are answered without reading documents: the tables `port`, `peer`, `active` and `name`,
//! and `counted` and `again`, by which nothing is counted twice.
//!
//! They follow from the rows, are written with them, and go with them. Time is cut
//! into spans, which all begin with: what is written now is together, and so is
//! what goes. Nothing here knows what is asked.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{begun::Begun, error::StoreError, learned};
use crate::{
    event::Learned,
    format::ecs::read::Read,
    row::{
        Row,
        touch::{Sums, Touch, With},
    },
};

/// Length of a span, nanoseconds: ten minutes.
pub const SPAN_NS: u64 = 600_000_000_000;

/// Rows read at a time when the tables are made of rows that were there before them.
const PAGE: i64 = 10_000;

/// What a batch of rows adds. In the order of the tables' keys: what is written one after
/// the other is in the same pages.
#[derive(Default)]
pub struct Tally {
    ports: Vec<(u64, u16, u64)>,
    owners: BTreeMap<u64, BTreeMap<String, Counted>>,
    learned: Vec<Learned>,
    begun: Begun,
}

/// What is counted of an owner in a span.
#[derive(Default)]
struct Counted {
    events: u64,
    ids: (u64, u64),
    times: (u64, u64),
    peers: BTreeMap<With, Exchanged>,
    names: BTreeMap<String, (u64, u64)>,
}

struct Exchanged {
    sums: Sums,
    times: (u64, u64),
}

impl Tally {
    /// A row for these tables, and what it says.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn add(&mut self, of: &Connection, row: &Row) -> Result<(), StoreError> {
        self.learned.extend(row.learned.as_deref().cloned());
        self.count(of, (row.id, row.time_ns), &row.owner, &row.touch)
    }

    pub(crate) fn count(
        &mut self,
        of: &Connection,
        (id, at): (u64, u64),
        owner: &str,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        let span = at / SPAN_NS;
        let is_first = self.begun.is_first(of, (id, span), touch)?;
        self.ports.extend(touch.port.map(|port| (span, port, id)));
        if owner.is_empty() && touch.exchanges.is_empty() {
            return Ok(());
        }
        let owners = self.owners.entry(span).or_default();
        let new = || Counted { events: 0, ids: (id, id), times: (at, at), ..Counted::default() };
        known_or(owners, owner, new, |counted| {
            counted.events += 1;
            counted.ids = around(counted.ids, id);
            counted.times = around(counted.times, at);
            if let Some(name) = &touch.name {
                known_or(
                    &mut counted.names,
                    name,
                    || (at, at),
                    |times| *times = around(*times, at),
                );
            }
            for exchange in &touch.exchanges {
                let sums = if is_first { Some(exchange.sums) } else { exchange.sums.again() };
                let Some(sums) = sums else { continue };
                let new = || Exchanged { sums: Sums::default(), times: (at, at) };
                known_or(&mut counted.peers, &exchange.with, new, |exchanged| {
                    exchanged.sums.add(&sums);
                    exchanged.times = around(exchanged.times, at);
                });
            }
        });
        Ok(())
    }

    /// Writes it down; to be done in the transaction of the rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(self, to: &Connection) -> Result<(), StoreError> {
        let Self { mut ports, owners, learned, begun } = self;
        ports.sort_unstable();
        let mut port = to.prepare_cached("INSERT OR IGNORE INTO port VALUES (?1, ?2, ?3)")?;
        for (span, number, id) in ports {
            port.execute(params![span.cast_signed(), number, id.cast_signed()])?;
        }
        let mut peer = to.prepare_cached(
            "INSERT INTO peer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16) ON CONFLICT DO UPDATE SET first_ns = min(first_ns, excluded.first_ns), \
             last_ns = max(last_ns, excluded.last_ns), begun = begun + excluded.begun, \
             failed = failed + excluded.failed, ended = ended + excluded.ended, \
             bytes_sent = bytes_sent + excluded.bytes_sent, \
             bytes_received = bytes_received + excluded.bytes_received, \
             datagrams_sent = datagrams_sent + excluded.datagrams_sent, \
             datagrams_received = datagrams_received + excluded.datagrams_received",
        )?;
        let mut active = to.prepare_cached(
            "INSERT INTO active VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
             events = events + excluded.events, first_id = min(first_id, excluded.first_id), \
             last_id = max(last_id, excluded.last_id), \
             first_ns = min(first_ns, excluded.first_ns), \
             last_ns = max(last_ns, excluded.last_ns)",
        )?;
        let owners =
            owners.iter().flat_map(|(span, owners)| owners.iter().map(move |one| (span, one)));
        let mut called = to.prepare_cached(
            "INSERT INTO name VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
             first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns)",
        )?;
        for (span, (owner, Counted { events, ids, times, peers, names })) in owners {
            let span = span.cast_signed();
            for (name, (first, last)) in names {
                let times = (first.cast_signed(), last.cast_signed());
                called.execute(params![span, owner, name, times.0, times.1])?;
            }
            for (with, Exchanged { sums, times }) in peers {
                peer.execute(params![
                    span,
                    owner,
                    with.direction,
                    with.protocol,
                    with.address,
                    with.port,
                    with.peer,
                    times.0.cast_signed(),
                    times.1.cast_signed(),
                    sums.begun.cast_signed(),
                    sums.failed.cast_signed(),
                    sums.ended.cast_signed(),
                    sums.bytes.0.cast_signed(),
                    sums.bytes.1.cast_signed(),
                    sums.datagrams.0.cast_signed(),
                    sums.datagrams.1.cast_signed(),
                ])?;
            }
            // What has no owner is nobody's activity.
            if !owner.is_empty() {
                active.execute(params![
                    span,
                    owner,
                    events.cast_signed(),
                    ids.0.cast_signed(),
                    ids.1.cast_signed(),
                    times.0.cast_signed(),
                    times.1.cast_signed(),
                ])?;
            }
        }
        begun.keep(to)?;
        learned::keep(to, &learned)
    }
}

/// Changes the value of a key, which is copied only when it is new.
fn known_or<Q: ToOwned<Owned: Ord> + Ord + ?Sized, V>(
    of: &mut BTreeMap<Q::Owned, V>,
    key: &Q,
    new: impl FnOnce() -> V,
    change: impl FnOnce(&mut V),
) {
    if let Some(known) = of.get_mut(key) {
        return change(known);
    }
    let mut value = new();
    change(&mut value);
    of.insert(key.to_owned(), value);
}

/// The smallest and the largest, with one more.
fn around((first, last): (u64, u64), one: u64) -> (u64, u64) {
    (first.min(one), last.max(one))
}

/// What follows from rows that are gone goes, too, a span at a time.
///
/// # Errors
/// When it cannot be written.
pub fn forget(of: &Connection) -> Result<(), StoreError> {
    let oldest: Option<i64> =
        of.query_row("SELECT min(time_ns) FROM event", [], |row| row.get(0))?;
    let span = oldest.map_or(i64::MAX, |oldest| (oldest.cast_unsigned() / SPAN_NS).cast_signed());
    // All of them are looked through for old spans only when there is one.
    let first: Option<i64> = of.query_row("SELECT min(span) FROM active", [], |row| row.get(0))?;
    let is_old = first.is_some_and(|first| first < span);
    let tables = ["port", "peer", "active", "name", "again", "counted"];
    for table in &tables[..if is_old { tables.len() } else { 3 }] {
        of.prepare_cached(&format!("DELETE FROM {table} WHERE span < ?1"))?.execute([span])?;
    }
    Ok(())
}

/// Makes the tables of the rows that were there before them.
///
/// # Errors
/// When the rows cannot be read, or the tables not be written.
pub fn fill(of: &Connection) -> Result<(), StoreError> {
    let mut after = 0_i64;
    let query = "SELECT id, time_ns, owner, document FROM event WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut page = of.prepare(query)?;
    loop {
        let mut tally = Tally::default();
        let mut rows = page.query([after, PAGE])?;
        let before = after;
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            let at: i64 = row.get(1)?;
            let owner = row.get_ref(2)?.as_str().unwrap_or_default();
            // What is no document any more is what `hostnet verify` is for.
            let document = Read::of(row.get_ref(3)?.as_bytes().unwrap_or_default());
            let touch = document.map(|document| Touch::of_document(&document));
            let (id, at) = (after.cast_unsigned(), at.cast_unsigned());
            tally.count(of, (id, at), owner, &touch.unwrap_or_default())?;
        }
        tally.keep(of)?;
        if after == before {
            return Ok(());
        }
    }
}

/// Makes the table of names of rows that were there before it, of the first and the last
/// event in each span: reading all of them would take too long.
///
/// # Errors
/// When the rows cannot be read, or the table not be written.
pub fn fill_names(of: &Connection) -> Result<(), StoreError> {
    of.execute_batch(
        "INSERT INTO name SELECT a.span, a.owner, json_extract(e.document, '$.container.name') \
         AS called, min(e.time_ns), max(e.time_ns) FROM active a JOIN event e ON \
         e.id IN (a.first_id, a.last_id) WHERE json_valid(e.document) AND called != '' \
         GROUP BY 1, 2, 3",
    )?;
    Ok(())
}
