//! A container asks the cloud for what the host is, and for its credentials.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::event::{Severity, Surface};

pub const DETECTION: Detection = Detection {
    id: "cloud-metadata",
    title: "Cloud metadata service reached",
    severity: Severity::High,
    techniques: &[techniques::METADATA_API],
    needs: &["inet"],
    text: "The metadata service hands out the host's own credentials. A hop limit of 1 (IMDSv2) \
           keeps bridged containers out, but not those with host networking. Give the workload \
           credentials of its own.",
    excuse: Excuse::ReachListed,
    judge,
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = scene.reach.filter(|reach| reach.surface == Surface::Metadata)?;
    let to = reach.to;
    // Somebody who asks where there is no cloud does not know where it is.
    Some(if reach.was_let() {
        Suspicion::new(to.to_string(), format!("reached the cloud metadata service at {to}"))
    } else {
        Suspicion::new(
            format!("{to} refused"),
            format!("tried to reach the cloud metadata service at {to}"),
        )
        .with(Severity::Medium)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused, sent};
    use super::DETECTION;
    use crate::event::Severity;

    #[test]
    fn fires() {
        for target in ["169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80"] {
            assert_eq!(judged(&DETECTION, &reached(target)).unwrap().severity, None);
            assert!(judged(&DETECTION, &sent(target)).is_some());
            let tried = judged(&DETECTION, &refused(target)).unwrap();
            assert_eq!(tried.severity, Some(Severity::Medium));
        }
    }

    #[test]
    fn does_not_fire() {
        for target in ["169.254.1.1:80", "203.0.113.9:80", "127.0.0.1:80"] {
            assert_eq!(judged(&DETECTION, &reached(target)), None);
        }
    }
}
