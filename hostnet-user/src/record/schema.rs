//! The tables of a history, and how an older one becomes today's.
//!
//! `PRAGMA user_version` is the number of migrations that a file has had. Those it has not
//! had are run once, in order, in one transaction with the new number.

use rusqlite::Connection;

use super::{error::StoreError, tally};

/// All of them; a released one never changes.
const MIGRATIONS: [&str; 5] = [
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
    // What questions are answered from without reading documents; see tally.rs.
    concat!(
        "CREATE INDEX event_time ON event (time_ns);
    CREATE INDEX event_action ON event (action, time_ns) WHERE action NOT IN
        (",
        frequent_actions!(),
        ");
    CREATE INDEX event_finding ON event (time_ns) WHERE dataset = 'hostnet.finding';
    CREATE TABLE port (
        span INTEGER NOT NULL,
        port INTEGER NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (span, port, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE peer (
        span INTEGER NOT NULL,
        owner TEXT NOT NULL,
        direction TEXT NOT NULL,
        protocol TEXT NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        peer TEXT NOT NULL,
        first_ns INTEGER NOT NULL,
        last_ns INTEGER NOT NULL,
        begun INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        bytes_sent INTEGER NOT NULL,
        bytes_received INTEGER NOT NULL,
        datagrams_sent INTEGER NOT NULL,
        datagrams_received INTEGER NOT NULL,
        PRIMARY KEY (span, owner, direction, protocol, address, port, peer)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE active (
        span INTEGER NOT NULL,
        owner TEXT NOT NULL,
        events INTEGER NOT NULL,
        first_id INTEGER NOT NULL,
        last_id INTEGER NOT NULL,
        first_ns INTEGER NOT NULL,
        last_ns INTEGER NOT NULL,
        PRIMARY KEY (span, owner)
    ) STRICT, WITHOUT ROWID;"
    ),
    // What images reached, for the judgement; see learned.rs.
    "CREATE TABLE reached (
        image TEXT NOT NULL,
        destination TEXT NOT NULL,
        first_ns INTEGER NOT NULL,
        last_ns INTEGER NOT NULL,
        PRIMARY KEY (image, destination)
    ) STRICT, WITHOUT ROWID;",
    // Names of containers, and connections that are counted once; see tally.rs. What was
    // found; see learned.rs.
    "CREATE TABLE name (
        span INTEGER NOT NULL,
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        first_ns INTEGER NOT NULL,
        last_ns INTEGER NOT NULL,
        PRIMARY KEY (span, owner, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counted (
        boot INTEGER NOT NULL,
        cookie INTEGER NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        span INTEGER NOT NULL,
        PRIMARY KEY (boot, cookie, address, port)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE again (
        span INTEGER NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (span, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE found (
        rule TEXT NOT NULL,
        owner TEXT NOT NULL,
        subject TEXT NOT NULL,
        last_ns INTEGER NOT NULL,
        PRIMARY KEY (rule, owner, subject)
    ) STRICT, WITHOUT ROWID;",
];

/// The versions that came with tables that follow from the rows.
pub(crate) const TALLIES: u32 = 3;
pub(crate) const NAMES: u32 = 5;

/// The version that is written.
pub const VERSION: u32 = MIGRATIONS.len() as u32;

/// Which version a file has; 0 when it is new.
pub fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuses a file that a newer hostnet has written.
pub fn check(found: u32) -> Result<(), StoreError> {
    if found > VERSION { Err(StoreError::Newer { found, known: VERSION }) } else { Ok(()) }
}

/// Makes, for as long as the connection lives, the tables that an older file has not
/// got, so that it is answered from like any other.
pub(crate) fn complete(connection: &Connection, found: u32) -> Result<(), StoreError> {
    for step in MIGRATIONS.iter().skip(found as usize) {
        for table in step.split_inclusive(';').filter(|step| step.contains("CREATE TABLE")) {
            connection.execute_batch(&table.replace("CREATE TABLE", "CREATE TEMP TABLE"))?;
        }
    }
    fill(connection, found)
}

/// Fills the tables that follow from the rows and that version `found` had not got.
fn fill(connection: &Connection, found: u32) -> Result<(), StoreError> {
    match found {
        ..TALLIES => tally::fill(connection),
        TALLIES..NAMES => tally::fill_names(connection),
        _ => Ok(()),
    }
}

/// Brings the tables up to date; returns the version that was there.
pub fn migrate(connection: &mut Connection) -> Result<u32, StoreError> {
    let found = version(connection)?;
    check(found)?;
    if found == VERSION {
        return Ok(found);
    }
    let transaction = connection.transaction()?;
    for step in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    fill(&transaction, found)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(found)
}
