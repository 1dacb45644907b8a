//! Puts the record of a run together: history, writer, one delivery per sink.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::SystemTime,
};

use anyhow::{Context, Result};

use super::{
    delivery::{Delivery, Outbox},
    error::StoreError,
    journal::Journal,
    keeper::{Keeper, Settings},
    news::{News, news},
    store::{LastRow, Standing, Store},
    tail::Tail,
    writer::Writer,
};
use crate::{
    event::RecordHealth,
    format::ecs::{Encoder, Identity},
    sink::Sink,
};

/// Batches that may wait for the writer before the pipeline does.
const MOST_WAITING: usize = 16;

/// Runs without an end that are looked for, from the last on.
const MOST_CRASHES: usize = 64;

/// The action of the last record of a run that ended well.
const STOPPED: &str = "agent-stopped";

/// Begins the record of a run; it ends with the journal.
///
/// # Errors
/// When the history is another agent's or a newer hostnet's, or a thread cannot
/// be started.
pub fn begin(
    history: Option<Settings>,
    sinks: Vec<(Outbox, Box<dyn Sink>)>,
    identity: &Identity,
) -> Result<Journal> {
    let (tell, told) = news();
    let path = history.as_ref().map(|settings| settings.path.clone());
    let run = identity.run.to_string();
    let keeper = history.map(|settings| Keeper::begin(settings, run, tell.clone())).transpose()?;
    let store = keeper.as_ref().and_then(Keeper::store);
    let (last, total) = match store {
        Some(store) => (store.head().id, store.head().total),
        // Above every row of a history that may come back later.
        None if keeper.is_some() => (now_ns() / 1000, 0),
        None => (0, 0),
    };
    if let Some(Err(error)) = store.map(|store| tell_of_crashes(store, &tell)) {
        tracing::error!("cannot tell how the last run ended: {error}");
    }
    let mut standings = Vec::new();
    for (outbox, _) in &sinks {
        // A cursor that is not known or that is ahead belongs to another history:
        // a new sink begins with what comes.
        let known = store.and_then(|store| store.standing(&outbox.name).ok().flatten());
        let standing = known.filter(|standing| standing.cursor <= last);
        let standing = standing.unwrap_or(Standing { cursor: last, ..Standing::default() });
        standings.push((outbox.name.clone(), standing));
    }
    let tail = Arc::new(Tail::new(last, total, path.is_some(), standings.clone()));
    for (index, ((outbox, sink), (name, standing))) in sinks.into_iter().zip(standings).enumerate()
    {
        let (tail, history, news) = (Arc::clone(&tail), path.clone(), tell.clone());
        let delivery = Delivery { index, outbox, sink, tail, history, news, standing };
        start(&format!("sink {name}"), move || delivery.run())?;
    }
    let (commands, asked) = mpsc::sync_channel(MOST_WAITING);
    let (ended, end) = mpsc::sync_channel(1);
    let writer = Writer { commands: asked, keeper, tail: Arc::clone(&tail), ended, last, total };
    start("record", move || writer.run())?;
    Ok(Journal::new(Encoder::new(identity), commands, end, told, tail))
}

/// The history knows when a run has no end: the one before this, and those before
/// it that nobody has told of, because their successor crashed before it could.
fn tell_of_crashes(store: &Store, news: &News) -> Result<(), StoreError> {
    let (mut crashed, mut next_first) = (Vec::new(), None);
    let mut id = store.head().id;
    for _ in 0..MOST_CRASHES {
        let Some(last) = store.row_at(id)? else { break };
        let is_told = match next_first {
            Some(first) => store.has_told_of(first, &last.run)?,
            None => false,
        };
        if last.action == STOPPED || is_told {
            break;
        }
        let first = last.id.saturating_sub(last.sequence - 1).max(1);
        next_first = Some(first);
        id = first - 1;
        tracing::warn!("run {} ended without a word after event {}", last.run, last.sequence);
        crashed.push(last);
    }
    // The oldest first: where one is told, those before it are, too.
    for LastRow { run, sequence, time_ns: last_ns, .. } in crashed.into_iter().rev() {
        let found_ns = now_ns();
        news.tell(RecordHealth::Crashed { run, sequence, last_ns, found_ns });
    }
    Ok(())
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    // The kernel shows the first 15 bytes.
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).with_context(|| format!("cannot start the thread {name}"))
}

fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
