//! What is counted beside the rows, so that questions about ports, peers and owners
//! are answered without reading documents: the tables `port`, `peer` and `active`.
//!
//! They follow from the rows, are written with them, and go with them. Time is cut
//! into spans, which all begin with: what is written now is together, and so is
//! what goes. Nothing here knows what is asked.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{
    Row,
    error::StoreError,
    reached,
    touch::{Sums, Touch, With},
};
use crate::{event::Learned, format::ecs::read::Read};

/// Length of a span, nanoseconds: ten minutes.
pub const SPAN_NS: u64 = 600_000_000_000;

/// Rows read at a time when the tables are made of rows that were there before them.
const PAGE: i64 = 10_000;

/// What a batch of rows adds.
#[derive(Default)]
pub struct Tally {
    ports: Vec<(u64, u16, u64)>,
    peers: HashMap<(u64, String, With), Counted>,
    owners: HashMap<(u64, String), Active>,
    learned: Vec<Learned>,
}

struct Counted {
    sums: Sums,
    first_ns: u64,
    last_ns: u64,
}

struct Active {
    events: u64,
    ids: (u64, u64),
    times: (u64, u64),
}

impl Tally {
    /// A row, and what it says.
    pub fn add(&mut self, row: &Row) {
        self.count(row.id, row.time_ns, &row.owner, &row.touch);
        self.learned.extend(row.learned.as_deref().cloned());
    }

    pub(crate) fn count(&mut self, id: u64, at: u64, owner: &str, touch: &Touch) {
        let span = at / SPAN_NS;
        self.ports.extend(touch.port.map(|port| (span, port, id)));
        for exchange in &touch.exchanges {
            let key = (span, owner.to_owned(), exchange.with.clone());
            let counted = self.peers.entry(key).or_insert_with(|| Counted {
                sums: Sums::default(),
                first_ns: at,
                last_ns: at,
            });
            counted.sums.add(&exchange.sums);
            counted.first_ns = counted.first_ns.min(at);
            counted.last_ns = counted.last_ns.max(at);
        }
        if !owner.is_empty() {
            let active = self.owners.entry((span, owner.to_owned())).or_insert(Active {
                events: 0,
                ids: (id, id),
                times: (at, at),
            });
            active.events += 1;
            active.ids = (active.ids.0.min(id), active.ids.1.max(id));
            active.times = (active.times.0.min(at), active.times.1.max(at));
        }
    }

    /// Writes it down; to be done in the transaction of the rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(self, to: &Connection) -> Result<(), StoreError> {
        let mut port = to.prepare_cached("INSERT OR IGNORE INTO port VALUES (?1, ?2, ?3)")?;
        for (span, number, id) in self.ports {
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
        for ((span, owner, with), Counted { sums, first_ns, last_ns }) in self.peers {
            peer.execute(params![
                span.cast_signed(),
                owner,
                with.direction,
                with.protocol,
                with.address,
                with.port,
                with.peer,
                first_ns.cast_signed(),
                last_ns.cast_signed(),
                sums.begun.cast_signed(),
                sums.failed.cast_signed(),
                sums.ended.cast_signed(),
                sums.bytes.0.cast_signed(),
                sums.bytes.1.cast_signed(),
                sums.datagrams.0.cast_signed(),
                sums.datagrams.1.cast_signed(),
            ])?;
        }
        let mut active = to.prepare_cached(
            "INSERT INTO active VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
             events = events + excluded.events, first_id = min(first_id, excluded.first_id), \
             last_id = max(last_id, excluded.last_id), \
             first_ns = min(first_ns, excluded.first_ns), \
             last_ns = max(last_ns, excluded.last_ns)",
        )?;
        for ((span, owner), Active { events, ids, times }) in self.owners {
            active.execute(params![
                span.cast_signed(),
                owner,
                events.cast_signed(),
                ids.0.cast_signed(),
                ids.1.cast_signed(),
                times.0.cast_signed(),
                times.1.cast_signed(),
            ])?;
        }
        reached::keep(to, &self.learned)
    }
}

/// What follows from rows that are gone goes, too, a span at a time.
///
/// # Errors
/// When it cannot be written.
pub fn forget(of: &Connection) -> Result<(), StoreError> {
    let oldest: Option<i64> =
        of.query_row("SELECT min(time_ns) FROM event", [], |row| row.get(0))?;
    let span = oldest.map_or(i64::MAX, |oldest| (oldest.cast_unsigned() / SPAN_NS).cast_signed());
    for table in ["port", "peer", "active"] {
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
            tally.count(id, at, owner, &touch.unwrap_or_default());
        }
        tally.keep(of)?;
        if after == before {
            return Ok(());
        }
    }
}
