//! The verdict: whether the container needed the host's network, with what confidence, and
//! what lowers that.
//!
//! That something was there is certain whatever else was missed. That nothing was there
//! is only as certain as the looking was good.

use serde::Serialize;

use super::{
    Observation,
    act::{Bridge, Group},
    multicast,
    observed::Observed,
    publish::{Port, Publish},
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

/// How much an answer can be relied on.
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
    /// How much that can be relied on; `not enough observed` has none.
    pub confidence: Option<Confidence>,
    /// Why it was needed, or why it cannot be said.
    pub because: Vec<String>,
    /// What makes the confidence lower, or was missing from the observation.
    pub doubts: Vec<String>,
}

const HOUR_NS: u64 = 3_600_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;
/// With fewer exchanges than this, what it does rarely was hardly among them.
const FEW: u64 = 10;

/// Most gaps that are named among the doubts.
const MOST_GAPS_NAMED: usize = 5;

/// What a verdict is made of.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What was seen of the container.
    pub observed: &'a Observed,
    /// Its listeners.
    pub ports: &'a [Port],
    /// The time that was looked at.
    pub window: &'a Window,
    /// How the container was observed in it.
    pub looked: &'a Observation,
    /// Containers that share its network.
    pub lends_to: &'a [String],
}

/// Reasons collected while the confidence goes down.
struct Doubts {
    confidence: Confidence,
    all: Vec<(Confidence, String)>,
}

impl Doubts {
    fn at_most(&mut self, confidence: Confidence, says: impl Into<String>) {
        self.confidence = self.confidence.min(confidence);
        self.all.push((confidence, says.into()));
    }

    /// Each with what it does to the confidence.
    fn explained(self) -> Vec<String> {
        let decides = self.confidence;
        let one = |(at_most, says): (Confidence, String)| {
            let most = if at_most == decides { "" } else { "at most " };
            format!("confidence is {most}{}: {says}", at_most.word())
        };
        self.all.into_iter().map(one).collect()
    }

    /// Each as it is, where no answer is given that could be relied on.
    fn plain(self) -> Vec<String> {
        self.all.into_iter().map(|(_, says)| says).collect()
    }
}

/// What follows from what was seen.
#[must_use]
pub fn verdict(case: &Case<'_>) -> Verdict {
    let needed = needed(case);
    if !needed.is_empty() {
        let (confidence, because) = (Some(Confidence::High), needed);
        return Verdict { answer: Answer::Needed, confidence, because, doubts: Vec::new() };
    }
    let doubts = doubts(case);
    let missing = missing(case);
    if !missing.is_empty() {
        let (answer, because) = (Answer::NotEnoughObserved, missing);
        return Verdict { answer, confidence: None, because, doubts: doubts.plain() };
    }
    Verdict {
        answer: Answer::NotNeeded,
        confidence: Some(doubts.confidence),
        because: Vec::new(),
        doubts: doubts.explained(),
    }
}

