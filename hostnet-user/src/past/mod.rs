//! What was told before, as events again: from a history, or from a file of our lines.
//!
//! Whoever asks what was, or judges it anew, goes through this. Memory is bounded
//! however much there is. Nothing here knows what the events are wanted for.

mod lines;

use std::{fmt, io::BufRead};

use anyhow::{Context, Error};

pub use lines::{LONGEST_LINE, Lines};

use crate::{
    event::Recorded,
    format::ecs::{
        Identity,
        parse::{NotOurs, Parser},
    },
    record::Reader,
    row::Row,
};

/// Most rows of a history in memory at once, and most bytes of them before no more are
/// read.
const PAGE_ROWS: usize = 512;
const PAGE_BYTES: usize = 1 << 20;

/// From when to when, by `@timestamp`: nanoseconds since 1970, the end not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from_ns: u64,
    /// The moment after the last.
    pub until_ns: u64,
}

impl Span {
    /// All of time.
    pub const ALL: Self = Self { from_ns: 0, until_ns: u64::MAX };

    /// Whether a moment is in it.
    #[must_use]
    pub const fn has(&self, moment_ns: u64) -> bool {
        self.from_ns <= moment_ns && moment_ns < self.until_ns
    }
}

/// An event that was told.
#[derive(Debug)]
pub struct Told {
    /// Where it is.
    pub place: Place,
    /// The event, with its place in its run.
    pub record: Recorded,
    /// What it was read from: one line of JSON without its newline.
    pub document: Vec<u8>,
}

/// Where an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a history, by its row.
    Row(u64),
    /// In a file, by its line, from 1.
    Line(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => write!(f, "row {row}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// What could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// One event; the others go on.
    #[error("{place}: {why}")]
    One {
        /// Where it is.
        place: Place,
        /// What is wrong with it.
        why: NotOurs,
    },
    /// All that would follow.
    #[error("{0:#}")]
    Rest(Error),
}

/// The events of a span in the order in which they were told.
pub struct Past {
    source: Source,
    span: Span,
    parser: Parser,
    is_over: bool,
}

enum Source {
    History { reader: Reader, is_chosen: bool, after: u64, page: std::vec::IntoIter<Row> },
    Lines(Lines<Box<dyn BufRead>>),
}

impl Past {
    /// What a history has, at the time it is asked for it.
    #[must_use]
    pub fn of_history(reader: Reader, span: Span) -> Self {
        Self::of_rows(reader, false, span)
    }

    /// What was chosen of a history ([`Reader::choose`]).
    #[must_use]
    pub fn of_chosen(reader: Reader, span: Span) -> Self {
        Self::of_rows(reader, true, span)
    }

    fn of_rows(reader: Reader, is_chosen: bool, span: Span) -> Self {
        let page = Vec::new().into_iter();
        Self::new(Source::History { reader, is_chosen, after: 0, page }, span)
    }

    /// What a file or a pipe has: one event per line. Empty lines are none.
    #[must_use]
    pub fn of_lines(from: Box<dyn BufRead>, span: Span) -> Self {
        Self::new(Source::Lines(Lines::new(from)), span)
    }

    fn new(source: Source, span: Span) -> Self {
        Self { source, span, parser: Parser::default(), is_over: false }
    }

    /// Of which host and run the last event was; `None` before the first.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.parser.identity()
    }

    fn document(&mut self) -> Result<Option<(Place, Vec<u8>)>, Error> {
        match &mut self.source {
            Source::History { reader, is_chosen, after, page } => loop {
                if let Some(row) = page.next() {
                    return Ok(Some((Place::Row(row.id), row.document)));
                }
                let span = (self.span.from_ns, self.span.until_ns);
                let rows = match is_chosen {
                    true => reader.page_of_chosen(*after, span, PAGE_ROWS, PAGE_BYTES),
                    false => reader.page_between(*after, span, PAGE_ROWS, PAGE_BYTES),
                };
                let rows = rows.context("cannot read the history")?;
                let Some(last) = rows.last() else { return Ok(None) };
                *after = last.id;
                *page = rows.into_iter();
            },
            Source::Lines(lines) => {
                let line = lines.next_line().context("cannot read the next line")?;
                Ok(line.map(|(number, line)| (Place::Line(number), line.to_vec())))
            }
        }
    }
}

impl Iterator for Past {
    type Item = Result<Told, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let (place, document) = match self.document() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(Unread::Rest(error)));
                }
            };
            let parsed = if document.len() > LONGEST_LINE {
                Err(NotOurs::NotAnEvent(format!("longer than {LONGEST_LINE} bytes")))
            } else {
                self.parser.record(&document)
            };
            match parsed {
                Ok(record) if self.span.has(record.event.wall_ns) => {
                    return Some(Ok(Told { place, record, document }));
                }
                Ok(_) => {}
                Err(why) => return Some(Err(Unread::One { place, why })),
            }
        }
        self.is_over = true;
        None
    }
}
