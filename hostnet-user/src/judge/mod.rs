//! What events mean: what part of the host they touch, and what of it should not be.
//!
//! This stage does no I/O and reads no clock: what it knows of the host's network,
//! of who may do what, and of what was told before comes in as an input or an
//! earlier event. It makes findings of events and changes nothing about them but
//! their surface. It does not know where events go.

mod detections;
pub mod expectations;
mod reach;
mod settings;
pub mod sigma;
mod standings;
pub mod surface;
mod told;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use detections::{DETECTIONS, Detection, Memory, Suspicion};
pub use reach::{Offer, Reach, Target, surface as surface_of};
pub use settings::{Law, Settings};
pub(crate) use told::ToldBefore;

use self::{
    expectations::{Expectations, Standing},
    standings::Standings,
    surface::Network,
};
use crate::event::{Event, Finding, FindingEnds, Owner, OwnerKind, Rule};

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
    settings: Settings,
    network: Network,
    standings: Standings,
    rules: Vec<Arc<Rule>>,
    memory: Memory,
    told: ToldBefore,
}

impl Judge {
    /// Judges by this law.
    #[must_use]
    pub fn new(law: &Law) -> Self {
        let settings = law.settings.clone();
        let standings = Standings::new(Expectations::new(&law.expect, &law.expectations));
        let rules = DETECTIONS.iter().map(|detection| Arc::new(detection.rule())).collect();
        let told = ToldBefore::new(settings.repeat_after_ns());
        let memory = Memory::learning_for(settings.learn_ns());
        Self { settings, network: Network::default(), standings, rules, memory, told }
    }

    /// After which time the same act of the same owner is told again, nanoseconds.
    #[must_use]
    pub fn repeat_after_ns(&self) -> u64 {
        self.settings.repeat_after_ns()
    }

    /// The host's network from now on.
    pub fn network(&mut self, network: Network) {
        self.network = network;
    }

    /// Says the event's surface, and adds what is wrong with it to `findings`. An
    /// act is told once per owner until [`Settings::repeat_hours`] have passed.
    pub fn judge(&mut self, event: &mut Event, findings: &mut Vec<Event>) {
        if !self.settings.enabled || event.is_finding() {
            return;
        }
        // One that was told before was aimed at what it was aimed at then.
        event.surface = event.surface.or_else(|| reach::surface(event, &self.network));
        let event = &*event;
        let nobody = Owner::unknown(0, None);
        let owner = match event.owner.as_deref() {
            // What the host's own processes do is not judged.
            Some(owner) if owner.kind == OwnerKind::Host => return,
            Some(owner) => owner,
            None => &nobody,
        };
        let (reach, offer) = (Reach::of(event), Offer::of(event));
        let standing = self.standings.of(owner, event.wall_ns);
        let standing = standing.as_ref();
        let scene = Scene { event, owner, reach, offer, network: &self.network, standing };
        for (detection, rule) in DETECTIONS.iter().zip(&self.rules) {
            if self.settings.without.iter().any(|id| id == detection.id) {
                continue;
            }
            if !detection.excuse.holds(&scene)
                && let Some(suspicion) = (detection.judge)(&scene, &mut self.memory)
                && self.told.is_news(detection.id, owner, &suspicion.subject, event.wall_ns)
            {
                findings.push(finding(event, rule, detection, suspicion));
            }
        }
    }
}

/// The finding as an event: everything but the operation is of the event that shows it.
fn finding(event: &Event, rule: &Arc<Rule>, by: &Detection, suspicion: Suspicion) -> Event {
    let Suspicion { subject, sentence, severity } = suspicion;
    let operation = Finding {
        rule: Arc::clone(rule),
        severity: severity.unwrap_or(by.severity),
        subject,
        sentence,
        evidence: event.id,
        ends: FindingEnds::of(event.operation.told()),
    };
    let id = finding_id(event.id, by.id);
    Event { id, amends: None, operation: operation.into(), ..event.clone() }
}

/// Sorts with the event that shows it; the same whenever that is judged again.
pub(crate) fn finding_id(evidence: Uuid, rule: &str) -> Uuid {
    let digest = Sha256::new().chain_update(evidence).chain_update(rule).finalize();
    let mut bytes = *evidence.as_bytes();
    // The last 62 bits of a UUIDv7 are anybody's; two above them are the variant.
    bytes[9..].copy_from_slice(&digest[..7]);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
