//! The one rule for what is asked of the outside where somebody waits for the answer: it is
//! asked on a thread of its own, and waited for until its limit. What was not answered by
//! then is not known; that is never the same as "no".
//!
//! For many questions of one kind there is [`Desk`](crate::ask::desk::Desk).

use std::{
    fmt,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// The limit for what is answered at once wherever nothing is wrong: files, namespaces, and
/// operations of the agent's own. What takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// A question that was asked.
pub struct Asked<A> {
    answer: Result<Receiver<A>, Unanswered>,
    at: Instant,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// None came within this time; the thread may hang for ever.
    Late(Duration),
    /// It could not be asked, for this reason.
    NotAsked(String),
    /// Whoever was to answer ended badly.
    Failed,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(limit) => write!(f, "no answer within {limit:?}"),
            Self::NotAsked(reason) => write!(f, "cannot start a thread: {reason}"),
            Self::Failed => write!(f, "the thread that asked ended badly"),
        }
    }
}

impl std::error::Error for Unanswered {}

/// Asks on a thread with this name, of which the kernel shows 15 bytes.
pub fn begin<A: Send + 'static>(
    name: &str,
    answer: impl FnOnce() -> A + Send + 'static,
) -> Asked<A> {
    let at = Instant::now();
    let (tell, told) = mpsc::sync_channel(1);
    // Nobody may wait for it any more.
    let asking = move || drop(tell.send(answer()));
    let started = thread::Builder::new().name(name.to_owned()).spawn(asking);
    let answer = started.map(|_goes_on_alone| told);
    Asked { answer: answer.map_err(|error| Unanswered::NotAsked(error.to_string())), at }
}

/// The same, and waits for the answer.
///
/// # Errors
/// When there is none within `limit`.
pub fn ask<A: Send + 'static>(
    name: &str,
    limit: Duration,
    answer: impl FnOnce() -> A + Send + 'static,
) -> Result<A, Unanswered> {
    begin(name, answer).answer(limit)
}

impl<A> Asked<A> {
    /// Waits for the answer until `limit` after it was asked.
    ///
    /// # Errors
    /// When there is none by then.
    pub fn answer(self, limit: Duration) -> Result<A, Unanswered> {
        let left = limit.saturating_sub(self.at.elapsed());
        self.answer?.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => Unanswered::Late(limit),
            RecvTimeoutError::Disconnected => Unanswered::Failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_come_is_waited_for_no_longer_than_its_limit() {
        let (_never, gate) = mpsc::sync_channel::<()>(1);
        let limit = Duration::from_millis(20);
        let unanswered = ask("ask-test", limit, move || gate.recv().is_ok());
        assert_eq!(unanswered, Err(Unanswered::Late(limit)));
        assert_eq!(Unanswered::Late(limit).to_string(), "no answer within 20ms");
    }

    #[test]
    fn an_answer_that_came_counts_however_late_it_is_fetched() {
        let (tell, told) = mpsc::sync_channel(1);
        let asked = begin("ask-test", move || tell.send(()).is_ok());
        told.recv().expect("it was asked");
        // The answer itself follows at once.
        assert_eq!(asked.answer(Duration::from_secs(60)), Ok(true));
    }
}
