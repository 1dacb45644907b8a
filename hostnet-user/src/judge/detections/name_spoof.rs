//! Somebody gave a cgroup the name of a container that is elsewhere.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Action, Operation, Severity};

pub const DETECTION: Detection = Detection {
    id: Action::NameSpoof.name(),
    title: "Another container's name on a cgroup",
    severity: Severity::High,
    techniques: &[techniques::MASQUERADING],
    needs: &["life"],
    text: "A cgroup has the name of a container whose processes are elsewhere. Tools that tell \
           containers by cgroup path blame the wrong one. It takes write access to the host's cgroup \
           file system: find out which process has it.",
    excuse: Excuse::Never,
    sigma: &[SigmaRule {
        name: "name_spoof",
        id: "b3c478b6-38e6-4772-b86e-d285da543b3d",
        title: "Cgroup with the name of another container",
        description: "Somebody made a cgroup that bears the id of a container which is \
                      elsewhere. Whatever believes cgroup paths blames that container.",
        category: "process",
        detection: Some(
            "
    spoof:
        hostnet.operation: name-spoof
    condition: spoof",
        ),
        falsepositives: &[
            "Docker or Kubernetes inside of a container, when it restores containers with their ids",
        ],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::NameSpoof(spoof) = &scene.event.operation else { return None };
    let subject = format!("{} as {}", spoof.cgroup.path, spoof.claimed);
    Some(Suspicion::new(subject, scene.event.operation.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, joined, judged, spoofed};
    use super::DETECTION;

    pub const CASES: &[Case] = &[Case {
        of: &[("/hostnet/operation", "name-spoof")],
        set: &[],
        but: &[("/hostnet/operation", "\"exec\"")],
    }];

    #[test]
    fn fires() {
        let suspicion = judged(&DETECTION, &spoofed("/docker/ab", "ab")).unwrap();
        assert_eq!(suspicion.subject, "/docker/ab as ab");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &joined("host")), None);
    }
}
