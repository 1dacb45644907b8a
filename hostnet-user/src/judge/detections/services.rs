//! Services of the host that are known by their TCP ports: one table, and what detections of
//! services have in common.

use super::{Criterion, Detection, Excuse, Scene, SigmaRule, Suspicion, techniques};
use crate::{event::Severity, judge::Reach};

/// What the services have in common.
const SERVICE: Detection =
    Detection { severity: Severity::High, excuse: Excuse::ReachListed, ..Detection::BASE };

pub const DETECTIONS: &[Detection] = &[
    Detection {
        id: "kubelet",
        title: "Access to the kubelet",
        techniques: &[techniques::CONTAINER_ADMINISTRATION, techniques::CONTAINER_API],
        text: "The kubelet lets its clients run commands in every pod of the node, and read the pods' \
               secrets. Only the API server and monitoring need it: close port 10255, and have port \
               10250 require client certificates.",
        // With TLS, and read-only without.
        ports: &[10250, 10255],
        criterion: Criterion::Service("the kubelet"),
        sigma: &[SigmaRule {
            name: "kubelet_port",
            id: "03aa3897-fcf4-46b6-986c-39e8c7bb69f6",
            title: "Kubelet reached over the host network",
            description: "A container connected to the kubelet of its node. Whoever it lets in may \
                          run commands in every pod there. Close 10255, and let 10250 ask for \
                          certificates.",
            falsepositives: &[
                "Node monitoring, such as metrics-server or a Prometheus that scrapes the kubelet",
            ],
            #[cfg(test)]
            cases: tests::KUBELET,
            ..SigmaRule::BASE
        }],
        ..SERVICE
    },
    Detection {
        id: "etcd",
        title: "Access to etcd",
        techniques: &[techniques::CONTAINER_API],
        text: "etcd holds the whole state of a cluster, its secrets included. Only the API server \
               needs it: have etcd require client certificates.",
        // For clients, and among members.
        ports: &[2379, 2380],
        criterion: Criterion::Service("etcd"),
        sigma: &[SigmaRule {
            name: "etcd_port",
            id: "5c22c469-63e9-48fd-a4d4-748ca3c77ebf",
            title: "etcd reached over the host network",
            description: "A container connected to etcd on the host. It holds all state of a \
                          cluster, secrets included, and only the API server should talk to it.",
            falsepositives: &[
                "The API server itself, where it runs in a container with host networking",
                "Backup jobs of etcd",
            ],
            #[cfg(test)]
            cases: tests::ETCD,
            ..SigmaRule::BASE
        }],
        ..SERVICE
    },
    Detection {
        id: "api-server",
        title: "Access to the Kubernetes API server by the host's network",
        severity: Severity::Medium,
        techniques: &[techniques::CONTAINER_API],
        text: "A container on a node of the control plane talks to the API server at the host's own \
               address. Pods use the service address: find out which credentials this container has.",
        // Its usual one.
        ports: &[6443],
        criterion: Criterion::Service("the Kubernetes API server"),
        sigma: &[SigmaRule {
            name: "kubernetes_api_server_port",
            id: "b2609a0b-dd2b-4550-8c65-6018eee38dc1",
            title: "Kubernetes API server reached at the host",
            description: "A container connected to port 6443 of the host. With host networking it \
                          reaches the API server of a control-plane node, past every network policy.",
            falsepositives: &[
                "Components of the control plane, and network plugins, which use host networking",
            ],
            #[cfg(test)]
            cases: tests::API_SERVER,
            ..SigmaRule::BASE
        }],
        ..SERVICE
    },
];

/// The attempt to reach a service that listens on one of the detection's ports of the host, and
/// is not the container's own.
pub fn judge(detection: &Detection, name: &str, scene: &Scene<'_>) -> Option<Suspicion> {
    let reach = scene.approach().filter(|_| scene.event.is_stream())?;
    let is_one = reach.surface.is_own_address() && detection.ports.contains(&reach.port()?);
    if !is_one || is_its_own(scene, &reach) {
        return None;
    }
    let (to, whose) = (reach.to.to_string(), reach.whose());
    let whose = whose.map(|whose| format!(" ({whose})")).unwrap_or_default();
    Some(Suspicion::of(&reach, detection.severity, &to, &format!("{name} at {to}{whose}")))
}

/// Whether whoever is at the other end is the owner itself.
pub fn is_its_own(scene: &Scene<'_>, reach: &Reach<'_>) -> bool {
    let parties = reach.peer.map_or(&[][..], |peer| &peer.possible);
    !parties.is_empty() && parties.iter().all(|party| party.owner.is_same(scene.owner))
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{CONNECT, Case, NOT_OURS, judged, reached, refused, sent},
        *,
    };

    pub const KUBELET: &[Case] =
        &[Case { of: CONNECT, set: &[("/hostnet/remote/port", "10250")], but: NOT_OURS }];
    pub const ETCD: &[Case] =
        &[Case { of: CONNECT, set: &[("/hostnet/remote/port", "2379")], but: NOT_OURS }];
    pub const API_SERVER: &[Case] =
        &[Case { of: CONNECT, set: &[("/hostnet/remote/port", "6443")], but: NOT_OURS }];

    #[test]
    fn a_service_is_found_at_the_hosts_own_addresses_alone() {
        for detection in DETECTIONS {
            for port in detection.ports {
                for address in ["127.0.0.1", "[::1]", "172.17.0.1"] {
                    let target = format!("{address}:{port}");
                    assert_eq!(judged(detection, &reached(&target)).unwrap().subject, target);
                    assert_eq!(judged(detection, &refused(&target)), None, "{target}");
                    assert_eq!(judged(detection, &sent(&target)), None, "{target} by UDP");
                }
                let elsewhere = format!("203.0.113.9:{port}");
                assert_eq!(judged(detection, &reached(&elsewhere)), None, "{elsewhere}");
            }
        }
    }

    #[test]
    fn each_service_has_its_own_ports() {
        for (port, id) in [
            (10250, Some("kubelet")),
            (10255, Some("kubelet")),
            (10251, None),
            (2379, Some("etcd")),
            (2380, Some("etcd")),
            (2381, None),
            (6443, Some("api-server")),
            (443, None),
        ] {
            let event = reached(&format!("127.0.0.1:{port}"));
            let found = DETECTIONS.iter().filter(|one| judged(one, &event).is_some());
            assert_eq!(found.map(|one| one.id).collect::<Vec<_>>(), Vec::from_iter(id), "{port}");
        }
    }
}
