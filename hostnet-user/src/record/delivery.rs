//! The outbox of one sink: what it has not taken yet, in order, until it has.
//!
//! Rows come from memory while the sink keeps up, and from the history when it
//! does not. A sink that fails is tried again, longer and longer apart; what it will never
//! take, and what is too much for its cap, from the oldest on, is dropped, counted, and
//! reported.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    backoff::Backoff,
    news::News,
    reader::Reader,
    store::Standing,
    tail::{Next, Tail},
};
use crate::{
    event::{Action, RecordHealth},
    format::Renderer,
    row::Row,
    sink::{Failure, Message, Outbox, Outcome, Sink, Then, hand_over},
};

/// Rows read from the history at a time: few at first, because a slow destination has
/// to take them in the time it is given, and more while it is quick, because each page
/// costs one that is far away an answer.
const PAGE_ROWS: usize = 512;
const LARGEST_PAGE_ROWS: usize = 2048;

/// Bytes read for so many rows at most.
const ROW_BYTES: usize = 2048;

/// What takes less is quick, and what takes four times as long is slow.
const QUICK: Duration = Duration::from_millis(250);

/// How often what was dropped is told, and the longest wait for something to do.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// The thread of a sink.
pub struct Delivery {
    /// Its place among the sinks.
    pub index: usize,
    /// What it is sent.
    pub outbox: Outbox,
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// Where the newest rows are.
    pub tail: Arc<Tail>,
    /// Where older rows are, when there is a history.
    pub history: Option<PathBuf>,
    /// Where to say how it goes.
    pub news: News,
    /// How it stands.
    pub standing: Standing,
}

impl Delivery {
    /// Delivers until the run ends.
    pub fn run(self) {
        let (tail, index) = (Arc::clone(&self.tail), self.index);
        Loop {
            renderer: Renderer::new(self.outbox.format),
            backoff: Backoff::new(u64::from(std::process::id()) << 8 | index as u64),
            failing_since: None,
            reader: None,
            page_rows: PAGE_ROWS,
            dropped: 0,
            dead: 0,
            reason: String::new(),
            told: Instant::now(),
            is_over: false,
            own: self,
        }
        .run();
        tail.ended(index);
    }
}

struct Loop {
    own: Delivery,
    renderer: Renderer,
    backoff: Backoff,
    failing_since: Option<Instant>,
    reader: Option<Reader>,
    page_rows: usize,
    /// Not reported yet: rows dropped, and messages refused for good.
    dropped: u64,
    dead: u64,
    reason: String,
    told: Instant,
    is_over: bool,
}

impl Loop {
    fn run(&mut self) {
        while !self.is_over {
            match self.own.tail.next(self.own.index, Instant::now() + TELL_EVERY) {
                Next::Deliver(batch) => {
                    let (_, total) = self.own.tail.end();
                    if total - batch.total > self.own.outbox.cap {
                        self.drop_until(batch.last(), "more waited than its cap allows");
                    } else {
                        self.deliver(&batch.rows, batch.last());
                    }
                }
                Next::ReadUntil(last) => self.catch_up(last),
                Next::Reopen => match self.own.sink.reopen() {
                    Ok(()) => tracing::info!("sink {} opened again", self.own.outbox.name),
                    Err(error) => {
                        tracing::error!("sink {}: {error:#}", self.own.outbox.name);
                    }
                },
                Next::Wait => {}
                Next::End => break,
            }
            if self.told.elapsed() >= TELL_EVERY {
                self.tell_dropped();
            }
        }
        self.tell_dropped();
    }

