//! Whether a history is what was written: every row follows from the one before,
//! every checkpoint in it and elsewhere agrees, and nothing is cut off at an end.
//!
//! What this cannot find: a history written anew from a row on by who has the key,
//! unless a checkpoint after that row was kept elsewhere.

mod row;

use std::{collections::BTreeSet, path::Path};

use row::{Previous, StoredRow};
use serde::Deserialize as _;
use serde_json::Value;
use uuid::Uuid;

use super::{
    chain::{Hash, Link, from_hex},
    checkpoint,
    error::StoreError,
    reader::Reader,
    store::to_hash,
};
use crate::event::{Action, Checkpoint, Purge};

/// What a good history has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Good {
    /// Rows that are there.
    pub rows: u64,
    /// The first and the last of them; zeros when there is none.
    pub range: (u64, u64),
    /// Runs they are of.
    pub runs: usize,
    /// Checkpoints in it, and elsewhere that are of rows still in it.
    pub checkpoints: u64,
    /// The key of those checkpoints; `None` when there is none.
    pub key: Option<String>,
    /// The last row that a signed checkpoint covers; 0 when none does.
    pub signed_to: u64,
    /// Rows after that one: what they say is chained, and signed by nobody.
    pub unsigned: u64,
    /// Rows that were never kept, first and last: the chain goes on over them.
    pub never_kept: Vec<(u64, u64)>,
}

/// The first record that is not as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its row.
    pub row: u64,
    /// Its run, as it says now; of a row that is not there, the run of the one before.
    pub run: String,
    /// Its `event.sequence`, likewise.
    pub sequence: u64,
    /// What is wrong, as a lowercase fragment.
    pub why: String,
}

/// Reads a whole history.
///
/// # Errors
/// When it cannot be opened; what is wrong inside is the inner result.
pub fn verify(
    path: &Path,
    key: Option<&str>,
    elsewhere: &[Checkpoint],
) -> Result<Result<Good, Bad>, StoreError> {
    let reader = Reader::open(path)?;
    let bounds = match Bounds::read(&reader) {
        Ok(bounds) => bounds,
        Err(error) => return Ok(Err(Bad::at(0, "", 0, error.to_string()))),
    };
    let mut check = Check::new(bounds, key.map(str::to_owned));
    let outcome = check
        .rows(&reader)
        .and_then(|()| check.end(elsewhere))
        .and_then(|()| check.signatures(&reader, key.is_some()));
    Ok(outcome.map(|()| check.good))
}

/// The time that the last rows may span without a checkpoint, when a key was given. The
/// agent signs every few seconds, and last of all when it ends.
const MAX_UNSIGNED_NS: u64 = 300_000_000_000;

/// The most rows without a checkpoint then, whatever their times say.
const MAX_UNSIGNED: u64 = 500_000;

/// What the history says of its chain.
struct Bounds {
    history: Uuid,
    start: (u64, Hash),
    head: (u64, Hash),
    total: u64,
}

impl Bounds {
    fn read(reader: &Reader) -> Result<Self, StoreError> {
        let query = "SELECT history, start_id, start_hash, head_id, head_hash, total FROM chain";
        reader
            .connection()
            .query_row(query, [], |row| {
                let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
                Ok((
                    row.get::<_, String>(0)?,
                    (number(1)?, row.get::<_, Vec<u8>>(2)?),
                    (number(3)?, row.get::<_, Vec<u8>>(4)?),
                    number(5)?,
                ))
            })
            .map_err(StoreError::from)
            .and_then(|(history, start, head, total)| {
                let history = Uuid::parse_str(&history).map_err(|_not_one| {
                    StoreError::Damaged("it does not say which history it is".to_owned())
                })?;
                Ok(Self {
                    history,
                    start: (start.0, to_hash(&start.1)?),
                    head: (head.0, to_hash(&head.1)?),
                    total,
                })
            })
    }
}

