//! Everybody of whom the history has events, and what each was called.

use std::collections::HashMap;

use anyhow::Result;

use super::{History, Time};
use crate::format::ecs::read::Read;

/// A name, with the first and the last event under it.
type Name = (String, Time, Time);

/// An owner and what it is called.
#[derive(Clone, Debug)]
pub struct Known {
    pub owner: String,
    pub read: Read,
    pub events: u64,
    pub ids: (i64, i64),
    pub times: (Time, Time),
    /// Every name that it had, with the first and the last event under it.
    pub names: Vec<Name>,
}

impl Known {
    pub fn name(&self) -> &str {
        self.read.container.label().unwrap_or(&self.owner)
    }

    /// Every id and name by which it may be asked for.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let has_id = self.read.container.id.is_some() || !self.names.is_empty();
        let names = self.names.iter().map(|(name, ..)| name.as_str());
        let names = names.chain(std::iter::once(""));
        names.filter(move |_| has_id).map(|name| (self.owner.as_str(), name))
    }

    /// The names as text, of one that had several.
    pub fn all_names(&self) -> String {
        if self.names.len() < 2 {
            return String::new();
        }
        let each = self.names.iter().map(|(name, first, last)| format!("{name} {first} to {last}"));
        each.collect::<Vec<_>>().join(", ")
    }

    pub fn image(&self) -> Option<String> {
        self.read.container.image()
    }

    pub fn is_of_image(&self, wanted: &str) -> bool {
        self.read.container.image.name.as_deref() == Some(wanted)
            || self.image().as_deref() == Some(wanted)
    }
}

/// Everybody of whom there are events, with the last that was said of each.
pub fn known(history: &History) -> Result<Vec<Known>> {
    let mut statement = history.connection.prepare_cached(
        "SELECT owner, sum(events), min(first_id), max(last_id), min(first_ns), max(last_ns) \
         FROM active GROUP BY owner ORDER BY 3",
    )?;
    let mut rows = statement.query([])?;
    let mut all_names = all_names(history)?;
    let mut known = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(2)?, row.get(3)?);
        // Names come late, and some events of a container are told without.
        let mut read = history.event(last)?.map(|event| event.read).unwrap_or_default();
        if read.container.name.is_none()
            && let Some(named) = history.event(first)?
            && named.read.container.name.is_some()
        {
            read = named.read;
        }
        let owner: String = row.get(0)?;
        known.push(Known {
            names: all_names.remove(&owner).unwrap_or_default(),
            owner,
            read,
            events: row.get::<_, i64>(1)?.cast_unsigned(),
            ids: (first, last),
            times: (Time(row.get(4)?), Time(row.get(5)?)),
        });
    }
    Ok(known)
}

/// Every name of every owner, in the order in which it had them.
fn all_names(history: &History) -> Result<HashMap<String, Vec<Name>>> {
    let mut statement = history.connection.prepare_cached(
        "SELECT owner, name, min(first_ns), max(last_ns) FROM name GROUP BY owner, name ORDER BY 3",
    )?;
    let mut rows = statement.query([])?;
    let mut names = HashMap::<String, Vec<Name>>::new();
    while let Some(row) = rows.next()? {
        let name = (row.get(1)?, Time(row.get(2)?), Time(row.get(3)?));
        names.entry(row.get(0)?).or_default().push(name);
    }
    Ok(names)
}

/// Names of owners, for answers that have only their ids.
pub fn names(history: &History) -> Result<HashMap<String, (String, Option<String>)>> {
    let known = known(history)?;
    Ok(known
        .into_iter()
        .map(|one| (one.owner.clone(), (one.name().to_owned(), one.image())))
        .collect())
}
