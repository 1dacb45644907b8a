//! The history as its only writer sees it: one SQLite file in WAL mode.
//!
//! A batch is one transaction, and the chain's head and the sinks' cursors go with
//! it. `synchronous=NORMAL`: a commit survives the end of the process at once, and
//! a power cut from the next checkpoint of the WAL on.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use super::{
    chain::{Hash, Link},
    error::StoreError,
    files::{LOG, with_suffix},
    schema,
    tally::{self, Tally},
};
use crate::row::Row;

/// How long a query may keep the writer from its transaction.
pub const BUSY: Duration = Duration::from_secs(5);

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Last row; 0 before the first.
    pub id: u64,
    /// The chain's value after it.
    pub hash: Hash,
    /// Bytes of all documents up to and with it.
    pub total: u64,
}

/// How a sink stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last row it took.
    pub cursor: u64,
    /// Messages it took.
    pub delivered: u64,
    /// Rows it was not given, because there were too many or they were gone.
    pub dropped: u64,
    /// Messages it refused for good.
    pub dead_letters: u64,
}

impl Standing {
    /// Adds what was counted before; the cursor stays.
    pub const fn add(&mut self, before: &Self) {
        self.delivered += before.delivered;
        self.dropped += before.dropped;
        self.dead_letters += before.dead_letters;
    }
}

/// Where a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRow {
    /// Its place in the history.
    pub id: u64,
    /// Its run.
    pub run: String,
    /// Its `event.sequence`.
    pub sequence: u64,
    /// Its `@timestamp`, nanoseconds since 1970.
    pub time_ns: u64,
    /// Its `event.action`.
    pub action: String,
}

/// A history, open for writing.
pub struct Store {
    pub(super) connection: Connection,
    /// Where SQLite has its log.
    pub(super) log: PathBuf,
    history: Uuid,
    head: Head,
}

impl Store {
    /// Opens a history, making and migrating it if need be. A new one begins after
    /// row `after`.
    ///
    /// # Errors
    /// When it is of a newer version, damaged, or cannot be used now.
    pub fn open(path: &Path, after: u64) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        let version = schema::version(&connection)?;
        schema::check(version)?;
        if version == 0 {
            // These two only have an effect before the first table.
            connection.pragma_update(None, "page_size", 8192)?;
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        schema::migrate(&mut connection)?;
        let (history, head) = head(&connection, after)?;
        let log = with_suffix(path, LOG);
        let store = Self { connection, log, history, head };
        store.check_end()?;
        Ok(store)
    }

    /// Which history it is.
    #[must_use]
    pub const fn history(&self) -> Uuid {
        self.history
    }

    /// The end of the chain.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The chain goes on from its head: a row that is not there, or one that
    /// should not be, is found now and not by a reader in a year.
    fn check_end(&self) -> Result<(), StoreError> {
        let last: Option<i64> =
            self.connection.query_row("SELECT max(id) FROM event", [], |row| row.get(0))?;
        let last = last.map_or(0, i64::cast_unsigned);
        let start = self.start()?.0;
        if last != self.head.id && !(last == 0 && self.head.id == start) {
            return Err(StoreError::Damaged(format!(
                "its last row is {last}, and the chain ends with row {}",
                self.head.id
            )));
        }
        Ok(())
    }

    /// The row that the chain begins after, and the chain's value there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn start(&self) -> Result<(u64, Hash), StoreError> {
        let (id, hash): (i64, Vec<u8>) =
            self.connection.query_row("SELECT start_id, start_hash FROM chain", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok((id.cast_unsigned(), to_hash(&hash)?))
    }

