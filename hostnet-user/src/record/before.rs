//! What was before this run, as the history has it: runs without an end, what images
//! had reached, and how far the sinks had come. Asked once, when the history can first be read.

use std::path::Path;

use super::{
    error::StoreError,
    learned,
    news::News,
    now_ns,
    reader::Reader,
    store::{LastRow, Standing, Store},
};
use crate::{
    event::{Action, PastFinding, Reached, RecordHealth},
    sink::Outbox,
};

/// Runs without an end that are looked for, from the last on.
const MOST_CRASHES: usize = 64;

/// The action of the last record of a run that ended well.
const STOPPED: &str = Action::AgentStopped.name();

/// What the judgements of other runs have left.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// What images reached.
    pub reached: Vec<Reached>,
    /// What was found.
    pub findings: Vec<PastFinding>,
}

/// The history knows when a run has no end: the one before this, and those before
/// it that nobody has told of, because their successor crashed before it could.
pub fn tell_of_crashes(store: &Store, news: &News) {
    match crashes(store) {
        // The oldest first: where one is told, those before it are, too.
        Ok(crashed) => {
            for LastRow { run, sequence, time_ns: last_ns, .. } in crashed.into_iter().rev() {
                tracing::warn!("run {run} crashed or was killed after event {sequence}");
                let found_ns = now_ns();
                news.tell(RecordHealth::Crashed { run, sequence, last_ns, found_ns });
            }
        }
        Err(error) => tracing::error!("cannot tell how the last run ended: {error}"),
    }
}

fn crashes(store: &Store) -> Result<Vec<LastRow>, StoreError> {
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
        crashed.push(last);
    }
    Ok(crashed)
}

/// What other runs have learned and found; without it, it is learned and found anew.
pub fn past(store: &Store) -> Past {
    let reached = learned::reached(&store.connection).inspect_err(|error| {
        tracing::error!("cannot read what images have reached before: {error}");
    });
    let findings = learned::findings(&store.connection).inspect_err(|error| {
        tracing::error!("cannot read what was found before, which is reported again: {error}");
    });
    Past { reached: reached.unwrap_or_default(), findings: findings.unwrap_or_default() }
}

/// Where a sink goes on. A cursor that is not known or that is ahead belongs to another
/// history: a new sink begins with what comes.
#[must_use]
pub fn standing(store: &Store, outbox: &Outbox) -> Option<Standing> {
    let known = store.standing(&outbox.name).inspect_err(|error| {
        tracing::error!("sink {}: cannot tell how far it had come: {error}", outbox.name);
    });
    known.ok().flatten().filter(|standing| standing.cursor <= store.head().id)
}

/// What the sinks had not taken when the history could not be read at the start: they
/// have begun with what came since, and older rows would come after newer ones.
///
/// Returns what their counts had come to, what is dropped now included.
#[must_use]
pub fn drop_what_waited(
    store: &Store,
    path: &Path,
    outboxes: &[Outbox],
    news: &News,
) -> Vec<Standing> {
    let (last, reader) = (store.head().id, Reader::open(path));
    let each = outboxes.iter().map(|outbox| {
        let Some(mut standing) = standing(store, outbox) else { return Standing::default() };
        let wants = |dataset: &str, action: &str| outbox.wants(dataset, action);
        let counted = reader.as_ref().ok().map(|reader| reader.count(standing.cursor, last, wants));
        // What cannot be looked at is all counted: it may be less.
        let dropped = counted.and_then(Result::ok).unwrap_or(last - standing.cursor);
        standing.dropped += dropped;
        if dropped > 0 {
            let (sink, refused) = (outbox.name.clone(), 0);
            let reason = "the history that has them could not be read at the start".to_owned();
            tracing::error!("sink {sink}: {dropped} events dropped: {reason}");
            news.tell(RecordHealth::SinkDropped { sink, dropped, refused, reason });
        }
        standing
    });
    each.collect()
}
