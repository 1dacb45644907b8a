//! Connections that were counted and have not ended: a later run of the agent that finds
//! one shows it again, and it must not be counted again. Within a batch this is
//! in memory, so that what is short costs nothing; the rest is the table `counted`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection as Database, OptionalExtension, params};

use super::error::StoreError;
use crate::row::touch::{Connection, Socket, Touch};

/// A connection that began in a batch.
struct Fresh {
    span: u64,
    is_new: bool,
}

/// What a batch of rows changes.
#[derive(Default)]
pub struct Begun {
    /// Those that began in this batch and are still there, by socket and other end.
    fresh: BTreeMap<Socket, BTreeMap<(String, u16), Fresh>>,
    /// Sockets that ended in it and may be in the table.
    ended: BTreeSet<Socket>,
    /// Rows that show a connection that was counted before.
    again: Vec<(u64, u64)>,
}

impl Begun {
    /// Notes row `id` of a span; says whether what begins with it is to be counted.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn is_first(
        &mut self,
        of: &Database,
        (id, span): (u64, u64),
        touch: &Touch,
    ) -> Result<bool, StoreError> {
        if let Some(socket) = touch.ended {
            let fresh = self.fresh.remove(&socket).unwrap_or_default();
            if !fresh.values().any(|one| one.is_new) {
                self.ended.insert(socket);
            }
        }
        let Some(connection) = &touch.began else { return Ok(true) };
        let Connection { socket, address, port, is_new } = connection;
        let end = (address.clone(), *port);
        let is_fresh = self.fresh.get(socket).is_some_and(|fresh| fresh.contains_key(&end));
        let may_be_counted = !is_new && !self.ended.contains(socket);
        if is_fresh || may_be_counted && is_counted(of, connection)? {
            self.again.push((span, id));
            return Ok(false);
        }
        self.fresh.entry(*socket).or_default().insert(end, Fresh { span, is_new: *is_new });
        Ok(true)
    }

    /// Writes it down; to be done in the transaction of the rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(self, to: &Database) -> Result<(), StoreError> {
        let mut end = to.prepare_cached("DELETE FROM counted WHERE boot = ?1 AND cookie = ?2")?;
        for Socket { boot, cookie } in self.ended {
            end.execute(params![boot, cookie.cast_signed()])?;
        }
        let mut begin =
            to.prepare_cached("INSERT OR IGNORE INTO counted VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (Socket { boot, cookie }, fresh) in self.fresh {
            for ((address, port), Fresh { span, .. }) in fresh {
                let span = span.cast_signed();
                begin.execute(params![boot, cookie.cast_signed(), address, port, span])?;
            }
        }
        let mut again = to.prepare_cached("INSERT OR IGNORE INTO again VALUES (?1, ?2)")?;
        for (span, id) in self.again {
            again.execute(params![span.cast_signed(), id.cast_signed()])?;
        }
        Ok(())
    }
}

fn is_counted(of: &Database, connection: &Connection) -> Result<bool, StoreError> {
    let Connection { socket: Socket { boot, cookie }, address, port, .. } = connection;
    let mut query = of.prepare_cached(
        "SELECT 1 FROM counted WHERE boot = ?1 AND cookie = ?2 AND address = ?3 AND port = ?4",
    )?;
    let found = query.query_row(params![boot, cookie.cast_signed(), address, port], |_| Ok(()));
    Ok(found.optional()?.is_some())
}
