//! The verdict: whether the container needed the host's network, how sure that is, and
//! why it is not surer.
//!
//! That something was there is certain whatever else was missed. That nothing was there
//! is only as certain as the looking was good.

use serde::Serialize;

use super::{
    Observation,
    act::{Bridge, Group},
    observed::Observed,
    ports::{Port, Publish},
    window::{BeyondIp, Window},
};

/// Whether host networking was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Something was done that a bridge network does not give.
    Needed,
    /// Too little was seen to say.
    NotEnoughObserved,
    /// A bridge network gives all that was done.
    NotNeeded,
}

impl Answer {
    /// In words, after the container's name.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::NotEnoughObserved => "not enough observed",
            Self::NotNeeded => "not needed",
        }
    }
}

/// How sure an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It may well be otherwise.
    Low,
    /// Something may have been missed.
    Medium,
    /// Little can have been missed.
    High,
}

impl Confidence {
    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it was needed.
    pub answer: Answer,
    /// How sure that is; of `not enough observed`, nothing is.
    pub confidence: Option<Confidence>,
    /// Why it was needed, or why it cannot be said.
    pub because: Vec<String>,
    /// Why it is not surer.
    pub doubts: Vec<String>,
}

const HOUR_NS: u64 = 3_600_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;
/// With fewer exchanges than this, what it does rarely was hardly among them.
const FEW: u64 = 10;

/// Most gaps that are named among the doubts.
const MOST_GAPS_NAMED: usize = 5;

/// Reasons collected while the confidence goes down.
struct Doubts {
    confidence: Confidence,
    says: Vec<String>,
}

impl Doubts {
    fn at_most(&mut self, confidence: Confidence, says: impl Into<String>) {
        self.confidence = self.confidence.min(confidence);
        self.says.push(says.into());
    }
}

/// What follows from what was seen.
#[must_use]
pub fn verdict(
    observed: &Observed,
    ports: &[Port],
    window: &Window,
    looked: &Observation,
) -> Verdict {
    let needed = needed(observed, ports);
    if !needed.is_empty() {
        let (confidence, because) = (Some(Confidence::High), needed);
        return Verdict { answer: Answer::Needed, confidence, because, doubts: Vec::new() };
    }
    let doubts = doubts(observed, window, looked);
    let missing = missing(observed, ports, window);
    if !missing.is_empty() {
        let (answer, because) = (Answer::NotEnoughObserved, missing);
        return Verdict { answer, confidence: None, because, doubts: doubts.says };
    }
    Verdict {
        answer: Answer::NotNeeded,
        confidence: Some(doubts.confidence),
        because: Vec::new(),
        doubts: doubts.says,
    }
}

/// What a bridge network does not give.
fn needed(observed: &Observed, ports: &[Port]) -> Vec<String> {
    let things = observed.things.iter().filter_map(|((group, subject), thing)| {
        let Bridge::Not(says) = &thing.bridge else { return None };
        Some(format!("{}: {says}", phrase(*group, subject)))
    });
    let ports = ports.iter().filter_map(|port| {
        let Publish::Impossible(says) = &port.publish else { return None };
        Some(format!("it listens on {}: {says}", port.place()))
    });
    things.chain(ports).collect()
}

fn phrase(group: Group, subject: &str) -> String {
    match group {
        Group::HostLoopback => format!("it uses a service on the host's loopback, {subject}"),
        Group::AbstractSocket if subject.starts_with("serves ") => format!("it {subject}"),
        Group::AbstractSocket => format!("it uses the {subject}"),
        Group::Multicast | Group::LinkLocal => format!("it talks {subject}"),
        _ => format!("it {subject}"),
    }
}

/// Why neither can be said.
fn missing(observed: &Observed, ports: &[Port], window: &Window) -> Vec<String> {
    let mut missing = Vec::new();
    if observed.things.is_empty() && ports.is_empty() && observed.rates.exchanges() == 0 {
        missing.push("it did nothing in the network while it was observed".to_owned());
    } else if observed.rates.exchanges() == 0 {
        missing.push("it exchanged nothing with anybody while it was observed".to_owned());
    }
    for ((group, subject), thing) in &observed.things {
        if let Bridge::Unclear(says) = &thing.bridge {
            missing.push(format!("{}: {says}", phrase(*group, subject)));
        }
    }
    if window.beyond_ip() == BeyondIp::Unseen {
        missing.push(
            "packet, netlink and unix sockets were not seen on this kernel (hostnet doctor \
             says why), and they may be what it has the host's network for"
                .to_owned(),
        );
    }
    if observed.ports.beyond() > 0 {
        let count = observed.ports.beyond();
        missing.push(format!("it listens in more places than are looked at: {count} more"));
    }
    missing
}

fn doubts(observed: &Observed, window: &Window, looked: &Observation) -> Doubts {
    let mut doubts = Doubts { confidence: Confidence::High, says: Vec::new() };
    if looked.observed_ns < HOUR_NS {
        doubts.at_most(Confidence::Low, "observed for less than an hour");
    } else if looked.observed_ns < DAY_NS {
        doubts.at_most(Confidence::Medium, "observed for less than a day");
    }
    if looked.starts_seen == 0 {
        doubts.at_most(Confidence::Medium, "its start was not seen");
    }
    let exchanges = observed.rates.exchanges();
    if exchanges < FEW {
        doubts.at_most(Confidence::Low, format!("only {exchanges} connections and UDP peers"));
    }
    let (own, of_nobody) = (looked.lost_of_its_own, looked.lost_of_nobody);
    if own.lost > 0 {
        doubts.at_most(Confidence::Low, format!("{} records of its own were lost", own.lost));
    }
    if of_nobody.lost > 0 {
        let says = format!("{} records were lost that may have been its own", of_nobody.lost);
        doubts.at_most(Confidence::Medium, says);
    }
    if own.suppressed > 0 {
        // What it had not done in the last minute was told all the same.
        let says = format!("{} repeats were counted and not told", own.suppressed);
        doubts.at_most(Confidence::Medium, says);
    }
    for gap in looked.gaps.iter().take(MOST_GAPS_NAMED) {
        doubts.at_most(Confidence::Medium, gap.clone());
    }
    if let more @ 1.. = looked.gaps.len().saturating_sub(MOST_GAPS_NAMED) {
        doubts.at_most(Confidence::Medium, format!("{more} more gaps"));
    }
    match window.beyond_ip() {
        BeyondIp::Families => {}
        BeyondIp::FirstUse => doubts.at_most(
            Confidence::Medium,
            "packet, netlink and unix sockets were only seen when first used, and changes of the \
             network not at all",
        ),
        BeyondIp::Unseen => doubts.at_most(Confidence::Low, "nothing was seen beyond IP"),
        BeyondIp::Unknown => doubts
            .at_most(Confidence::Low, "the record does not say what could be seen on this kernel"),
    }
    if window.hooks_missing() {
        let says = "some hooks were missing or not proven (hostnet doctor)";
        doubts.at_most(Confidence::Medium, says);
    }
    doubts
}
