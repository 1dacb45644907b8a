//! What became of messages that were handed over: one rule for every destination.
//!
//! A message is settled when it was taken, or when the destination will never take it:
//! then it is a dead letter, counted once and not sent again. Messages are settled in
//! order, and the first that is not is sent again with those after it.
//!
//! A refusal may not say whether the message or the settings are at fault. A sink that has
//! no recent proof that its settings are right doubts: it settles nothing, and one other
//! message decides. When that is taken, the refused ones are at fault; when it is refused
//! as well, the settings are held to be wrong, and nothing is lost.

use std::time::Duration;

use super::{Message, Sink};
use crate::row::Row;

/// What became of messages that were handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// How many are settled, counted from the first.
    pub settled: usize,
    /// How many of these are dead letters.
    pub dead: usize,
    /// Why the first dead letter was refused, as a lowercase fragment without secrets.
    pub dead_reason: String,
    /// Why the next message is not settled; nothing when all are.
    pub failure: Option<Failure>,
}

/// Why a message is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, as a lowercase fragment without secrets.
    pub reason: String,
    /// What is to be done about it.
    pub then: Then,
}

/// What is to be done about a message that is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Send it again: after this long if the destination said so, else when the
    /// back-off says.
    Again(Option<Duration>),
    /// Send another one: whether that is taken says what was wrong.
    Doubt,
    /// The reader is gone for good, as of a pipe: the run ends.
    End,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Taken,
    /// It will never be taken, for this reason.
    Dead(String),
    /// It is to be sent again.
    Unsettled(Failure),
}

impl Failure {
    /// The message is sent again when the back-off says.
    pub fn again(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), then: Then::Again(None) }
    }
}

impl Outcome {
    /// So many messages were taken, and there are no others.
    pub fn taken(count: usize) -> Self {
        Self { settled: count, ..Self::default() }
    }

    /// So many messages are settled, of which so many are dead letters.
    pub fn with_dead(settled: usize, dead: usize, reason: impl ToString) -> Self {
        let dead = dead.min(settled);
        Self { settled, dead, dead_reason: reason.to_string(), failure: None }
    }

    /// Nothing is settled.
    pub fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    /// Nothing is settled, and all is sent again when the back-off says.
    pub fn again(reason: impl ToString) -> Self {
        Self::failed(Failure::again(reason))
    }

    /// What became of each message, in order. What was taken after one that is not
    /// settled is sent again.
    pub fn of(fates: impl IntoIterator<Item = Fate>) -> Self {
        let mut all = Self::default();
        for fate in fates {
            all = all.and(match fate {
                Fate::Taken => Self::taken(1),
                Fate::Dead(reason) => Self::with_dead(1, 1, reason),
                Fate::Unsettled(failure) => Self::failed(failure),
            });
            if all.failure.is_some() {
                break;
            }
        }
        all
    }

    /// What became of these and of the messages after them.
    pub fn and(mut self, next: Self) -> Self {
        if self.dead == 0 {
            self.dead_reason = next.dead_reason;
        }
        self.settled += next.settled;
        self.dead += next.dead;
        self.failure = next.failure;
        self
    }

    /// Whether the sink wants to know if another message is taken.
    fn is_doubted(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.then == Then::Doubt)
    }

    /// Holds the settings to be at fault, and not the message.
    fn blame_settings(mut self) -> Self {
        if let Some(failure) = &mut self.failure {
            let reason = &failure.reason;
            failure.reason =
                format!("{reason} (nothing else was taken: check the settings of both sides)");
            failure.then = Then::Again(None);
        }
        self
    }
}

/// How many dead letters may follow one another with nothing taken between them before
/// the settings are doubted.
const DEAD_IN_A_ROW: usize = 64;

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

    /// What becomes of messages with these fates. Without proof nothing is settled, and
    /// another message decides.
    pub fn settle(&mut self, fates: Vec<Fate>) -> Outcome {
        let mut dead = fates.iter().filter_map(|fate| match fate {
            Fate::Dead(reason) => Some(reason),
            Fate::Taken | Fate::Unsettled(_) => None,
        });
        if fates.contains(&Fate::Taken) {
            self.renew();
        } else if let Some(first) = dead.next()
            && !self.allows(1 + dead.count())
        {
            return Outcome::failed(Failure { reason: first.clone(), then: Then::Doubt });
        }
        Outcome::of(fates)
    }

    /// Whether so many events that one answer refuses may be given up. A proof that nothing
    /// was given up on allows any number; and is used up by it.
    pub fn allows(&mut self, dead: usize) -> bool {
        let is_allowed = self.left >= dead.min(DEAD_IN_A_ROW) && self.holds();
        self.left = self.left.saturating_sub(dead);
        is_allowed
    }
}

