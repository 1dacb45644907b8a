//! What the judgement learned: what images reached, and what was found. Kept with the rows
//! that taught it, and not purged with them. It is as much as the judgement remembers,
//! which forgets here, too.

use rusqlite::{Connection, params};

use super::error::StoreError;
use crate::{
    event::{Learned, PastFinding, Reached},
    judge::MOST_REPEATS,
};

/// Writes down what was learned; to be done in the transaction of the rows.
///
/// # Errors
/// When it cannot be written.
pub fn keep(to: &Connection, learned: &[Learned]) -> Result<(), StoreError> {
    for one in learned {
        match one {
            Learned::Reached { reached, instead_of } => {
                keep_reached(to, reached, instead_of.as_deref())?;
            }
            Learned::Found { finding, forgotten_to_ns } => {
                keep_finding(to, finding, *forgotten_to_ns)?;
            }
        }
    }
    Ok(())
}

fn keep_reached(
    to: &Connection,
    reached: &Reached,
    instead_of: Option<&str>,
) -> Result<(), StoreError> {
    if let Some(image) = instead_of {
        to.prepare_cached("DELETE FROM reached WHERE image = ?1")?.execute([image])?;
    }
    let mut insert = to.prepare_cached(
        "INSERT INTO reached VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET \
         last_ns = max(last_ns, excluded.last_ns)",
    )?;
    let Reached { image, destination, first_ns, last_ns } = reached;
    insert.execute(params![image, destination, first_ns.cast_signed(), last_ns.cast_signed()])?;
    Ok(())
}

fn keep_finding(
    to: &Connection,
    finding: &PastFinding,
    forgotten_to_ns: Option<u64>,
) -> Result<(), StoreError> {
    if let Some(until) = forgotten_to_ns {
        to.prepare_cached("DELETE FROM found WHERE last_ns <= ?1")?
            .execute([until.cast_signed()])?;
    }
    let mut insert = to.prepare_cached("INSERT OR REPLACE INTO found VALUES (?1, ?2, ?3, ?4)")?;
    let PastFinding { rule, owner, subject, last_ns } = finding;
    insert.execute(params![rule, owner, subject, last_ns.cast_signed()])?;
    Ok(())
}

/// What images had reached.
///
/// # Errors
/// When it cannot be read.
pub fn reached(of: &Connection) -> Result<Vec<Reached>, StoreError> {
    let query = "SELECT image, destination, first_ns, last_ns FROM reached";
    let mut statement = of.prepare(query)?;
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

/// What was found, as much of it as the judgement remembers; older findings are
/// forgotten for good.
///
/// # Errors
/// When it cannot be read, or what is too old not be removed.
pub fn findings(of: &Connection) -> Result<Vec<PastFinding>, StoreError> {
    of.execute(
        "DELETE FROM found WHERE last_ns <= (SELECT last_ns FROM found ORDER BY last_ns DESC \
         LIMIT 1 OFFSET ?1)",
        [MOST_REPEATS as i64],
    )?;
    let query = "SELECT rule, owner, subject, last_ns FROM found";
    let mut statement = of.prepare(query)?;
    let rows = statement.query_map([], |row| {
        Ok(PastFinding {
            rule: row.get(0)?,
            owner: row.get(1)?,
            subject: row.get(2)?,
            last_ns: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