struct Check {
    bounds: Bounds,
    key: Option<String>,
    good: Good,
    runs: BTreeSet<Vec<u8>>,
    previous: Previous,
    /// The chain's values, to hold checkpoints against.
    hashes: Vec<(u64, Hash)>,
    purges: Vec<Purge>,
}

impl Check {
    fn new(bounds: Bounds, key: Option<String>) -> Self {
        let (id, hash) = bounds.start;
        let is_whole = hash == Hash::genesis(bounds.history);
        Self {
            bounds,
            key,
            good: Good::default(),
            runs: BTreeSet::new(),
            previous: Previous::start(id, hash, is_whole.then_some(0)),
            hashes: vec![(id, hash)],
            purges: Vec::new(),
        }
    }

    fn rows(&mut self, reader: &Reader) -> Result<(), Bad> {
        let mut statement = reader
            .connection()
            .prepare(
                "SELECT id, run, sequence, time_ns, event_id, dataset, action, owner, document, \
                 total, hash FROM event ORDER BY id",
            )
            .map_err(|error| self.next(error.to_string()))?;
        let mut rows = statement.query([]).map_err(|error| self.next(error.to_string()))?;
        loop {
            match rows.next() {
                Ok(Some(row)) => self.row(&StoredRow::read(row))?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.next(format!("it cannot be read: {error}"))),
            }
        }
    }

    fn row(&mut self, row: &StoredRow<'_>) -> Result<(), Bad> {
        let hash = self.previous.followed_by(row)?;
        self.good.never_kept.extend(self.previous.missing(&row.link));
        self.hashes.push((row.link.id, hash));
        self.hold(row)?;
        self.count(&row.link);
        self.previous.step(row, hash);
        Ok(())
    }

    /// What a row says of others.
    fn hold(&mut self, row: &StoredRow<'_>) -> Result<(), Bad> {
        let is = |action: &str| row.link.action == action.as_bytes();
        if is(checkpoint::ACTION) {
            let Ok(Some(checkpoint)) = Checkpoint::of_document(row.link.document) else {
                return Err(row.bad("it claims to be a checkpoint and is not a valid one"));
            };
            self.checkpoint(&checkpoint)?;
        } else if is(Action::HistoryPurged.name()) {
            self.purges.extend(purge(row.link.document));
        }
        Ok(())
    }

    fn count(&mut self, link: &Link<'_>) {
        if self.good.rows == 0 {
            self.good.range.0 = link.id;
        }
        self.good.rows += 1;
        self.good.range.1 = link.id;
        if !self.runs.contains(link.run) {
            self.runs.insert(link.run.to_vec());
        }
    }

    /// Holds a checkpoint against the rows; those of rows that are gone say nothing.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Bad> {
        let bad = |why: String| Err(Bad::at(checkpoint.row, "", 0, why));
        if checkpoint.history != self.bounds.history {
            return bad(format!(
                "its checkpoint belongs to another history, {}",
                checkpoint.history
            ));
        }
        if !checkpoint.is_signed() {
            return bad(
                "its checkpoint has a signature that was not made with the key it names".to_owned()
            );
        }
        match &self.key {
            Some(key) if *key != checkpoint.key => {
                return bad(format!(
                    "its checkpoint is signed with another key, {}",
                    checkpoint.key
                ));
            }
            Some(_) => {}
            None => self.key = Some(checkpoint.key.clone()),
        }
        let at = self.hashes.binary_search_by_key(&checkpoint.row, |(id, _)| *id);
        match at.ok().and_then(|index| self.hashes.get(index)) {
            Some((_, hash)) if hash.to_string() != checkpoint.hash => {
                return bad(
                    "its checkpoint has another hash: the rows up to it were rewritten".to_owned()
                );
            }
            Some(_) => {
                self.good.checkpoints += 1;
                self.good.signed_to = self.good.signed_to.max(checkpoint.row);
            }
            None if checkpoint.row > self.bounds.start.0 => {
                return bad("a checkpoint names it, and it is missing".to_owned());
            }
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, elsewhere: &[Checkpoint]) -> Result<(), Bad> {
        if (self.previous.id, self.previous.hash) != self.bounds.head {
            let (head, _) = self.bounds.head;
            return Err(self.next(format!("the chain ends with row {head}, which is missing")));
        }
        let is_counted = self.previous.total.is_none_or(|total| total == self.bounds.total);
        if !is_counted && self.good.rows > 0 {
            return Err(self.next("the count of bytes at the end is wrong".to_owned()));
        }
        self.begin()?;
        let own: Vec<_> =
            elsewhere.iter().filter(|one| one.history == self.bounds.history).collect();
        if own.is_empty() && !elsewhere.is_empty() {
            let why = "no checkpoint in the other file is of this history: it is another history, or a new one";
            return Err(Bad::at(self.good.range.0, "", 0, why.to_owned()));
        }
        for checkpoint in own {
            if checkpoint.row > self.previous.id {
                return Err(self.next(format!(
                    "a checkpoint in the other file names row {}, but the last row here is {}",
                    checkpoint.row, self.previous.id
                )));
            }
            self.checkpoint(checkpoint)?;
        }
        self.good.runs = self.runs.len();
        if self.good.checkpoints > 0 {
            self.good.key.clone_from(&self.key);
        }
        Ok(())
    }

    /// Counts the rows that no checkpoint covers. Whoever has the file can write those
    /// anew, so that with a key given they must be few and recent.
    fn signatures(&mut self, reader: &Reader, has_key: bool) -> Result<(), Bad> {
        let query = "SELECT count(*), coalesce(max(time_ns) - min(time_ns), 0) FROM event \
                     WHERE id > ?1";
        let (unsigned, span_ns) = reader
            .connection()
            .query_row(query, [self.good.signed_to.cast_signed()], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
            })
            .map_err(|error| self.next(error.to_string()))?;
        self.good.unsigned = unsigned;
        let row = self.good.signed_to + 1;
        if has_key && self.good.signed_to == 0 && self.good.rows > 0 {
            let why = "no checkpoint in it is signed with the given key".to_owned();
            return Err(Bad::at(self.good.range.0, "", 0, why));
        }
        if has_key && (span_ns > MAX_UNSIGNED_NS || unsigned > MAX_UNSIGNED) {
            let why = format!(
                "no checkpoint covers it and the rows after it, {unsigned} in all: the agent \
                 signs every few seconds"
            );
            return Err(Bad::at(row, "", 0, why));
        }
        Ok(())
    }

    /// The rows before the first were purged, and a row says so.
    fn begin(&self) -> Result<(), Bad> {
        let (start, hash) = self.bounds.start;
        if hash == Hash::genesis(self.bounds.history) {
            return Ok(());
        }
        let agrees = |purge: &Purge| {
            let at = self.hashes.binary_search_by_key(&purge.last, |(id, _)| *id);
            let there = at.ok().and_then(|index| self.hashes.get(index));
            there.is_some_and(|(_, hash)| from_hex(&purge.hash) == Some(*hash.bytes()))
        };
        if self.purges.iter().any(|purge| purge.last >= start && agrees(purge)) {
            return Ok(());
        }
        let why = format!("rows up to {start} are missing, and no row says that they were purged");
        Err(Bad::at(start, "", 0, why))
    }

    /// Something is wrong with the row after the last good one.
    fn next(&self, why: String) -> Bad {
        self.previous.next(why)
    }
}

impl Bad {
    fn at(row: u64, run: &str, sequence: u64, why: String) -> Self {
        Self { row, run: run.to_owned(), sequence, why }
    }
}

fn purge(document: &[u8]) -> Option<Purge> {
    let value: Value = serde_json::from_slice(document).ok()?;
    let mut told = value.pointer("/hostnet/health")?.clone();
    // The document has it as a time that people read; it proves nothing here.
    told["until_ns"] = 0.into();
    Purge::deserialize(told).ok()
}