/// Hands over messages. When the sink doubts, `other` is asked for a message to decide by,
/// another than the one that was refused, in the sink's format.
pub fn hand_over(
    sink: &mut dyn Sink,
    messages: &[Message<'_>],
    other: impl FnOnce(&Row) -> Option<(Row, Vec<u8>)>,
) -> Outcome {
    let first = sink.deliver(messages);
    let refused = messages.get(first.settled).filter(|_| first.is_doubted());
    let Some(refused) = refused else { return first };
    let Some((row, body)) = other(refused.row) else { return first.blame_settings() };
    let proof = sink.deliver(&[Message { row: &row, body: &body }]);
    match proof.failure {
        None if proof.dead == 0 => {}
        Some(Failure { then: Then::Doubt, .. }) | None => return first.blame_settings(),
        failure @ Some(_) => return Outcome { failure, ..first },
    }
    let rest = sink.deliver(&messages[first.settled..]);
    let mut all = first.and(rest);
    if all.is_doubted() {
        if all.settled == 0 {
            return all.blame_settings();
        }
        // It is asked again with what is left.
        all.failure = None;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that is asked in turn, and what it is handed.
    struct Scripted {
        outcomes: Vec<Outcome>,
        handed: Vec<Vec<u64>>,
    }

    impl Sink for Scripted {
        fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
            self.handed.push(messages.iter().map(|message| message.row.id).collect());
            self.outcomes.remove(0)
        }
    }

    fn row(id: u64) -> Row {
        Row { id, sequence: id, ..Row::default() }
    }

    /// Hands over rows 1 to 4; row 9 is the other one.
    fn hand(outcomes: Vec<Outcome>) -> (Outcome, Vec<Vec<u64>>) {
        let rows: Vec<Row> = (1..=4).map(row).collect();
        let messages: Vec<_> = rows.iter().map(|row| Message { row, body: b"" }).collect();
        let mut sink = Scripted { outcomes, handed: Vec::new() };
        let outcome = hand_over(&mut sink, &messages, |_| Some((row(9), Vec::new())));
        (outcome, sink.handed)
    }

    fn doubt() -> Outcome {
        Outcome::failed(Failure { reason: "bad".into(), then: Then::Doubt })
    }

    #[test]
    fn fates_are_counted_up_to_the_first_that_is_not_settled() {
        let dead = |text: &str| Fate::Dead(text.into());
        let later = Fate::Unsettled(Failure::again("full"));
        let fates = [Fate::Taken, dead("a"), dead("b"), later, Fate::Taken, dead("c")];
        let outcome = Outcome::of(fates);
        let expected = Outcome {
            settled: 3,
            dead: 2,
            dead_reason: "a".into(),
            failure: Some(Failure::again("full")),
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn a_refusal_is_the_messages_fault_when_another_message_is_taken() {
        let dead = Outcome::with_dead(4, 3, "bad");
        let (outcome, handed) = hand(vec![doubt(), Outcome::taken(1), dead.clone()]);
        assert_eq!(outcome, dead);
        assert_eq!(handed, [vec![1, 2, 3, 4], vec![9], vec![1, 2, 3, 4]]);
    }

    #[test]
    fn a_refusal_of_every_message_is_the_settings_fault() {
        for proof in [doubt(), Outcome::with_dead(1, 1, "bad")] {
            let (outcome, handed) = hand(vec![doubt(), proof]);
            assert_eq!((outcome.settled, outcome.dead, handed.len()), (0, 0, 2));
            let failure = outcome.failure.expect("one");
            assert_eq!(failure.then, Then::Again(None));
            assert!(failure.reason.contains("check the settings"), "{}", failure.reason);
        }
    }

    #[test]
    fn a_receiver_that_goes_away_while_it_is_doubted_costs_nothing() {
        let (outcome, _) = hand(vec![doubt(), Outcome::again("no answer in time")]);
        assert_eq!(outcome, Outcome::again("no answer in time"));
    }

    #[test]
    fn what_was_settled_before_a_doubt_stays_settled() {
        let some = Outcome::taken(1).and(doubt());
        let more = Outcome::with_dead(1, 1, "bad").and(doubt());
        let (outcome, handed) = hand(vec![some, Outcome::taken(1), more]);
        assert_eq!(
            outcome,
            Outcome { settled: 2, dead: 1, dead_reason: "bad".into(), failure: None }
        );
        assert_eq!(handed[2], [2, 3, 4]);
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
