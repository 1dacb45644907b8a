//! Where answers are from: a history, or a file of events that becomes one in
//! memory, so that there is one way to ask.

use std::{
    collections::HashSet,
    io::BufRead,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags, params, params_from_iter, types::Value};

use super::{time::Time, views};
use crate::{
    format::ecs::read::Read,
    record::{
        Mark, StoreError, schema,
        tally::{self, Tally},
    },
    row::touch::Touch,
};

/// Instructions of SQLite between two looks at the clock.
const LOOK_EVERY: i32 = 10_000;

/// The longest line that is an event.
const LONGEST_LINE: usize = 1 << 20;

/// Something that can be asked.
pub struct History {
    pub(super) connection: Connection,
    /// Until when it is complete, where the agent says so.
    pub(super) mark: Option<Mark>,
}

/// A kept event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the history.
    pub id: u64,
    /// The run that told it.
    pub run: String,
    /// When it happened.
    pub time: Time,
    /// Whose it is: a container's full id, `host`, `unknown`; empty for nobody's.
    pub owner: String,
    /// The document as it was kept.
    pub document: String,
    /// What it says.
    pub read: Read,
}

/// How a file of events was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Events that are asked.
    pub events: u64,
    /// Lines that were there already.
    pub twice: u64,
    /// Lines that are no event, and the first of them with the reason.
    pub bad: u64,
    /// The first of these and what is wrong with it.
    pub first_bad: Option<String>,
}

/// What [`History::events`] needs of a row.
pub(super) const COLUMNS: &str = "e.id, e.run, e.time_ns, e.owner, e.document";

impl History {
    /// Opens the history of an agent, which may be writing it.
    ///
    /// # Errors
    /// When it is none, a newer hostnet's, or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // First: what is read afterwards is at least as complete.
        let mark = Mark::read(path);
        let open = || -> Result<Connection, StoreError> {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            let version = schema::version(&connection)?;
            schema::check(version)?;
            if version == 0 {
                return Err(StoreError::Damaged("it is not a history of hostnet".to_owned()));
            }
            if version < schema::VERSION {
                if version < schema::TALLIES {
                    tracing::warn!(
                        "the history was written by an older hostnet: its events are counted now, \
                         which takes a while"
                    );
                }
                schema::complete(&connection, version)?;
            }
            Ok(connection)
        };
        let connection =
            open().with_context(|| format!("cannot read the history {}", path.display()))?;
        Self::new(connection, mark)
    }

    /// Takes lines of ours, ECS, one after the other.
    ///
    /// # Errors
    /// When they cannot be read, or none is an event.
    pub fn of_lines(lines: impl BufRead, mut tick: impl FnMut(u64)) -> Result<(Self, Loaded)> {
        let mut connection = Connection::open_in_memory()?;
        schema::migrate(&mut connection)?;
        let mut loaded = Loaded::default();
        {
            let transaction = connection.transaction()?;
            load(&transaction, lines, &mut loaded, &mut tick)?;
            transaction.commit()?;
        }
        if loaded.events == 0 {
            let why = loaded.first_bad.unwrap_or_else(|| "there is no line".to_owned());
            bail!("no line is an event of hostnet in ECS: {why}");
        }
        Ok((Self::new(connection, None)?, loaded))
    }

    fn new(connection: Connection, mark: Option<Mark>) -> Result<Self> {
        connection.set_prepared_statement_cache_capacity(64);
        views::make(&connection).context("cannot make the views")?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // One state of the history for all that is asked: the agent goes on meanwhile.
        connection.execute_batch("BEGIN")?;
        Ok(Self { connection, mark })
    }

    /// Calls `look` every now and then while something is asked, with how long that
    /// has taken; it ends with an error when `look` says so.
    ///
    /// # Errors
    /// When SQLite takes no such call.
    pub fn watch(&mut self, mut look: impl FnMut(Duration) -> bool + Send + 'static) -> Result<()> {
        let began = Instant::now();
        let handler = move || look(began.elapsed());
        self.connection.progress_handler(LOOK_EVERY, Some(handler))?;
        Ok(())
    }

    /// Hands every event that a question finds to `take`, until it says to stop. The
    /// question selects `COLUMNS` of `event` as `e`.
    pub(super) fn each(
        &self,
        question: &str,
        values: &[Value],
        mut take: impl FnMut(Event) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare_cached(question)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let document: String = row.get(4)?;
            let read = Read::of(document.as_bytes())
                .with_context(|| format!("row {id} cannot be read as an event; `hostnet verify` says whether it was changed"))?;
            let event = Event {
                id: id.cast_unsigned(),
                run: row.get(1)?,
                time: Time(row.get(2)?),
                owner: row.get(3)?,
                document,
                read,
            };
            if !take(event)? {
                break;
            }
        }
        Ok(())
    }

    /// All events that a question finds.
    pub(super) fn all(&self, question: &str, values: &[Value]) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        self.each(question, values, |event| {
            events.push(event);
            Ok(true)
        })?;
        Ok(events)
    }

    /// The event at a place.
    pub(super) fn event(&self, id: i64) -> Result<Option<Event>> {
        let question = format!("SELECT {COLUMNS} FROM event e WHERE e.id = ?1");
        Ok(self.all(&question, &[id.into()])?.pop())
    }
}

fn load(
    to: &Connection,
    mut lines: impl BufRead,
    loaded: &mut Loaded,
    tick: &mut impl FnMut(u64),
) -> Result<()> {
    let mut insert =
        to.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, x'')")?;
    let (mut known, mut tally) = (HashSet::new(), Tally::default());
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if lines.read_until(b'\n', &mut line).context("the events cannot be read")? == 0 {
            break;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let (read, time, text) = match event(text) {
            Ok(event) => event,
            Err(error) => {
                loaded.bad += 1;
                loaded.first_bad.get_or_insert_with(|| format!("line {number}: {error:#}"));
                continue;
            }
        };
        if !known.insert(read.event.id.clone()) {
            loaded.twice += 1;
            continue;
        }
        loaded.events += 1;
        let owner = owner(&read);
        insert.execute(params![
            loaded.events.cast_signed(),
            read.agent.ephemeral_id,
            read.event.sequence.cast_signed(),
            time.0,
            read.event.id,
            read.event.dataset,
            read.event.action,
            owner,
            text,
        ])?;
        let at = (loaded.events, time.0.cast_unsigned());
        tally.count(to, at, &owner, &Touch::of_document(&read))?;
        if loaded.events.is_multiple_of(10_000) {
            std::mem::take(&mut tally).keep(to)?;
            tick(loaded.events);
        }
    }
    tally.keep(to)?;
    Ok(())
}

fn event(line: &[u8]) -> Result<(Read, Time, &str)> {
    if line.len() > LONGEST_LINE {
        bail!("it is longer than {LONGEST_LINE} bytes");
    }
    let text = std::str::from_utf8(line).context("it is not UTF-8")?;
    let read = Read::of(line)?;
    let time = Time::read(&read.timestamp).context("it has no @timestamp")?;
    if read.event.id.is_empty() || read.event.action.is_empty() {
        bail!("it has no event.id and event.action");
    }
    Ok((read, time, text))
}

/// Whose a document is, as the journal says it of an event.
fn owner(read: &Read) -> String {
    let kind = read.hostnet.owner.kind.as_str();
    read.container.id.clone().unwrap_or_else(|| kind.to_owned())
}

/// Spans of the tallies from one moment to another, both included.
pub(super) const fn span_of(time: Time) -> i64 {
    time.0.div_euclid(tally::SPAN_NS.cast_signed())
}
