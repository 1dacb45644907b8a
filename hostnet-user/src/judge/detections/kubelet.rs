//! A container talks to the node's kubelet.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "kubelet",
    title: "Access to the kubelet",
    severity: Severity::High,
    techniques: &[techniques::CONTAINER_ADMINISTRATION, techniques::CONTAINER_API],
    needs: &["inet"],
    text: "The kubelet lets its clients run commands in every pod of the node, and read the pods' \
           secrets. Only the API server and monitoring need it: close port 10255, and have port \
           10250 require client certificates.",
    excuse: Excuse::ReachListed,
    judge,
};

/// With TLS, and read-only without.
pub(super) const PORTS: [u16; 2] = [10250, 10255];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = service::on_the_host(scene, &PORTS)?;
    Some(service::suspicion(&reach, DETECTION.severity, "the kubelet"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused, sent};
    use super::DETECTION;

    #[test]
    fn fires() {
        for target in ["127.0.0.1:10250", "172.17.0.1:10255"] {
            assert_eq!(judged(&DETECTION, &reached(target)).unwrap().subject, target);
        }
    }

    #[test]
    fn does_not_fire() {
        for target in ["127.0.0.1:10251", "203.0.113.9:10250"] {
            assert_eq!(judged(&DETECTION, &reached(target)), None, "{target}");
        }
        for target in ["127.0.0.1:10250", "172.17.0.1:10255"] {
            assert_eq!(judged(&DETECTION, &refused(target)), None, "{target}");
            assert_eq!(judged(&DETECTION, &sent(target)), None, "{target} by UDP");
        }
    }
}
