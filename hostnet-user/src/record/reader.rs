//! A history as everybody but its writer sees it: read-only, while the agent
//! writes or when none does.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{error::StoreError, schema};
use crate::{
    event::{Action, dataset_named},
    row::Row,
};

/// What a [`Row`] is made of.
const COLUMNS: &str = "id, sequence, time_ns, event_id, dataset, action, owner, document";

/// A history, open for reading.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens it.
    ///
    /// # Errors
    /// When it is of a newer version, is not there, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        schema::check(schema::version(&connection)?)?;
        Ok(Self { connection })
    }

    /// The rows after `cursor`, oldest first: at most `rows`, and no more once
    /// they have `bytes`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page(&self, cursor: u64, rows: usize, bytes: usize) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM event WHERE id > ?1 ORDER BY id LIMIT ?2"
        ))?;
        let limit = i64::try_from(rows).unwrap_or(i64::MAX);
        collect(statement.query(params![cursor.cast_signed(), limit])?, bytes)
    }

    /// The same of the rows whose time is in a span, the end not in it: nanoseconds
    /// since 1970.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page_between(
        &self,
        cursor: u64,
        span: (u64, u64),
        rows: usize,
        bytes: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.page_within("event", cursor, span, rows, bytes)
    }

    /// The same of what `place` has of the rows.
    pub(super) fn page_within(
        &self,
        place: &str,
        cursor: u64,
        span: (u64, u64),
        rows: usize,
        bytes: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {place} WHERE id > ?1 AND time_ns >= ?3 AND time_ns < ?4 \
             ORDER BY id LIMIT ?2"
        ))?;
        let limit = i64::try_from(rows).unwrap_or(i64::MAX);
        let [from, until] = times(span);
        collect(statement.query(params![cursor.cast_signed(), limit, from, until])?, bytes)
    }

    /// The last document with this action that is older than a moment, nanoseconds since
    /// 1970.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_before(&self, action: Action, ns: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let query = "SELECT document FROM event WHERE action = ?1 AND time_ns < ?2 \
                     ORDER BY id DESC LIMIT 1";
        let before = i64::try_from(ns).unwrap_or(i64::MAX);
        let found =
            self.connection.query_row(query, params![action.name(), before], |row| row.get(0));
        let document: Option<String> = found.optional()?;
        Ok(document.map(String::into_bytes))
    }

    /// Bytes of all documents up to and with the last row at or before `id`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn total_at(&self, id: u64) -> Result<u64, StoreError> {
        let query = "SELECT total FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(query)?;
        let total: Option<i64> =
            statement.query_row([id.cast_signed()], |row| row.get(0)).optional()?;
        Ok(total.map_or(0, i64::cast_unsigned))
    }

    /// The last row after `from` with whose bytes at most `total` are counted; `from`
    /// when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn row_at_total(&self, from: u64, to: u64, total: u64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (from, to);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.total_at(middle)? <= total {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    /// How many rows from after `from` to `to` are of interest, asked by data set
    /// and action.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn count(
        &self,
        from: u64,
        to: u64,
        is_wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT dataset, action, count(*) FROM event WHERE id > ?1 AND id <= ?2 \
             GROUP BY dataset, action",
        )?;
        let mut rows = statement.query(params![from.cast_signed(), to.cast_signed()])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let (dataset, action): (String, String) = (row.get(0)?, row.get(1)?);
            if is_wanted(&dataset, &action) {
                count += row.get::<_, i64>(2)?.cast_unsigned();
            }
        }
        Ok(count)
    }

    /// The connection, for verify.rs, which reads values as the bytes they are.
    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Nanoseconds since 1970 as SQLite has them; no row is later than it can say.
pub(super) fn times((from_ns, until_ns): (u64, u64)) -> [i64; 2] {
    [from_ns, until_ns].map(|ns| i64::try_from(ns).unwrap_or(i64::MAX))
}

/// Rows until they have `bytes`.
fn collect(mut found: rusqlite::Rows<'_>, bytes: usize) -> Result<Vec<Row>, StoreError> {
    let (mut page, mut size) = (Vec::new(), 0);
    while size < bytes
        && let Some(row) = found.next()?
    {
        let row = to_row(row)?;
        size += row.document.len();
        page.push(row);
    }
    Ok(page)
}

fn to_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let dataset: String = row.get(4)?;
    Ok(Row {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        sequence: row.get::<_, i64>(1)?.cast_unsigned(),
        time_ns: row.get::<_, i64>(2)?.cast_unsigned(),
        event_id: row.get(3)?,
        dataset: dataset_named(&dataset),
        action: row.get(5)?,
        owner: row.get(6)?,
        document: row.get::<_, String>(7)?.into_bytes(),
        ..Row::default()
    })
}
