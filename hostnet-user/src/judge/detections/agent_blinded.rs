//! Somebody made the agent see less.

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::event::{Health, Operation, Severity};

pub const DETECTION: Detection = Detection {
    id: "agent-blinded",
    title: "hostnet made to see less",
    severity: Severity::Critical,
    techniques: &[techniques::INDICATOR_BLOCKING],
    needs: &["inet", "life"],
    text: "An eBPF program of hostnet was detached, its maps were emptied, or hostnet was stopped for a \
           while. Only root on the host can do that. What happened in that time is not in the record; \
           the events around it say from when to when.",
    excuse: Excuse::Never,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::Health(health) = &scene.event.operation else { return None };
    let (subject, severity) = match health {
        Health::CoverageChanged { complete: false, .. } => ("coverage", None),
        Health::MapsWiped { .. } => ("maps", None),
        // A busy host can do that, too.
        Health::Stalled { .. } => ("stalled", Some(Severity::Medium)),
        _ => return None,
    };
    let sentence = scene.event.operation.to_string();
    Some(Suspicion { severity, ..Suspicion::new(subject, sentence) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{health, judged};
    use super::DETECTION;
    use crate::event::{Health, Severity};

    #[test]
    fn fires() {
        let wiped = health(Health::MapsWiped { maps: vec!["CGROUPS".to_owned()] });
        assert!(judged(&DETECTION, &wiped).unwrap().sentence.contains("CGROUPS"));
        let stalled = health(Health::Stalled { from_ns: 0, to_ns: 5_000_000_000 });
        assert_eq!(judged(&DETECTION, &stalled).unwrap().severity, Some(Severity::Medium));
    }

    #[test]
    fn does_not_fire() {
        let better = health(Health::CoverageChanged { coverage: Vec::new(), complete: true });
        assert_eq!(judged(&DETECTION, &better), None);
    }
}
