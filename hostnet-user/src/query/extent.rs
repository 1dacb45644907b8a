//! How much of a time the history has: how many events of whom and when, which rows,
//! and the end of its chain. Asked of indexes and tallies, so that a long history is
//! no long question.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::OptionalExtension;

use super::{
    Filter, History, PeerRow, Time,
    filter::{Condition, IS_FINDING, IS_RARE, are_rare},
    history::{COLUMNS, Event, span_of},
};
use crate::{event::Action, record::tally::SPAN_NS};

/// Events that are counted one by one; of more, the tallies have to do.
const COUNTED: u64 = 200_000;

/// What the history has of a time.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// How many events, whoever's.
    pub events: u64,
    /// The first of them, and the last.
    pub ends: Option<(Event, Event)>,
    /// How many of each action, but for connections, which are most.
    pub rare: BTreeMap<String, u64>,
    /// The chain as the history has it; `None` of a file of lines.
    pub chain: Option<ChainEnd>,
}

/// Where a chain ends.
#[derive(Clone, Debug)]
pub struct ChainEnd {
    /// Which history it is.
    pub history: String,
    /// Its last row.
    pub row: u64,
    /// The value after that row, in hexadecimal.
    pub hash: String,
}

/// What the history has of the time that is meant.
///
/// # Errors
/// When it cannot be read.
pub fn extent(history: &History, filter: &Filter) -> Result<Extent> {
    let between = [filter.from().0, filter.to().0];
    let (events, first, last) = history.connection.query_row(
        "SELECT count(*), min(id), max(id) FROM event WHERE time_ns BETWEEN ?1 AND ?2",
        between,
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get(2)?)),
    )?;
    let ends = match first.zip(last) {
        Some((first, last)) => history.event(first)?.zip(history.event(last)?),
        None => None,
    };
    let question = format!(
        "SELECT e.action, count(*) FROM event e WHERE {IS_RARE} AND e.time_ns BETWEEN ?1 AND ?2 \
         GROUP BY e.action"
    );
    let mut statement = history.connection.prepare(&question)?;
    let rows = statement.query_map(between, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let rare = rows
        .map(|row| row.map(|(action, count)| (action, count.cast_unsigned())))
        .collect::<rusqlite::Result<_>>()?;
    let chain = history
        .connection
        .query_row("SELECT history, head_id, lower(hex(head_hash)) FROM chain", [], |row| {
            let (history, hash) = (row.get(0)?, row.get(2)?);
            Ok(ChainEnd { history, row: row.get::<_, i64>(1)?.cast_unsigned(), hash })
        })
        .optional()?;
    Ok(Extent { events: events.cast_unsigned(), ends, rare, chain })
}

/// The moment from which on there are at most `most` events of these actions; `None`
/// when there are not more at all.
///
/// # Errors
/// When the history cannot be read.
pub fn the_last(
    history: &History,
    filter: &Filter,
    actions: &[&str],
    most: u64,
) -> Result<Option<Time>> {
    let mut condition = Condition::default();
    condition.time(filter);
    condition.one_of("e.action", actions.iter().copied());
    if are_rare(actions.iter().copied()) {
        condition.plain(IS_RARE);
    }
    let question = format!(
        "SELECT e.time_ns FROM event e WHERE {} ORDER BY e.time_ns DESC LIMIT 1 OFFSET {most}",
        condition.sql()
    );
    let mut statement = history.connection.prepare(&question)?;
    let before: Option<i64> = statement
        .query_row(rusqlite::params_from_iter(&condition.values), |row| row.get(0))
        .optional()?;
    Ok(before.map(|before| Time(before).after(1)))
}

/// How many events of each owner, over time.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// Where the first bin begins.
    pub from: Time,
    /// Length of a bin, nanoseconds.
    pub bin_ns: i64,
    /// How many bins.
    pub bins: usize,
    /// Each owner's, bin by bin.
    pub by_owner: BTreeMap<String, Vec<u64>>,
}

