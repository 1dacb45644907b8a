//! What the threads of the record tell of themselves: it comes back into the
//! stream as events, so that it is kept and delivered like all others.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::event::{Health, RecordHealth};

/// News that may wait: each thread tells on a change, or once a second.
const MOST_WAITING: usize = 256;

/// Where to tell. Never waits: the pipeline takes news when it has time, and may
/// itself be waiting for who tells.
#[derive(Clone, Debug)]
pub struct News(SyncSender<Health>);

/// Told by any thread, taken by the pipeline.
#[must_use]
pub fn news() -> (News, Receiver<Health>) {
    let (sender, receiver) = sync_channel(MOST_WAITING);
    (News(sender), receiver)
}

impl News {
    /// Tells; says whether there was room. Nobody listens any more when the run is
    /// over.
    pub fn tell(&self, news: RecordHealth) -> bool {
        self.0.try_send(Health::Record(Box::new(news))).is_ok()
    }
}
