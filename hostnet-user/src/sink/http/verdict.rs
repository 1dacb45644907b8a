//! What an answer means for the events of its request, by receiver.
//!
//! | receiver | answer | of the request's events | what is done |
//! |---|---|---|---|
//! | any | 2xx | all were taken | |
//! | any | 400, 413, 422 | none was taken: one of them, or how much they are, is refused | halved until it is alone |
//! | any | anything else, or none | none was taken, and it is not about them | sent again |
//! | `elasticsearch` | 2xx | each has a status: 2xx and 409 taken, 400, 413 and 422 refused, others not taken | the refused are dead letters, those not taken are sent again |
//! | `splunk-hec` | 400, a code of an event and its number | that one is refused; those before it may have been taken, none after it was | those before are sent again, the refused is a dead letter |
//! | `splunk-hec` | 400, another code | none was taken, because of the settings | sent again |
//! | `loki` | 400 that speaks of entries | those it counts are refused, the rest was taken | dead letters; nothing is sent again |
//! | `loki` | 260 | none was taken: ingestion is blocked | sent again |
//! | `otlp` | 2xx with `rejected_log_records` | so many are refused, the rest was taken | dead letters; nothing is sent again |
//! | `ndjson` | a code of ClickHouse about a row | none was taken: one of them is refused | halved until it is alone |
//! | `ndjson` | another code of ClickHouse | none was taken, and it is not about them | sent again |
//!
//! An answer that speaks of entries as Loki's does is proof enough. Any other refusal can
//! be the fault of the settings: it costs an event only as far as [`Proof`] allows.

use std::time::Duration;

use super::client::Reply;
use crate::sink::{Failure, Fate, Then};

/// How many dead letters may follow one another with nothing taken between them before
/// the settings are doubted.
const DEAD_IN_A_ROW: usize = 64;

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
    let again: Option<Duration> = None;
    Verdict::NothingTaken(Failure { reason, then: Then::Again(again) })
}

/// Proof that the settings are right: something was taken. It holds for a bounded number of
/// dead letters, so that a receiver that begins to refuse everything costs no more.
#[derive(Debug, Default)]
pub struct Proof {
    left: usize,
}

impl Proof {
    /// Something was taken.
    pub fn renew(&mut self) {
        self.left = DEAD_IN_A_ROW;
    }

    /// Whether there is proof.
    pub fn holds(&self) -> bool {
        self.left > 0
    }

    /// Whether so many events that one answer refuses may be given up. A proof that nothing
    /// was given up on allows any number; and is used up by it.
    pub fn allows(&mut self, dead: usize) -> bool {
        let is_allowed = self.left >= dead.min(DEAD_IN_A_ROW) && self.holds();
        self.left = self.left.saturating_sub(dead);
        is_allowed
    }
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

    #[test]
    fn a_receiver_that_begins_to_refuse_everything_costs_a_bounded_number() {
        let mut proof = Proof::default();
        assert!(!proof.holds() && !proof.allows(1));
        proof.renew();
        let given_up = (0..1000).filter(|_| proof.allows(1)).count();
        assert_eq!(given_up, DEAD_IN_A_ROW);
        // One answer may refuse more than that, right after something was taken.
        proof.renew();
        assert!(proof.allows(2000) && !proof.holds());
        proof.renew();
        assert!(proof.allows(1) && !proof.allows(2000) && !proof.holds());
    }
}