/// What a bridge network does not give.
fn needed(case: &Case<'_>) -> Vec<String> {
    let things = case.observed.things.iter().filter_map(|((group, subject), thing)| {
        let Bridge::Not(says) = &thing.bridge else { return None };
        Some(format!("{}: {says}", phrase(*group, subject)))
    });
    let ports = case.ports.iter().filter_map(|port| {
        let Publish::Impossible(says) = &port.publish else { return None };
        Some(format!("it listens on {}: {says}", port.place()))
    });
    things.chain(ports).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other says it by its subject")]
fn phrase(group: Group, subject: &str) -> String {
    match group {
        Group::HostLoopback => format!("it uses a service on the host's loopback, {subject}"),
        Group::AbstractSocket if subject.starts_with("serves ") => format!("it {subject}"),
        Group::AbstractSocket => format!("it uses the {subject}"),
        Group::Multicast if subject.starts_with("joined ") => format!("it {subject}"),
        Group::Multicast | Group::LinkLocal => format!("it talks {subject}"),
        _ => format!("it {subject}"),
    }
}

/// Why neither can be said.
fn missing(case: &Case<'_>) -> Vec<String> {
    let Case { observed, ports, window, .. } = case;
    let mut missing: Vec<String> = silence(case).into_iter().collect();
    if let unknown @ 1.. = observed.rates.unknown()
        && observed.rates.exchanges() == 0
    {
        missing.push(format!(
            "it connected {unknown} UDP or other sockets, and whether anything was sent over them \
             cannot be seen on this kernel"
        ));
    }
    for ((group, subject), thing) in &observed.things {
        if let Bridge::Unclear(says) = &thing.bridge {
            missing.push(format!("{}: {says}", phrase(*group, subject)));
        }
    }
    for port in *ports {
        if let Publish::Unclear(says) = &port.publish {
            missing.push(format!("it listens on {}: {says}", port.place()));
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

/// Why what it does cannot be judged: nobody but itself had anything of it.
fn silence(case: &Case<'_>) -> Option<String> {
    let Case { observed, ports, lends_to, .. } = case;
    let failed = &observed.failed;
    if observed.rates.exchanges() > 0 {
        let reaches = |group: Group| match group {
            Group::HostLoopback
            | Group::HostAddress
            | Group::BridgeNetwork
            | Group::Metadata
            | Group::Multicast
            | Group::LinkLocal
            | Group::Dns
            | Group::Outbound => true,
            Group::AbstractSocket
            | Group::PacketSocket
            | Group::RawSocket
            | Group::NetworkChange
            | Group::NetworkState
            | Group::Hardware
            | Group::SourceAddress
            | Group::Listener
            | Group::Itself
            | Group::PathSocket
            | Group::Other => false,
        };
        let is_alone = ports.iter().all(|port| port.by_others == 0)
            && !observed.things.keys().any(|(group, _)| reaches(*group));
        return is_alone.then(|| "nobody but the container itself used its ports".to_owned());
    }
    let is_idle = observed.things.is_empty() && ports.is_empty();
    let is_infra = observed.container.as_ref().is_some_and(|container| container.is_infra);
    Some(match (lends_to, failed.is_none()) {
        ([], false) if is_idle => failed.to_string(),
        ([], false) => format!("it exchanged nothing with anybody, and {failed}"),
        ([], true) if is_idle && is_infra => {
            "it holds the network of its pod and does nothing else in the network".to_owned()
        }
        ([], true) if is_idle => "it did nothing in the network".to_owned(),
        ([_, ..], true) if is_idle => format!(
            "it did nothing in the network itself; it holds the network of {}, so look there",
            lends_to.join(", ")
        ),
        _ => "it exchanged nothing with anybody".to_owned(),
    })
}

fn doubts(case: &Case<'_>) -> Doubts {
    let Case { observed, window, looked, .. } = case;
    let mut doubts = Doubts { confidence: Confidence::High, all: Vec::new() };
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
        let what =
            if exchanges == 1 { "connection or UDP peer" } else { "connections or UDP peers" };
        doubts.at_most(Confidence::Low, format!("only {exchanges} {what} seen ({FEW} needed)"));
    }
    let (own, of_nobody) = (looked.lost_of_its_own, looked.lost_of_nobody);
    if own.lost > 0 {
        doubts.at_most(Confidence::Low, format!("{} of its records were lost", own.lost));
    }
    if of_nobody.lost > 0 {
        let says = format!("{} records were lost, and some may have been its own", of_nobody.lost);
        doubts.at_most(Confidence::Medium, says);
    }
    if own.suppressed > 0 {
        // What it had not done in the last minute was told all the same.
        let says = format!("{} repeated operations were counted but not shown", own.suppressed);
        doubts.at_most(Confidence::Medium, says);
    }
    if let unknown @ 1.. = observed.rates.unknown() {
        let says =
            format!("whether anything was sent over {unknown} connected sockets was not seen");
        doubts.at_most(Confidence::Medium, says);
    }
    for gap in looked.gaps.iter().take(MOST_GAPS_NAMED) {
        doubts.at_most(Confidence::Medium, gap.clone());
    }
    if let more @ 1.. = looked.gaps.len().saturating_sub(MOST_GAPS_NAMED) {
        doubts.at_most(Confidence::Medium, format!("{more} more gaps in the record"));
    }
    match window.beyond_ip() {
        BeyondIp::Families => {}
        BeyondIp::FirstUse => doubts.at_most(
            Confidence::Medium,
            "packet, netlink and unix sockets were seen at their first use only, and changes of \
             the network not at all",
        ),
        BeyondIp::Unseen => doubts.at_most(Confidence::Low, "only IP sockets were seen"),
        BeyondIp::Unknown => doubts
            .at_most(Confidence::Low, "the record does not say what could be seen on this kernel"),
    }
    if let Some(says) = multicast::unseen(case.ports, window) {
        doubts.at_most(Confidence::Low, says);
    }
    if window.hooks_missing() {
        let says = "some operations are not seen on this kernel (hostnet doctor lists them)";
        doubts.at_most(Confidence::Medium, says);
    }
    doubts
}
