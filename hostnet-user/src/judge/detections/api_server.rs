//! A container talks to the Kubernetes API server on its own host.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "api-server",
    title: "Kubernetes API server reached",
    severity: Severity::Medium,
    techniques: &[techniques::CONTAINER_API],
    needs: &["inet"],
    text: "A container on the control plane's own node talks to the API server by the host's network.\
           Pods reach it by its service address; see which credentials this one has.",
    excuse: Excuse::ReachListed,
    judge,
};

/// Its usual port.
const PORTS: [u16; 1] = [6443];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = service::on_the_host(scene, &PORTS)?;
    let whose = reach.whose().map(|whose| format!(" ({whose})")).unwrap_or_default();
    Some(Suspicion::new(
        reach.to.to_string(),
        format!("reached the Kubernetes API server at {}{whose}", reach.to),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused};
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
        }
    }
}
