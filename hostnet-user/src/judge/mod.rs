//! What events mean: what part of the host they touch, and what of it should not be.
//!
//! This stage does no I/O and reads no clock: what it knows of the host's network,
//! of who may do what, and of what was told before comes in as an input or an
//! earlier event. It makes findings of events and changes nothing about them but
//! their surface. It does not know where events go.

mod detections;
mod digest;
pub mod expectations;
mod open;
mod reach;
mod repeats;
mod settings;
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "it is about values of YAML, not kinds of events"
)]
pub mod sigma;
mod standings;
pub mod surface;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use detections::{Detection, Memory, Suspicion, sensitive};
pub use reach::{Offer, Reach, Target, surface as surface_of};
pub(crate) use repeats::{MOST as MOST_REPEATS, Repeats};
pub use settings::{Law, Settings};

use self::{
    expectations::{Expectations, Standing},
    open::Open,
    standings::Standings,
    surface::Network,
};
use crate::event::{
    Contact, Event, Finding, FindingEnds, Learned, Owner, OwnerKind, PastFinding, Reached, Rule,
    Severity, loopback::Destination,
};

/// What a detection sees of an event.
pub struct Scene<'a> {
    /// The event.
    pub event: &'a Event,
    /// Whose it is.
    pub owner: &'a Owner,
    /// What it tries to reach, if it does.
    pub reach: Option<Reach<'a>>,
    /// What it offers to others, if it does.
    pub offer: Option<Offer>,
    /// The host's network.
    pub network: &'a Network,
    /// Where hostnet itself connects to on the loopback.
    pub destinations: &'a [Destination],
    /// Whether the container may use it; `None` of what the runtime has not described.
    pub standing: Option<&'a Standing>,
    /// The detection has a finding of the attempt that this event is the outcome of.
    pub settles: bool,
}

impl<'a> Scene<'a> {
    /// The attempt to reach somebody, when it did not fail, or when its failure is the
    /// outcome of one that there is a finding of.
    #[must_use]
    pub fn attempt(&self) -> Option<Reach<'a>> {
        self.reach.filter(|reach| self.settles || !reach.contact.has_failed())
    }

    /// The same, when somebody may have been reached, or still may be.
    #[must_use]
    pub fn approach(&self) -> Option<Reach<'a>> {
        self.attempt().filter(|reach| reach.contact != Contact::Aimed)
    }
}

/// The stage.
#[derive(Debug)]
pub struct Judge {
    repeat_after_ns: u64,
    network: Network,
    destinations: Vec<Destination>,
    standings: Standings,
    /// Those that are not left out, each with what its findings name.
    detections: Vec<(&'static Detection, Arc<Rule>)>,
    memory: Memory,
    repeats: Repeats,
    open: Open,
}

impl Judge {
    /// Judges by this law.
    #[must_use]
    pub fn new(law: &Law) -> Self {
        let settings = &law.settings;
        let repeat_after_ns = settings.repeat_after_ns();
        let judged = Detection::all().filter(|detection| settings.judges_by(detection.id));
        Self {
            repeat_after_ns,
            network: Network::default(),
            destinations: law.destinations.clone(),
            standings: Standings::new(Expectations::new(&law.expect, &law.expectations)),
            detections: judged.map(|one| (one, Arc::new(one.rule()))).collect(),
            memory: Memory::learning_for(settings.learn_ns()),
            repeats: Repeats::new(repeat_after_ns),
            open: Open::default(),
        }
    }

    /// After which time the same act of the same owner is told again, nanoseconds.
    #[must_use]
    pub const fn repeat_after_ns(&self) -> u64 {
        self.repeat_after_ns
    }

    /// What images reached while other runs judged.
    pub fn remember(&mut self, reached: &[Reached]) {
        self.memory.remember(reached);
    }

    /// What other runs have found.
    pub fn remember_findings(&mut self, found: &[PastFinding]) {
        self.repeats.remember(found);
    }

    /// The boot of the host that is judged.
    pub fn boot(&mut self, boot: &str) {
        self.repeats.boot(boot);
    }

