//! The output that keeps: every record becomes a row, and batches of rows go to
//! the writer, which makes the pipeline wait when it is behind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use anyhow::{Result, bail};

use super::{
    before::Past,
    numbers::Board,
    tail::{Left, Tail},
    writer::Command,
};
use crate::{
    event::{Event, Health, OwnerKind, PastFinding, Reached, Recorded},
    format::ecs::{Encoder, Identity},
    output::{HistoryNumbers, Output, SinkNumbers},
    row::{
        Row,
        touch::{Touch, boot_key},
    },
};

/// Rows that go to the writer together at most.
const BATCH: usize = 512;

/// How long the sinks may take for the last events, and the writer to end.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(5);
const WRITER_PATIENCE: Duration = Duration::from_secs(3);

/// Feeds the record.
pub struct Journal {
    encoder: Encoder,
    line: Vec<u8>,
    rows: Vec<Row>,
    writer: Option<SyncSender<Command>>,
    ended: Receiver<Vec<Left>>,
    news: Receiver<Health>,
    tail: Arc<Tail>,
    numbers: Board,
    past: Past,
    /// By which connections are counted, where there is a history that counts.
    boot: Option<i64>,
}

impl Journal {
    /// A journal for a writer that says on `ended` what was left when it ended, of a
    /// history that knew what is `past` when the run began, if there is one.
    pub(super) fn new(
        identity: &Identity,
        writer: SyncSender<Command>,
        ended: Receiver<Vec<Left>>,
        news: Receiver<Health>,
        (tail, numbers): (Arc<Tail>, Board),
        past: Option<Past>,
    ) -> Self {
        let boot = past.is_some().then(|| boot_key(&identity.boot_id));
        let (encoder, past) = (Encoder::new(identity), past.unwrap_or_default());
        let (line, rows) = (Vec::new(), Vec::with_capacity(BATCH));
        let writer = Some(writer);
        Self { encoder, line, rows, writer, ended, news, tail, numbers, past, boot }
    }

    fn hand_over(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(BATCH));
        let sent = self.writer.as_ref().is_some_and(|to| to.send(Command::Rows(rows)).is_ok());
        if !sent {
            bail!("the record's writer has ended; its last message is above");
        }
        Ok(())
    }
}

impl Output for Journal {
    fn write(&mut self, record: &Recorded) -> Result<()> {
        self.line.clear();
        self.encoder.encode(record, &mut self.line)?;
        let document = self.line.strip_suffix(b"\n").unwrap_or(&self.line).to_vec();
        let (event, boot) = (&record.event, self.boot);
        let told = event.operation.told();
        self.rows.push(Row {
            // The writer gives it its place.
            id: 0,
            sequence: record.sequence,
            time_ns: event.wall_ns,
            event_id: event.id.to_string(),
            dataset: told.action().category().dataset(),
            action: told.action().name().to_owned(),
            owner: owner(event),
            document,
            touch: boot.map(|boot| Touch::of_event(event, boot)).unwrap_or_default(),
            learned: boot.and_then(|_| event.learned.clone()),
        });
        if self.rows.len() >= BATCH { self.hand_over() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.hand_over()?;
        if self.tail.take_nobody_reads() {
            return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        }
        Ok(())
    }

    fn written(&self) -> Option<u64> {
        Some(self.tail.sequence())
    }

    fn known_until(&mut self, until_ns: u64) {
        // After all rows. A writer that has ended is an error of the next flush.
        if self.hand_over().is_ok()
            && let Some(writer) = &self.writer
        {
            drop(writer.send(Command::KnownUntil(until_ns)));
        }
    }

    fn sinks(&self) -> BTreeMap<String, SinkNumbers> {
        self.tail.numbers()
    }

    fn history(&self) -> Option<HistoryNumbers> {
        self.numbers.read()
    }

    fn reopen(&mut self) -> Result<()> {
        self.hand_over()?;
        self.tail.reopen();
        Ok(())
    }

    fn take_reached(&mut self) -> Vec<Reached> {
        std::mem::take(&mut self.past.reached)
    }

    fn take_findings(&mut self) -> Vec<PastFinding> {
        std::mem::take(&mut self.past.findings)
    }

    fn take_news(&mut self) -> Vec<Health> {
        self.news.try_iter().collect()
    }

    fn close(&mut self) -> Result<()> {
        let handed_over = self.hand_over();
        let Some(writer) = self.writer.take() else { return handed_over };
        drop(writer.send(Command::Stop { patience: DELIVERY_PATIENCE }));
        handed_over?;
        match self.ended.recv_timeout(DELIVERY_PATIENCE + WRITER_PATIENCE) {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(left) => bail!("not all events were delivered: {}", all(&left)),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the record's writer did not end; the next start says what is missing")
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the record's writer ended badly; its message is above")
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!("{error:#}");
        }
    }
}

fn all(left: &[Left]) -> String {
    let each = left.iter().map(|left| {
        let why = if left.complaint.is_empty() { "it was too slow" } else { &left.complaint };
        format!("sink {} has not taken {} ({why})", left.sink, left.rows)
    });
    each.collect::<Vec<_>>().join(", ") + "; where history is on, they wait for the next start"
}

/// Whose an event is, as far as its order among others goes.
fn owner(event: &Event) -> String {
    let Some(owner) = &event.owner else { return String::new() };
    match (&owner.container_id, owner.kind) {
        (Some(id), _) => id.clone(),
        (None, OwnerKind::Host) => "host".to_owned(),
        (None, OwnerKind::Container | OwnerKind::ContainerUnknown | OwnerKind::Unknown) => {
            owner.label().to_owned()
        }
    }
}
