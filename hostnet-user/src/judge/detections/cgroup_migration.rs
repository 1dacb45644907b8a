//! A container's process was moved out of its container's cgroup.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::event::{Action, Operation, Severity};

pub const DETECTION: Detection = Detection {
    id: Action::CgroupMigration.name(),
    title: "Process moved out of its container's cgroup",
    severity: Severity::High,
    techniques: &[techniques::MASQUERADING],
    needs: &["life"],
    text: "A process of a container is now in another container's cgroup, or in the host's. Tools that \
           go by cgroups take it for another's process, and its container's limits no longer apply. \
           hostnet still counts it to its container. Container managers rarely do this; a process in \
           a container that can do it has escaped.",
    excuse: Excuse::Never,
    judge,
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::CgroupMigration(migration) = &scene.event.operation else { return None };
    // Back to where it belongs is the end of it.
    if migration.to.id == scene.owner.cgroup_id && scene.owner.moved_to.is_none() {
        return None;
    }
    let subject = format!("{} to {}", migration.from.path, migration.to.path);
    Some(Suspicion::new(subject, scene.event.operation.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{joined, judged, migrated};
    use super::DETECTION;

    #[test]
    fn fires() {
        let suspicion = judged(&DETECTION, &migrated("/docker/a", "/docker/b")).unwrap();
        assert_eq!(suspicion.subject, "/docker/a to /docker/b");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &joined("host")), None);
    }
}