    /// The host's network from now on.
    pub fn network(&mut self, network: Network) {
        self.network = network;
    }

    /// Says the event's surface, which is no verdict, and adds what is wrong with it to
    /// `findings`. An act is told once per owner until [`Settings::repeat_hours`] have
    /// passed. An attempt without an outcome yet is told as that; its outcome, when it comes,
    /// is a second finding that amends the first.
    pub fn judge(&mut self, event: &mut Event, findings: &mut Vec<Event>) {
        if event.is_finding() {
            return;
        }
        // One that was told before was aimed at what it was aimed at then.
        event.surface = event.surface.or_else(|| reach::surface(event, &self.network));
        if self.detections.is_empty() {
            return;
        }
        let nobody = Owner::unknown(0, None);
        let owner = match event.owner.as_deref() {
            // What the host's own processes do is not judged.
            Some(owner) if owner.kind == OwnerKind::Host => return,
            Some(owner) => owner,
            None => &nobody,
        };
        let (reach, offer) = (Reach::of(event), Offer::of(event));
        let standing = self.standings.of(owner, event.wall_ns);
        let (network, destinations, settles) = (&self.network, &*self.destinations, false);
        let mut scene =
            Scene { event, owner, reach, offer, network, destinations, standing, settles };
        let is_open = reach.is_some_and(|reach| reach.contact.is_open());
        for (detection, rule) in &self.detections {
            let amends = event.amends.map(|first| finding_id(first, detection.id));
            let amends = amends.filter(|first| self.open.settle(owner, first));
            scene.settles = amends.is_some();
            if detection.excuse.holds(&scene) {
                continue;
            }
            let Some(suspicion) = detection.judge(&scene, &mut self.memory) else { continue };
            let Suspicion { subject, sentence, severity } = suspicion;
            let learned = self.repeats.news(detection.id, owner, &subject, event.wall_ns);
            if learned.is_some() || scene.settles {
                let severity = severity.unwrap_or(detection.severity);
                let rule = Arc::clone(rule);
                let found = finding(event, rule, severity, (subject, sentence), learned);
                if is_open {
                    self.open.insert(owner, found.id);
                }
                findings.push(Event { amends, ..found });
            }
        }
        event.learned = self.memory.take_learned().map(Box::new);
    }
}

/// A finding as an event, of a detection or of a rule of the user's: everything but the
/// operation is of the event that shows it.
pub(crate) fn finding(
    event: &Event,
    rule: Arc<Rule>,
    severity: Severity,
    (subject, sentence): (String, String),
    learned: Option<Learned>,
) -> Event {
    let id = finding_id(event.id, &rule.id);
    let ends = FindingEnds::of(event.operation.told());
    let operation = Finding { rule, severity, subject, sentence, evidence: event.id, ends };
    let operation = operation.into();
    Event { id, amends: None, learned: learned.map(Box::new), operation, ..event.clone() }
}

/// Sorts with the event that shows it; the same whenever that is judged again.
fn finding_id(evidence: Uuid, rule: &str) -> Uuid {
    let digest = Sha256::new().chain_update(evidence).chain_update(rule).finalize();
    let mut bytes = *evidence.as_bytes();
    // The last 62 bits of a UUIDv7 are anybody's; two above them are the variant.
    bytes[9..].copy_from_slice(&digest[..7]);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::{
        detections::testing::{aimed, outcome_of, raw_socket, reached, unanswered},
        *,
    };
    use crate::event::{Operation, Outcome, Surface};

    /// What is found of an event, and where it was aimed.
    fn judged(settings: Settings, mut event: Event) -> (Vec<String>, Option<Surface>) {
        let mut judge = Judge::new(&Law { settings, ..Law::default() });
        let mut findings = Vec::new();
        judge.judge(&mut event, &mut findings);
        let rule = |event: &Event| match &event.operation {
            Operation::Finding(finding) => finding.rule.id.to_string(),
            other => panic!("{other} is no finding"),
        };
        (findings.iter().map(rule).collect(), event.surface)
    }

    #[test]
    fn where_an_event_is_aimed_is_said_without_a_verdict() {
        let off = || Settings { enabled: false, ..Settings::default() };
        let at = Some(Surface::HostLoopback);
        assert_eq!(judged(off(), reached("127.0.0.1:2375")), (Vec::new(), at));
        let (found, surface) = judged(Settings::default(), reached("127.0.0.1:2375"));
        assert!(found.contains(&"runtime-api".to_owned()) && surface == at, "{found:?}");
    }

    #[test]
    fn a_detection_that_is_left_out_finds_nothing() {
        let raw = || raw_socket(libc::IPPROTO_ICMP as u32);
        let without = vec!["raw-socket".to_owned()];
        let without = Settings { without, ..Settings::default() };
        assert!(judged(Settings::default(), raw()).0.contains(&"raw-socket".to_owned()));
        assert!(!judged(without, raw()).0.contains(&"raw-socket".to_owned()));
    }

    /// The findings of `cloud-metadata`: what they amend, how severe they are, what they say.
    fn of_metadata(judge: &mut Judge, mut event: Event) -> Vec<(Uuid, Option<Uuid>, String)> {
        let mut findings = Vec::new();
        judge.judge(&mut event, &mut findings);
        let of_it = findings.into_iter().filter_map(|event| match event.operation {
            Operation::Finding(finding) if finding.rule.id == "cloud-metadata" => {
                let says = format!("{}: {}", finding.severity.name(), finding.sentence);
                Some((event.id, event.amends, says))
            }
            _ => None,
        });
        of_it.collect()
    }

    #[test]
    fn a_late_outcome_amends_the_finding_of_the_attempt() {
        let refused = Outcome::Failure(Some(libc::ECONNREFUSED as u16));
        for (first, outcome, before, after) in [
            (unanswered("169.254.169.254:80"), Outcome::Success, "medium: tried", "high: reached"),
            (unanswered("169.254.169.254:80"), refused, "medium: tried", "medium: tried"),
            (aimed("169.254.169.254:80"), Outcome::Success, "low: aimed", "high: reached"),
        ] {
            let mut judge = Judge::new(&Law::default());
            let sent = matches!(&first.operation, Operation::Connect(one) if one.sent.is_some());
            let mut late = outcome_of(&first, outcome);
            if let Operation::ConnectOutcome(late) = &mut late.operation {
                late.connect.sent = sent.then_some(crate::event::SentToPeer::Yes);
            }
            let [(id, None, says)] = &of_metadata(&mut judge, first.clone())[..] else {
                panic!("not one finding of the attempt")
            };
            assert!(says.starts_with(before), "{says}");
            let [(_, amends, says)] = &of_metadata(&mut judge, late.clone())[..] else {
                panic!("not one finding of the outcome")
            };
            assert!(says.starts_with(after), "{says}");
            assert_eq!(*amends, Some(*id));
            assert_eq!(of_metadata(&mut judge, late), [], "it is told once");
        }
    }

    #[test]
    fn an_outcome_whose_attempt_was_not_told_amends_nothing() {
        let mut judge = Judge::new(&Law::default());
        assert_eq!(of_metadata(&mut judge, unanswered("169.254.169.254:80")).len(), 1);
        let again = unanswered("169.254.169.254:80");
        assert_eq!(of_metadata(&mut judge, again.clone()), [], "the same act");
        let reached = of_metadata(&mut judge, outcome_of(&again, Outcome::Success));
        let [(_, None, says)] = &reached[..] else { panic!("{reached:?}") };
        assert!(says.starts_with("high: reached"), "{says}");
    }

    #[test]
    fn a_findings_id_is_a_v7_of_the_same_time() {
        let evidence = Uuid::now_v7();
        let id = finding_id(evidence, "a");
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp(), evidence.get_timestamp());
        assert_eq!(id, finding_id(evidence, "a"));
        assert_ne!(id, finding_id(evidence, "b"));
        assert_ne!(id, evidence);
    }
}
