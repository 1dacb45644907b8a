//! A container is in the host's network namespace and was not to be.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Operation, OwnerKind, Severity};

pub const DETECTION: Detection = Detection {
    id: "undeclared-join",
    title: "Host network joined without being declared",
    severity: Severity::High,
    techniques: &[techniques::ESCAPE_TO_HOST],
    needs: &["inet", "life"],
    text: "The runtime says that the container has a network of its own, but it uses the host's: by \
           setns(2) from inside, by `nsenter`, or through another container \
           (`--network container:…`, medium). `docker ps --filter network=host` does not show it.",
    excuse: Excuse::Never,
    sigma: &[SigmaRule {
        name: "undeclared_join",
        id: "60b3bedc-e0ec-4dea-bc43-4d6e6054aa24",
        title: "Host network namespace joined undeclared",
        description: "A process of a container is in the network namespace of the host, and \
                      the container was not declared so. Docker and an auditor see a bridge; \
                      the kernel has it in the host's network.",
        category: "state",
        detection: Some(
            "
    joined:
        hostnet.operation: join
        hostnet.netns.declared|exists: true
    declared:
        hostnet.netns.declared: host
    shared:
        hostnet.netns.declared|startswith: 'container:'
    condition: joined and not declared and not shared",
        ),
        falsepositives: &["Network plugins and debuggers that enter the namespace on purpose"],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    match &scene.event.operation {
        Operation::Joined(_) => {}
        Operation::Present(present) if !present.is_agent => {}
        _ => return None,
    }
    if scene.owner.kind == OwnerKind::ContainerUnknown {
        let sentence = "is in the host network namespace, and no container runtime knows of it";
        return Some(Suspicion::new("no runtime", sentence).with(Severity::Medium));
    }
    let container = scene.owner.container.as_deref()?;
    let mode = container.network_mode.as_str();
    // Podman and Docker both say `host`; what nobody has said yet is not judged.
    if matches!(mode, "" | "host") {
        return None;
    }
    let sentence =
        format!("is in the host network namespace, but was started with network mode {mode}");
    let suspicion = Suspicion::new(mode, sentence);
    let is_by_another = mode.starts_with("container:");
    Some(if is_by_another { suspicion.with(Severity::Medium) } else { suspicion })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, joined, judged};
    use super::DETECTION;
    use crate::event::Severity;

    pub const CASES: &[Case] = &[Case {
        of: &[("/hostnet/operation", "join")],
        set: &[("/hostnet/netns/declared", "\"bridge\"")],
        but: &[
            ("/hostnet/netns/declared", "\"host\""),
            ("/hostnet/netns/declared", "\"container:1\""),
            ("/hostnet/netns/declared", "null"),
        ],
    }];

    #[test]
    fn fires() {
        assert_eq!(judged(&DETECTION, &joined("bridge")).unwrap().severity, None);
        let through = judged(&DETECTION, &joined("container:abc")).unwrap();
        assert_eq!(through.severity, Some(Severity::Medium));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &joined("host")), None);
        assert_eq!(judged(&DETECTION, &joined("")), None);
    }
}
