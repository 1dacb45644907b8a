//! A container talks to the host's etcd.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "etcd",
    title: "etcd reached",
    severity: Severity::High,
    techniques: &[techniques::CONTAINER_API],
    needs: &["inet"],
    text: "etcd holds all of a cluster's state, secrets included. Only the API server should talk to\
           it, with a certificate.",
    excuse: Excuse::ReachListed,
    judge,
};

/// For clients, and among members.
const PORTS: [u16; 2] = [2379, 2380];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = service::on_the_host(scene, &PORTS)?;
    let whose = reach.whose().map(|whose| format!(" ({whose})")).unwrap_or_default();
    Some(Suspicion::new(reach.to.to_string(), format!("reached etcd at {}{whose}", reach.to)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused};
    use super::DETECTION;

    #[test]
    fn fires() {
        for target in ["127.0.0.1:2379", "[::1]:2380"] {
            assert_eq!(judged(&DETECTION, &reached(target)).unwrap().subject, target);
        }
    }

    #[test]
    fn does_not_fire() {
        for target in ["127.0.0.1:2381", "203.0.113.9:2379"] {
            assert_eq!(judged(&DETECTION, &reached(target)), None, "{target}");
        }
        for target in ["127.0.0.1:2379", "[::1]:2380"] {
            assert_eq!(judged(&DETECTION, &refused(target)), None, "{target}");
        }
    }
}