/// How many events everybody has, from one moment to another, in about `bins` parts.
///
/// # Errors
/// When the history cannot be read.
pub fn activity(history: &History, (from, to): (Time, Time), bins: usize) -> Result<Activity> {
    let span_ns = SPAN_NS.cast_signed();
    let bins_ns = i64::try_from(bins.max(1)).unwrap_or(i64::MAX);
    let length = to.0.saturating_sub(from.0).saturating_add(1).max(1);
    let spans = [span_of(from), span_of(to)];
    let events: i64 = history.connection.query_row(
        "SELECT coalesce(sum(events), 0) FROM active WHERE span BETWEEN ?1 AND ?2",
        spans,
        |row| row.get(0),
    )?;
    let is_few = events.cast_unsigned() <= COUNTED;
    // Whole spans cannot be cut.
    let (from, bin_ns) = if is_few {
        (from, length.div_euclid(bins_ns).max(1) + i64::from(length % bins_ns != 0))
    } else {
        let each = (spans[1] - spans[0] + 1 + bins_ns - 1) / bins_ns;
        (Time(spans[0] * span_ns), each * span_ns)
    };
    let bins = to.0.saturating_sub(from.0) / bin_ns + 1;
    let bins = usize::try_from(bins).unwrap_or(1);
    let mut found = Activity { from, bin_ns, bins, by_owner: BTreeMap::new() };
    let question = if is_few {
        "SELECT owner, (time_ns - ?1) / ?2, count(*) FROM event WHERE time_ns BETWEEN ?1 AND ?3 \
         AND owner <> '' GROUP BY 1, 2"
    } else {
        "SELECT owner, (span * 600000000000 - ?1) / ?2, sum(events) FROM active \
         WHERE span * 600000000000 BETWEEN ?1 AND ?3 GROUP BY 1, 2"
    };
    let mut statement = history.connection.prepare(question)?;
    let mut rows = statement.query([from.0, bin_ns, to.0])?;
    while let Some(row) = rows.next()? {
        let (bin, count): (i64, i64) = (row.get(1)?, row.get(2)?);
        let all = found.by_owner.entry(row.get(0)?).or_insert_with(|| vec![0; found.bins]);
        if let Some(bin) = usize::try_from(bin).ok().and_then(|bin| all.get_mut(bin)) {
            *bin += count.cast_unsigned();
        }
    }
    Ok(found)
}

/// What the first event between these two said of where it was aimed.
///
/// # Errors
/// When the history cannot be read.
pub fn surface_of(history: &History, peer: &PeerRow) -> Result<Option<String>> {
    let mut statement = history.connection.prepare_cached(
        "SELECT json_extract(document, '$.hostnet.surface.target') FROM event \
         WHERE time_ns = ?1 AND owner = ?2 LIMIT 1",
    )?;
    let values = rusqlite::params![peer.first.0, peer.container_id];
    Ok(statement.query_row(values, |row| row.get(0)).optional()?.flatten())
}

/// Hands every finding that is meant to `take`, in the order in which they happened.
///
/// # Errors
/// When the history cannot be read, has nobody like that, or `take` fails.
pub fn each_finding(
    history: &History,
    filter: &Filter,
    mut take: impl FnMut(Event) -> Result<()>,
) -> Result<()> {
    let mut condition = Condition::default();
    condition.plain(IS_FINDING);
    condition.time(filter);
    if let Some(owners) = filter.owners(history)? {
        condition.one_of("e.owner", owners.iter().map(String::as_str));
    }
    let question =
        format!("SELECT {COLUMNS} FROM event e WHERE {} ORDER BY e.time_ns, e.id", condition.sql());
    history.each(&question, &condition.values, |event| take(event).map(|()| true))
}

/// The last event of an action up to a moment.
///
/// # Errors
/// When the history cannot be read.
pub fn last_event(history: &History, action: Action, until: Time) -> Result<Option<Event>> {
    let question = format!(
        "SELECT {COLUMNS} FROM event e WHERE {IS_RARE} AND e.action = ?1 AND e.time_ns <= ?2 \
         ORDER BY e.time_ns DESC LIMIT 1"
    );
    Ok(history.all(&question, &[action.name().to_owned().into(), until.0.into()])?.pop())
}
