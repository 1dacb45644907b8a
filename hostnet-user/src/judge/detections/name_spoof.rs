//! Somebody gave a cgroup the name of a container that is elsewhere.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
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
    judge,
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::NameSpoof(spoof) = &scene.event.operation else { return None };
    let subject = format!("{} as {}", spoof.cgroup.path, spoof.claimed);
    Some(Suspicion::new(subject, scene.event.operation.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{joined, judged, spoofed};
    use super::DETECTION;

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
