//! A container does more than is reported of it.

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::event::{Health, LossCount, Operation, Severity, total};

pub const DETECTION: Detection = Detection {
    id: "flood",
    title: "More operations than are reported",
    severity: Severity::Medium,
    techniques: &[techniques::INDICATOR_BLOCKING],
    needs: &["inet"],
    text: "The container did more than `observe.events_per_second` allows, so some of its operations \
           were only counted. Where all of those are repeats (medium), nothing new is missing. Where \
           some are not (high), the container may have hidden acts among them. What detections \
           depend on most (metadata services, APIs of runtimes and clusters, packet and raw sockets, \
           netlink changes) is still reported, up to a quota of its own. A load test is a flood, too, \
           and so is a program that tries again without a pause.",
    excuse: Excuse::Never,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::Health(Health::Suppressed { by, .. }) = &scene.event.operation else {
        return None;
    };
    let sum = |of: fn(&LossCount) -> u64| total(by.iter().map(of));
    let (count, new) = (sum(|one| one.count), sum(|one| one.new));
    let mut kinds: Vec<&str> = by.iter().map(|one| &*one.operation).collect();
    kinds.sort_unstable();
    let kinds = kinds.join(", ");
    let did = format!(
        "did more than is reported of one container: {count} operations were counted, not shown ({kinds})"
    );
    Some(if new == 0 {
        Suspicion::new("repeats", did)
    } else {
        let says = format!("{did}; {new} of them were no repeats");
        Suspicion::new("new operations", says).with(Severity::High)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{flooded, judged, reached};
    use super::{DETECTION, Severity};

    #[test]
    fn fires() {
        let repeats = judged(&DETECTION, &flooded(70_000, 0)).unwrap();
        assert_eq!((&*repeats.subject, repeats.severity), ("repeats", None));
        assert!(repeats.sentence.ends_with("were counted, not shown (connect)"), "{repeats:?}");
        let new = judged(&DETECTION, &flooded(70_000, 5)).unwrap();
        assert_eq!((&*new.subject, new.severity), ("new operations", Some(Severity::High)));
        assert!(new.sentence.ends_with("; 5 of them were no repeats"), "{new:?}");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &reached("127.0.0.1:80")), None);
    }
}
