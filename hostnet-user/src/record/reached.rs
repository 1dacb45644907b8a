//! What images reached, as the judgement learned it: kept with the rows that taught it,
//! and not purged with them. It is as much as the judgement remembers, which forgets
//! here, too.

use rusqlite::{Connection, params};

use super::{error::StoreError, store::Store};
use crate::event::{Learned, Reached};

/// Writes down what was learned; to be done in the transaction of the rows.
///
/// # Errors
/// When it cannot be written.
pub fn keep(to: &Connection, learned: &[Learned]) -> Result<(), StoreError> {
    for Learned { reached, instead_of } in learned {
        if let Some(image) = instead_of {
            to.prepare_cached("DELETE FROM reached WHERE image = ?1")?.execute([image])?;
        }
        let mut insert = to.prepare_cached(
            "INSERT INTO reached VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET \
             last_ns = max(last_ns, excluded.last_ns)",
        )?;
        let Reached { image, destination, first_ns, last_ns } = reached;
        insert.execute(params![
            image,
            destination,
            first_ns.cast_signed(),
            last_ns.cast_signed()
        ])?;
    }
    Ok(())
}

impl Store {
    /// What was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn reached(&self) -> Result<Vec<Reached>, StoreError> {
        let query = "SELECT image, destination, first_ns, last_ns FROM reached";
        let mut statement = self.connection.prepare(query)?;
        let rows = statement.query_map([], |row| {
            let time = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
            Ok(Reached {
                image: row.get(0)?,
                destination: row.get(1)?,
                first_ns: time(2)?,
                last_ns: time(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