    /// The last row at or before `id`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn row_at(&self, id: u64) -> Result<Option<LastRow>, StoreError> {
        let query = "SELECT id, run, sequence, time_ns, action FROM event WHERE id <= ?1 \
                     ORDER BY id DESC LIMIT 1";
        self.ask(query, id, |row| {
            let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
            Ok(LastRow {
                id: number(0)?,
                run: row.get(1)?,
                sequence: number(2)?,
                time_ns: number(3)?,
                action: row.get(4)?,
            })
        })
    }

    /// Whether a run, which begins with row `first`, has told of another as crashed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn has_told_of(&self, first: u64, crashed: &str) -> Result<bool, StoreError> {
        // It is among the first that a run tells; the rest need not be looked at.
        let query = concat!(
            "SELECT count(*) FROM event WHERE id BETWEEN ?1 AND ?1 + 100000 AND action = ",
            action_list!(AgentCrashed),
            " AND instr(document, ?2) > 0"
        );
        let found: i64 =
            self.connection
                .query_row(query, params![first.cast_signed(), crashed], |row| row.get(0))?;
        Ok(found > 0)
    }

    /// How a sink stood when the last run ended; `None` when it is new.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn standing(&self, name: &str) -> Result<Option<Standing>, StoreError> {
        let query = "SELECT cursor, delivered, dropped, dead_letters FROM sink WHERE name = ?1";
        let standing = self.connection.query_row(query, [name], |row| {
            let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
            Ok(Standing {
                cursor: number(0)?,
                delivered: number(1)?,
                dropped: number(2)?,
                dead_letters: number(3)?,
            })
        });
        Ok(standing.optional()?)
    }

    /// Keeps rows of a run, whose ids go upwards, and how the sinks stand.
    ///
    /// # Errors
    /// When nothing was kept; the store is as it was.
    pub fn append<'a>(
        &mut self,
        run: &str,
        rows: impl Iterator<Item = &'a Row>,
        sinks: &[(String, Standing)],
    ) -> Result<(), StoreError> {
        let (mut head, mut tally) = (self.head, Tally::default());
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO event (id, run, sequence, time_ns, event_id, dataset, action, owner, \
                 document, total, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            for row in rows {
                let document = std::str::from_utf8(&row.document).map_err(|error| {
                    StoreError::Failed(format!("row {} is not UTF-8: {error}", row.id))
                })?;
                head = head.after(run, row);
                tally.add(&transaction, row)?;
                insert.execute(params![
                    row.id.cast_signed(),
                    run,
                    row.sequence.cast_signed(),
                    row.time_ns.cast_signed(),
                    row.event_id,
                    row.dataset,
                    row.action,
                    row.owner,
                    document,
                    head.total.cast_signed(),
                    &head.hash.bytes()[..],
                ])?;
            }
            let mut chain = transaction
                .prepare_cached("UPDATE chain SET head_id = ?1, head_hash = ?2, total = ?3")?;
            chain.execute(params![
                head.id.cast_signed(),
                &head.hash.bytes()[..],
                head.total.cast_signed()
            ])?;
            let mut sink = transaction
                .prepare_cached("INSERT OR REPLACE INTO sink VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for (name, standing) in sinks {
                sink.execute(params![
                    name,
                    standing.cursor.cast_signed(),
                    standing.delivered.cast_signed(),
                    standing.dropped.cast_signed(),
                    standing.dead_letters.cast_signed()
                ])?;
            }
        }
        tally.keep(&transaction)?;
        transaction.commit()?;
        self.head = head;
        Ok(())
    }

    /// Runs a question about the rows; retention's way to look for its bounds.
    pub(super) fn ask<T>(
        &self,
        query: &str,
        parameter: u64,
        take: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(query)?;
        Ok(statement.query_row([parameter.cast_signed()], take).optional()?)
    }

    /// Removes at most `most` of the oldest rows, up to and with row `until`;
    /// returns how many were removed.
    ///
    /// # Errors
    /// When nothing was removed.
    pub fn purge(&mut self, until: u64, most: u64) -> Result<u64, StoreError> {
        let transaction = self.connection.transaction()?;
        let last: Option<i64> = transaction.query_row(
            "SELECT max(id) FROM (SELECT id FROM event WHERE id <= ?1 ORDER BY id LIMIT ?2)",
            [until.cast_signed(), most.cast_signed()],
            |row| row.get(0),
        )?;
        let Some(last) = last else { return Ok(0) };
        transaction.execute(
            "UPDATE chain SET start_id = ?1, start_hash = (SELECT hash FROM event WHERE id = ?1)",
            [last],
        )?;
        let removed = transaction.execute("DELETE FROM event WHERE id <= ?1", [last])?;
        tally::forget(&transaction)?;
        transaction.commit()?;
        Ok(removed as u64)
    }
}

impl Head {
    /// The head after one more row.
    fn after(self, run: &str, row: &Row) -> Self {
        let link = Link {
            id: row.id,
            run: run.as_bytes(),
            sequence: row.sequence,
            time_ns: row.time_ns,
            event_id: row.event_id.as_bytes(),
            dataset: row.dataset.as_bytes(),
            action: row.action.as_bytes(),
            owner: row.owner.as_bytes(),
            document: &row.document,
        };
        Self {
            id: row.id,
            hash: self.hash.then(&link),
            total: self.total + row.document.len() as u64,
        }
    }
}

/// Reads the chain's head, or begins a chain.
fn head(connection: &Connection, after: u64) -> Result<(Uuid, Head), StoreError> {
    let query = "SELECT history, head_id, head_hash, total FROM chain";
    let found: Option<(String, i64, Vec<u8>, i64)> = connection
        .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    if let Some((history, id, hash, total)) = found {
        let history = Uuid::parse_str(&history).map_err(|_not_one| {
            StoreError::Damaged("it does not say which history it is".into())
        })?;
        let (id, total) = (id.cast_unsigned(), total.cast_unsigned());
        return Ok((history, Head { id, hash: to_hash(&hash)?, total }));
    }
    let history = Uuid::now_v7();
    let head = Head { id: after, hash: Hash::genesis(history), total: 0 };
    let (id, hash) = (after.cast_signed(), &head.hash.bytes()[..]);
    connection.execute(
        "INSERT INTO chain VALUES (1, ?1, ?2, ?3, ?2, ?3, 0)",
        params![history.to_string(), id, hash],
    )?;
    Ok((history, head))
}

pub(super) fn to_hash(bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::from_bytes(bytes)
        .ok_or_else(|| StoreError::Damaged("a hash of the chain is not one".to_owned()))
}
