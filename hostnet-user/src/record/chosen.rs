//! Rows of some owners without the others, though rows have no index of owners: when
//! each was active is counted (tally.rs), and there its rows are.

use std::collections::BTreeSet;

use rusqlite::params;

use super::{
    error::StoreError,
    reader::{Reader, times},
    schema,
    tally::SPAN_NS,
};
use crate::{event::Action, row::Row, text::json};

/// What is wanted.
pub struct Choice<'a> {
    /// Rows of these owners; `None` for all but the host itself.
    pub owners: Option<&'a BTreeSet<String>>,
    /// Rows of whomever with one of these actions, which are rare.
    pub actions: &'a [&'a str],
    /// In this time, the end not in it: nanoseconds since 1970.
    pub span: (u64, u64),
}

impl Reader {
    /// Whether rows can be chosen by their owners, which an older history has not counted.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn counts_owners(&self) -> Result<bool, StoreError> {
        Ok(schema::version(self.connection())? >= schema::TALLIES)
    }

    /// Chooses rows; with them the first and the last row of that time, and of each run in
    /// it the last, whosever they are: when there was an agent shows in them.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn choose(&self, choice: &Choice<'_>) -> Result<(), StoreError> {
        let connection = self.connection();
        let [from, until] = times(choice.span);
        let span_ns = SPAN_NS.cast_signed();
        connection.execute_batch(
            "DROP TABLE IF EXISTS temp.chosen; CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY);",
        )?;
        let of_owners = "INSERT OR IGNORE INTO chosen SELECT e.id FROM active a CROSS JOIN event e \
                         ON e.id BETWEEN a.first_id AND a.last_id AND e.owner = a.owner \
                         WHERE a.span BETWEEN ?1 / ?3 AND ?2 / ?3";
        match choice.owners {
            Some(owners) => {
                let question =
                    format!("{of_owners} AND a.owner IN (SELECT value FROM json_each(?4))");
                let owners = list(owners.iter());
                connection.execute(&question, params![from, until, span_ns, owners])?;
            }
            None => {
                let question = format!("{of_owners} AND a.owner <> 'host'");
                connection.execute(&question, params![from, until, span_ns])?;
            }
        }
        // The words of the index of actions.
        let is_rare = concat!("action NOT IN (", frequent_actions!(), ")");
        let started = Action::AgentStarted.name();
        connection.execute(
            &format!(
                "INSERT OR IGNORE INTO chosen SELECT id FROM event WHERE {is_rare} AND action IN \
                 (SELECT value FROM json_each(?3)) AND time_ns >= ?1 AND time_ns < ?2"
            ),
            params![from, until, list(choice.actions.iter())],
        )?;
        connection.execute(
            &format!(
                "INSERT OR IGNORE INTO chosen SELECT (SELECT max(id) FROM event WHERE \
                 id < start.id) AS last FROM event start WHERE {is_rare} AND \
                 action = '{started}' AND time_ns >= ?1 AND time_ns < ?2 AND last IS NOT NULL"
            ),
            params![from, until],
        )?;
        // Rows of one moment are not in the order of their times: the first is by place.
        for edge in [
            "min(id) FROM (SELECT id FROM event WHERE time_ns >= ?1 AND time_ns < ?2 \
             ORDER BY time_ns LIMIT 1000) HAVING min(id) IS NOT NULL",
            "id FROM (SELECT id FROM event WHERE time_ns >= ?1 AND time_ns < ?2 \
             ORDER BY time_ns DESC LIMIT 1)",
        ] {
            connection.execute(
                &format!("INSERT OR IGNORE INTO chosen SELECT {edge}"),
                params![from, until],
            )?;
        }
        Ok(())
    }

    /// The chosen rows after `cursor`, oldest first, as [`Reader::page_between`] has them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page_of_chosen(
        &self,
        cursor: u64,
        span: (u64, u64),
        rows: usize,
        bytes: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.page_within("chosen CROSS JOIN event USING (id)", cursor, span, rows, bytes)
    }
}

/// As SQLite's `json_each` reads it.
fn list(all: impl Iterator<Item = impl AsRef<str>>) -> String {
    json::raw(&serde_json::Value::from_iter(all.map(|one| one.as_ref().to_owned())))
        .get()
        .to_owned()
}
