//! A container talks to the host's etcd.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "etcd",
    title: "Access to etcd",
    severity: Severity::High,
    techniques: &[techniques::CONTAINER_API],
    needs: &["inet"],
    text: "etcd holds the whole state of a cluster, its secrets included. Only the API server needs \
           it: have etcd require client certificates.",
    excuse: Excuse::ReachListed,
    judge,
};

/// For clients, and among members.
pub(super) const PORTS: [u16; 2] = [2379, 2380];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = service::on_the_host(scene, &PORTS)?;
    Some(service::suspicion(&reach, DETECTION.severity, "etcd"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached, refused, sent};
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
            assert_eq!(judged(&DETECTION, &sent(target)), None, "{target} by UDP");
        }
    }
}
