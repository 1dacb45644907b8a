//! The tables of a history, and how an older one becomes today's.
//!
//! `PRAGMA user_version` is the number of migrations that a file has had. Each is
//! run once, in order, in a transaction of its own with the new number.

use rusqlite::Connection;

use super::error::StoreError;

/// All of them; a released one never changes.
const MIGRATIONS: [&str; 2] = [
    // The document is plain JSON: any `sqlite3` can ask it. `total` counts the bytes
    // of all documents up to and with this one, purged ones included.
    "CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        dataset TEXT NOT NULL,
        action TEXT NOT NULL,
        owner TEXT NOT NULL,
        document TEXT NOT NULL,
        total INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE TABLE chain (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        history TEXT NOT NULL,
        start_id INTEGER NOT NULL,
        start_hash BLOB NOT NULL,
        head_id INTEGER NOT NULL,
        head_hash BLOB NOT NULL,
        total INTEGER NOT NULL
    ) STRICT;",
    "CREATE TABLE sink (
        name TEXT PRIMARY KEY,
        cursor INTEGER NOT NULL,
        delivered INTEGER NOT NULL,
        dropped INTEGER NOT NULL,
        dead_letters INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;",
];

/// The version that is written.
pub const VERSION: u32 = MIGRATIONS.len() as u32;

/// Which version a file has; 0 when it is new.
pub fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuses a file that a newer hostnet has written.
pub fn check(found: u32) -> Result<(), StoreError> {
    if found > VERSION { Err(StoreError::Newer { found }) } else { Ok(()) }
}

/// Brings the tables up to date; returns the version that was there.
pub fn migrate(connection: &mut Connection) -> Result<u32, StoreError> {
    let found = version(connection)?;
    check(found)?;
    for (index, step) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", index as u32 + 1)?;
        transaction.commit()?;
    }
    Ok(found)
}
