//! A container's process was moved out of its container's cgroup.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
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
    sigma: &[SigmaRule {
        name: "cgroup_migration",
        id: "a0d0861e-4f7e-4353-8227-e820e6a60526",
        title: "Container process moved to another cgroup",
        description: "A process of a container was moved out of its cgroup. Whatever tells \
                      containers apart by cgroups now takes it for somebody else.",
        category: "process",
        detection: Some(
            "
    moved:
        hostnet.operation: cgroup-migration
    condition: moved",
        ),
        falsepositives: &[
            "Service managers inside of containers that have the cgroup file system writable",
        ],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
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
    use super::super::testing::{Case, joined, judged, migrated};
    use super::DETECTION;

    pub const CASES: &[Case] = &[Case {
        of: &[("/hostnet/operation", "cgroup-migration")],
        set: &[],
        but: &[("/hostnet/operation", "\"exec\"")],
    }];

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
