//! Puts the record of a run together: history, writer, one delivery per sink.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use anyhow::{Context, Result};

use super::{
    before::{self, Past},
    delivery::Delivery,
    journal::Journal,
    keeper::{Keeper, Settings},
    news::news,
    now_ns,
    numbers::Board,
    store::Standing,
    tail::Tail,
    writer::Writer,
};
use crate::{
    format::ecs::Identity,
    sink::{Outbox, Sink},
};

/// Batches that may wait for the writer before the pipeline does.
const MOST_WAITING: usize = 4;

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
    let outboxes: Vec<Outbox> = sinks.iter().map(|(outbox, _)| outbox.clone()).collect();
    let keeper =
        history.map(|settings| Keeper::begin(settings, run, outboxes.clone(), tell.clone()));
    let keeper = keeper.transpose()?;
    let store = keeper.as_ref().and_then(Keeper::store);
    let (last, total) = match store {
        Some(store) => (store.head().id, store.head().total),
        // Above every row of a history that may come back later.
        None if keeper.is_some() => (now_ns() / 1000, 0),
        None => (0, 0),
    };
    if let Some(store) = store {
        before::tell_of_crashes(store, &tell);
    }
    let past = path.is_some().then(|| store.map_or_else(Past::default, before::past));
    let standing = |outbox: &Outbox| {
        let known = store.and_then(|store| before::standing(store, outbox));
        let standing = known.unwrap_or(Standing { cursor: last, ..Standing::default() });
        (outbox.name.clone(), standing)
    };
    let standings: Vec<(String, Standing)> = outboxes.iter().map(standing).collect();
    let tail = Arc::new(Tail::new(last, total, path.is_some(), standings.clone()));
    for (index, ((outbox, sink), (name, standing))) in sinks.into_iter().zip(standings).enumerate()
    {
        let (tail, history, news) = (Arc::clone(&tail), path.clone(), tell.clone());
        let delivery = Delivery { index, outbox, sink, tail, history, news, standing };
        start(&format!("sink {name}"), move || delivery.run())?;
    }
    let (commands, asked) = mpsc::sync_channel(MOST_WAITING);
    let (ended, end) = mpsc::sync_channel(1);
    let numbers = Board::default();
    let writer = Writer {
        commands: asked,
        keeper,
        numbers: numbers.clone(),
        tail: Arc::clone(&tail),
        ended,
        last,
        total,
    };
    start("record", move || writer.run())?;
    Ok(Journal::new(identity, commands, end, told, (tail, numbers), past))
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    // The kernel shows the first 15 bytes.
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).with_context(|| format!("cannot start the thread {name}"))
}
