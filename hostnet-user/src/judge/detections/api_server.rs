//! A container talks to the Kubernetes API server on its own host.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "api-server",
    title: "Access to the Kubernetes API server by the host's network",
    severity: Severity::Medium,
    techniques: &[techniques::CONTAINER_API],
    needs: &["inet"],
    text: "A container on a node of the control plane talks to the API server at the host's own \
           address. Pods use the service address: find out which credentials this container has.",
    excuse: Excuse::ReachListed,
    judge,
};

/// Its usual port.
pub(super) const PORTS: [u16; 1] = [6443];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = service::on_the_host(scene, &PORTS)?;
    Some(service::suspicion(&reach, DETECTION.severity, "the Kubernetes API server"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused, sent};
    use super::DETECTION;

    #[test]
    fn fires() {
        for target in ["127.0.0.1:6443", "172.17.0.1:6443"] {
            assert_eq!(judged(&DETECTION, &reached(target)).unwrap().subject, target);
        }
    }

    #[test]
    fn does_not_fire() {
        for target in ["127.0.0.1:443", "203.0.113.9:6443"] {
            assert_eq!(judged(&DETECTION, &reached(target)), None, "{target}");
        }
        for target in ["127.0.0.1:6443", "172.17.0.1:6443"] {
            assert_eq!(judged(&DETECTION, &refused(target)), None, "{target}");
            assert_eq!(judged(&DETECTION, &sent(target)), None, "{target} by UDP");
        }
    }
}