    /// Delivers the rows after the cursor; `last` is taken when all are.
    fn deliver(&mut self, rows: &[Row], last: u64) {
        let cursor = self.own.standing.cursor;
        let outbox = &self.own.outbox;
        let wanted: Vec<&Row> = rows
            .iter()
            .filter(|row| row.id > cursor && outbox.wants(row.dataset, &row.action))
            .collect();
        if wanted.is_empty() {
            return self.stand(|standing| standing.cursor = last);
        }
        let mut bodies = Vec::with_capacity(wanted.len());
        for row in &wanted {
            // The news of refused events may be refused as well, and is accounted for apart.
            if !bodies.is_empty() && is_news(row) != is_news(wanted[0]) {
                break;
            }
            match self.renderer.encode(&row.document) {
                Ok(body) => bodies.push(body),
                // Those before it first; then it is the first.
                Err(_) if !bodies.is_empty() => break,
                Err(error) => {
                    let dead = Outcome::with_dead(1, 1, format!("{error:#}"));
                    return self.account(&wanted[..1], row.id, dead);
                }
            }
        }
        let last = if bodies.len() < wanted.len() { wanted[bodies.len() - 1].id } else { last };
        let messages: Vec<Message<'_>> =
            wanted.iter().zip(&bodies).map(|(row, body)| Message { row, body }).collect();
        let Self { own: Delivery { sink, outbox, tail, .. }, renderer, .. } = self;
        let outcome = hand_over(sink.as_mut(), &messages, |refused| {
            let newest = |kind: &dyn Fn(&Row) -> bool| {
                tail.newest(kind).or_else(|| rows.iter().rev().find(|row| kind(row)).cloned())
            };
            let another =
                |row: &Row| row.id != refused.id && outbox.wants(row.dataset, &row.action);
            // One owner may make many that are alike.
            let anothers = |row: &Row| another(row) && row.owner != refused.owner;
            let row = newest(&anothers).or_else(|| newest(&another))?;
            let body = renderer.encode(&row.document).ok()?.into_owned();
            Some((row, body))
        });
        self.account(&wanted[..bodies.len()], last, outcome);
    }

    /// Notes what became of rows that were handed over; `last` is done with when all are.
    fn account(&mut self, handed: &[&Row], last: u64, outcome: Outcome) {
        let Outcome { settled, dead, dead_reason, failure } = outcome;
        let settled = settled.min(handed.len());
        let dead = dead.min(settled) as u64;
        if let Some(row) = settled.checked_sub(1).and_then(|index| handed.get(index)) {
            let cursor = if settled == handed.len() { last } else { row.id };
            self.stand(|standing| {
                standing.cursor = cursor;
                standing.delivered += settled as u64 - dead;
                standing.dead_letters += dead;
            });
        }
        // To report that the news of refused events was refused would never end.
        if dead > 0 && !handed.iter().all(|row| is_news(row)) {
            self.dead += dead;
            self.reason = dead_reason;
        }
        match failure {
            Some(failure) => self.failed(failure),
            None if settled as u64 > dead => self.works(),
            // The destination took nothing: it may not even have been asked.
            None => {}
        }
    }

    fn failed(&mut self, Failure { reason, then }: Failure) {
        match then {
            // Nothing was left to decide by.
            Then::Again(_) | Then::Doubt => {
                self.own.tail.complain(self.own.index, &reason);
                if self.failing_since.is_none() {
                    self.failing_since = Some(Instant::now());
                    tracing::error!("sink {}: {reason}", self.own.outbox.name);
                    let sink = self.own.outbox.name.clone();
                    let waiting = self.waiting();
                    self.own.news.tell(RecordHealth::SinkFailing { sink, reason, waiting });
                }
                // At the end it is tried once more; the rest waits for the next start.
                self.is_over = self.own.tail.is_ending();
                let wait = if let Then::Again(Some(wait)) = then {
                    wait
                } else {
                    self.backoff.next_wait()
                };
                self.own.tail.pause(self.own.index, wait);
            }
            Then::End => self.own.tail.nobody_reads(),
        }
    }

    /// A delivery went well.
    fn works(&mut self) {
        self.backoff.reset();
        if let Some(since) = self.failing_since.take() {
            self.own.tail.complain(self.own.index, "");
            let sink = self.own.outbox.name.clone();
            tracing::info!("sink {sink} takes events again");
            let (waiting, failed_ns) = (self.waiting(), since.elapsed().as_nanos() as u64);
            self.own.news.tell(RecordHealth::SinkRecovered { sink, waiting, failed_ns });
        }
    }

