//! What an answer means for the events of its request, by receiver.
//! The table of them is in docs/sinks.md, "http".
//!
//! An answer that speaks of entries as Loki's does is proof enough. Any other refusal can
//! be the fault of the settings: it costs an event only as far as [`Proof`](crate::sink::outcome::Proof) allows.

use super::client::Reply;
use crate::sink::{Failure, Fate, Then};

/// What an answer means for the events of its request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All were taken.
    Taken,
    /// None was taken, and it is not about them.
    NothingTaken(Failure),
    /// So many will never be taken, and it is not said which; the rest was taken.
    RestTaken {
        /// How many.
        dead: usize,
        /// Why.
        reason: String,
    },
    /// What became of each, in order.
    Each(Vec<Fate>),
    /// The one at this place will never be taken. None after it was taken; those before it
    /// may have been.
    Named {
        /// Its place, from 0.
        place: usize,
        /// Why.
        reason: String,
    },
    /// None was taken: one of them or their number is refused, and it is not said which.
    Unclear(String),
}

/// What a status means where the protocol says no more.
pub fn by_status(reply: &Reply) -> Verdict {
    match reply.status.as_u16() {
        200..=299 => Verdict::Taken,
        status if is_about_events(status) => Verdict::Unclear(reply.quote()),
        // Everything else may be otherwise later, be it by the operator's hand.
        _ => nothing_taken(reply),
    }
}

/// Whether a status is about what was sent: bad request, content too large, unprocessable
/// content.
pub const fn is_about_events(status: u16) -> bool {
    matches!(status, 400 | 413 | 422)
}

/// None was taken: all is sent again when the server wants it.
pub fn nothing_taken(reply: &Reply) -> Verdict {
    Verdict::NothingTaken(Failure { reason: reply.quote(), then: Then::Again(reply.retry_after) })
}

/// None was taken as far as it is known: all is sent again.
pub fn later(reason: String) -> Verdict {
    Verdict::NothingTaken(Failure::again(reason))
}

#[cfg(test)]
pub mod tests {
    use reqwest::StatusCode;

    use super::*;

    /// An answer.
    pub fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_status_says_what_was_taken() {
        for status in [200, 204] {
            assert_eq!(by_status(&reply(status, "")), Verdict::Taken);
        }
        for status in [400, 413, 422] {
            assert!(matches!(by_status(&reply(status, "")), Verdict::Unclear(_)), "{status}");
        }
        for status in [301, 401, 403, 404, 408, 415, 429, 500, 502, 503, 504] {
            let verdict = by_status(&reply(status, ""));
            assert!(matches!(verdict, Verdict::NothingTaken(_)), "{status}");
        }
    }
}
