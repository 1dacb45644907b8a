//! What events mean: what part of the host they touch, and what of it should not be.
//!
//! This stage does no I/O and reads no clock: what it knows of the host's network,
//! of who may do what, and of what was told before comes in as an input or an
//! earlier event. It makes findings of events and changes nothing about them but
//! their surface. It does not know where events go.

mod detections;
pub mod expectations;
mod reach;
mod repeats;
mod settings;
pub mod sigma;
mod standings;
pub mod surface;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use detections::{DETECTIONS, Detection, Memory, Suspicion};
pub use reach::{Offer, Reach, Target, surface as surface_of};
pub(crate) use repeats::{MOST as MOST_REPEATS, Repeats};
pub use settings::{Law, Settings};

use self::{
    expectations::{Expectations, Standing},
    standings::Standings,
    surface::Network,
};
use crate::event::{
    Event, Finding, FindingEnds, Learned, Owner, OwnerKind, PastFinding, Reached, Rule, Severity,
};

/// What a detection sees of an event.
pub struct Scene<'a> {
    /// The event.
    pub event: &'a Event,
    /// Whose it is.
    pub owner: &'a Owner,
    /// What it reaches out to, if it does.
    pub reach: Option<Reach<'a>>,
    /// What it offers to others, if it does.
    pub offer: Option<Offer>,
    /// The host's network.
    pub network: &'a Network,
    /// Whether the container may use it; `None` of what the runtime has not described.
    pub standing: Option<&'a Standing>,
}

/// The stage.
#[derive(Debug)]
pub struct Judge {
    repeat_after_ns: u64,
    network: Network,
    standings: Standings,
    /// Those that are not left out, each with what its findings name.
    detections: Vec<(&'static Detection, Arc<Rule>)>,
    memory: Memory,
    repeats: Repeats,
}

impl Judge {
    /// Judges by this law.
    #[must_use]
    pub fn new(law: &Law) -> Self {
        let settings = &law.settings;
        let repeat_after_ns = settings.repeat_after_ns();
        let judged = DETECTIONS.iter().filter(|detection| settings.judges_by(detection.id));
        Self {
            repeat_after_ns,
            network: Network::default(),
            standings: Standings::new(Expectations::new(&law.expect, &law.expectations)),
            detections: judged.map(|one| (one, Arc::new(one.rule()))).collect(),
            memory: Memory::learning_for(settings.learn_ns()),
            repeats: Repeats::new(repeat_after_ns),
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
    /// passed.
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
        let scene = Scene { event, owner, reach, offer, network: &self.network, standing };
        for (detection, rule) in &self.detections {
            if !detection.excuse.holds(&scene)
                && let Some(suspicion) = (detection.judge)(&scene, &mut self.memory)
                && let Some(learned) =
                    self.repeats.news(detection.id, owner, &suspicion.subject, event.wall_ns)
            {
                let Suspicion { subject, sentence, severity } = suspicion;
                let severity = severity.unwrap_or(detection.severity);
                let rule = Arc::clone(rule);
                findings.push(finding(event, rule, severity, (subject, sentence), learned));
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
    learned: Learned,
) -> Event {
    let id = finding_id(event.id, &rule.id);
    let ends = FindingEnds::of(event.operation.told());
    let operation = Finding { rule, severity, subject, sentence, evidence: event.id, ends };
    let operation = operation.into();
    Event { id, amends: None, learned: Some(Box::new(learned)), operation, ..event.clone() }
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
        detections::testing::{raw_socket, reached},
        *,
    };
    use crate::event::{Operation, Surface};

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
