//! A container uses the host's network and nobody has said that it may.

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{
    event::{Operation, Severity},
    judge::expectations::Standing,
};

pub const DETECTION: Detection = Detection {
    id: "unexpected-container",
    title: "Container in the host's network that no expectation allows",
    severity: Severity::Low,
    techniques: &[techniques::DEPLOY_CONTAINER],
    needs: &["inet", "life"],
    text: "No `[[expect]]` entry allows this container the host's network (nor, where \
           `[expectations] trust_labels` is true, a `hostnet.expected` label), or the one that did has \
           ended (medium). `hostnet advise` says whether the \
           container needs it; if so, write down who wants it, why and until when.",
    excuse: Excuse::Never,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let comes = match &scene.event.operation {
        Operation::Joined(_) | Operation::Identified(_) => true,
        Operation::Present(present) => !present.is_agent,
        _ => false,
    };
    // The pod's other containers are found, and its infra container is made for them.
    let owner = scene.event.owner.as_deref();
    if owner.and_then(|owner| owner.container.as_deref()).is_some_and(|one| one.is_infra) {
        return None;
    }
    match scene.standing.filter(|_| comes)? {
        Standing::Expected(_) => None,
        Standing::Expired(expectation) => {
            let until = expectation.until.map(|until| until.to_string()).unwrap_or_default();
            let sentence = format!(
                "is in the host network namespace, and {} ended on {until}",
                expectation.by
            );
            Some(Suspicion::new("expired", sentence).with(Severity::Medium))
        }
        Standing::Unexpected { because } => {
            let because = because.unwrap_or("no expectation allows that");
            let sentence = format!("is in the host network namespace, and {because}");
            Some(Suspicion::new("unexpected", sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{joined, judged, judged_by, reached};
    use super::DETECTION;
    use crate::event::Severity;

    #[test]
    fn fires() {
        assert_eq!(judged(&DETECTION, &joined("host")).unwrap().subject, "unexpected");
        let ended =
            judged_by("name = \"one\"\nuntil = \"1969-01-01\"", &DETECTION, &joined("host"));
        assert_eq!(ended.unwrap().severity, Some(Severity::Medium));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged_by("name = \"one\"", &DETECTION, &joined("host")), None);
        assert_eq!(judged(&DETECTION, &reached("127.0.0.1:1")), None);
    }
}
