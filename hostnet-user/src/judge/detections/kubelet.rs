//! A container talks to the node's kubelet.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "kubelet",
    title: "Kubelet reached",
    severity: Severity::High,
    techniques: &[techniques::CONTAINER_ADMINISTRATION, techniques::CONTAINER_API],
    needs: &["inet"],
    text: "Whoever the kubelet lets may run commands in every pod of the node, and read their\
           secrets. Only the API server and monitoring should reach it; close 10255, and let\
           10250 ask for certificates.",
    excuse: Excuse::ReachListed,
    judge,
};

/// With TLS, and read-only without.
const PORTS: [u16; 2] = [10250, 10255];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = service::on_the_host(scene, &PORTS)?;
    let whose = reach.whose().map(|whose| format!(" ({whose})")).unwrap_or_default();
    Some(Suspicion::new(
        reach.to.to_string(),
        format!("reached the kubelet at {}{whose}", reach.to),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused};
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
        }
    }
}