    /// Delivers a page of what is no longer in memory, up to row `last`.
    fn catch_up(&mut self, last: u64) {
        let Some(path) = &self.own.history else {
            return self.drop_until(last, "there is no history to keep what memory cannot");
        };
        let is_fresh = self.reader.is_none();
        let reader = self.reader.take().map_or_else(|| Reader::open(path), Ok);
        let page = reader.and_then(|reader| {
            let page = self.page(&reader, last);
            self.reader = Some(reader);
            page
        });
        match page {
            // The history may be another file by now.
            Ok(Page::Gone { .. }) | Err(_) if !is_fresh => self.reader = None,
            Ok(Page::Rows(rows)) => {
                let end = rows.last().map_or(last, |row| row.id);
                let began = Instant::now();
                self.deliver(&rows, end);
                self.page_rows = match began.elapsed() {
                    _ if self.failing_since.is_some() => PAGE_ROWS,
                    took if took < QUICK => (self.page_rows * 2).min(LARGEST_PAGE_ROWS),
                    took if took > 4 * QUICK => (self.page_rows / 2).max(PAGE_ROWS),
                    _ => self.page_rows,
                };
            }
            Ok(Page::Gone { until, reason }) => self.drop_until(until, reason),
            Err(error) => {
                tracing::error!("sink {}: cannot read the history: {error}", self.own.outbox.name);
                self.reader = None;
                self.drop_until(last, "the history cannot be read");
            }
        }
    }

    fn page(&self, reader: &Reader, last: u64) -> Result<Page, super::error::StoreError> {
        let cursor = self.own.standing.cursor;
        // As the history counts: it may have others before these, and lack some of them.
        let total = reader.total_at(self.own.tail.end().0)?;
        let cap = self.own.outbox.cap;
        if total.saturating_sub(reader.total_at(cursor)?) > cap {
            let until = reader.row_at_total(cursor, last, total - cap)?;
            if until > cursor {
                return Ok(Page::Gone { until, reason: "more waited than its cap allows" });
            }
        }
        let mut rows = reader.page(cursor, self.page_rows, self.page_rows * ROW_BYTES)?;
        rows.retain(|row| row.id <= last);
        Ok(match rows.first() {
            None => Page::Gone { until: last, reason: "the history does not have them" },
            Some(first) if first.id > cursor + 1 => {
                Page::Gone { until: first.id - 1, reason: "the history no longer has them" }
            }
            Some(_) => Page::Rows(rows),
        })
    }

    /// Gives up the rows after the cursor, up to and with `until`.
    fn drop_until(&mut self, until: u64, reason: &str) {
        let from = self.own.standing.cursor;
        let outbox = &self.own.outbox;
        // Where they are still to be seen, only what it would have been sent is
        // counted; where they are not, it may be less.
        let kept = self.reader.as_ref().and_then(|reader| {
            reader.count(from, until, |dataset, action| outbox.wants(dataset, action)).ok()
        });
        let count = kept.filter(|count| *count > 0).unwrap_or_else(|| until.saturating_sub(from));
        self.dropped += count;
        reason.clone_into(&mut self.reason);
        self.stand(|standing| {
            standing.cursor = until;
            standing.dropped += count;
        });
    }

    fn tell_dropped(&mut self) {
        self.told = Instant::now();
        let (dropped, refused) = (self.dropped, self.dead);
        if dropped + refused == 0 {
            return;
        }
        let (sink, reason) = (self.own.outbox.name.clone(), self.reason.clone());
        let text = format!(
            "sink {sink}: {dropped} events dropped before delivery, {refused} refused: {reason}"
        );
        // Without room for it, it is sent, and said in the log, with what comes until the next
        // time; there is none after the end.
        let is_told =
            self.own.news.tell(RecordHealth::SinkDropped { sink, dropped, refused, reason });
        if is_told || self.own.tail.is_ending() {
            tracing::error!("{text}");
        }
        if is_told {
            (self.dropped, self.dead) = (0, 0);
        }
    }

    fn waiting(&self) -> u64 {
        self.own.tail.end().0.saturating_sub(self.own.standing.cursor)
    }

    fn stand(&mut self, change: impl FnOnce(&mut Standing)) {
        self.own.standing = self.own.tail.stand(self.own.index, change);
    }
}

/// Whether it is the news of events that a sink did not get.
fn is_news(row: &Row) -> bool {
    row.action == Action::SinkDropped.name()
}

enum Page {
    Rows(Vec<Row>),
    Gone { until: u64, reason: &'static str },
}
