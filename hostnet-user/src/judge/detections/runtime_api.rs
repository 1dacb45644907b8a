//! A container talks to a container runtime: whoever may, is root on the host.

use hostnet_abi::Sensitive;

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::{
    event::{OwnerKind, PeerParty, Severity},
    judge::Target,
    text,
};

pub const DETECTION: Detection = Detection {
    id: "runtime-api",
    title: "Access to the container runtime's API",
    severity: Severity::Critical,
    techniques: &[
        techniques::ESCAPE_TO_HOST,
        techniques::CONTAINER_ADMINISTRATION,
        techniques::CONTAINER_API,
    ],
    needs: &["inet", "families or first-use"],
    text: "A client of the API of Docker, containerd, CRI-O or Podman can start a privileged \
           container, and so is root on the host. Only tools that manage containers need it: give \
           them a proxy that passes what they need, and do not serve the API on port 2375.",
    excuse: Excuse::ReachListed,
    sigma: &[
        SigmaRule {
            name: "container_runtime_socket",
            id: "5bd0f521-be84-462b-bb9b-e05d0e8e2329",
            title: "Socket of a container runtime reached",
            description: "A container connected to the unix socket of a container runtime, \
                          wherever it has it mounted. Whoever may talk to it can start a \
                          privileged container, and so is root on the host.",
            detection: Some(
                "
    runtime:
        hostnet.operation:
            - unix-connect
            - unix-send
        hostnet.remote.name|endswith:
            - /docker.sock
            - /containerd.sock
            - /crio.sock
            - /podman.sock
            - /cri-dockerd.sock
    failed:
        event.outcome: failure
    host:
        hostnet.owner.kind: host
    condition: runtime and not failed and not host",
            ),
            falsepositives: &["A management tool that is meant to talk to the runtime"],
            #[cfg(test)]
            cases: tests::SOCKET,
            ..SigmaRule::BASE
        },
        SigmaRule {
            name: "docker_api_port",
            id: "e2a214e8-bbe9-4675-9d52-490575ffc53d",
            title: "Docker API reached over the host network",
            description: "A container connected to port 2375 or 2376 of the host. Whoever may \
                          talk to the Docker API can start a privileged container, and so is root \
                          on the host. Take the port off the host's addresses, or let it ask for \
                          client certificates.",
            falsepositives: &["A management tool that is meant to talk to Docker"],
            #[cfg(test)]
            cases: tests::PORT,
            ..SigmaRule::BASE
        },
    ],
    ports: PORTS,
    sensitive: || SOCKETS.iter().map(|name| Sensitive::PathEnd(name.as_bytes())).collect(),
    criterion: Criterion::Act(judge),
};

/// Docker's own ports, without and with TLS.
const PORTS: &[u16] = &[2375, 2376];

/// Programs that serve such an API.
const SERVERS: [&[u8]; 5] = [b"dockerd", b"containerd", b"crio", b"podman", b"cri-dockerd"];

/// What their sockets are called: a container may have them mounted anywhere.
const SOCKETS: [&str; 5] =
    ["docker.sock", "containerd.sock", "crio.sock", "podman.sock", "cri-dockerd.sock"];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = scene.approach()?;
    let by_name = match reach.to {
        Target::Ip(address) => {
            let is_port = scene.event.is_stream() && PORTS.contains(&address.port());
            reach.surface.is_own_address() && is_port
        }
        Target::Unix(name) => {
            let file_name = name.bytes().rsplit(|byte| *byte == b'/').next();
            !name.is_abstract() && SOCKETS.iter().any(|socket| file_name == Some(socket.as_bytes()))
        }
    };
    let server = reach.peer.and_then(|peer| peer.possible.iter().find_map(served_by));
    if !by_name && server.is_none() {
        return None;
    }
    let whose = server.map(|name| format!(" of {name}")).unwrap_or_default();
    let what = format!("the container runtime's API{whose} at {}", reach.to);
    Some(Suspicion::of(&reach, DETECTION.severity, &reach.to.to_string(), &what))
}

fn served_by(party: &PeerParty) -> Option<String> {
    let name = &party.process.as_ref()?.name;
    // A container may call its programs what it likes.
    let is_the_host = party.owner.kind == OwnerKind::Host && party.via.is_none();
    let is_one = is_the_host && SERVERS.iter().any(|server| *server == &**name);
    is_one.then(|| text::text(name).readable)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        CONNECT, Case, HOST, NOT_OURS, UNIX, aimed, judged, reached, reached_unix, refused,
    };
    use super::DETECTION;

    pub const SOCKET: &[Case] = &[Case {
        of: UNIX,
        set: &[("/hostnet/remote/name", "\"/mnt/docker.sock\"")],
        but: &[
            ("/event/outcome", "\"failure\""),
            HOST,
            ("/hostnet/remote/name", "\"/run/x\""),
            ("/hostnet/operation", "\"unix-accept\""),
        ],
    }];
    pub const PORT: &[Case] =
        &[Case { of: CONNECT, set: &[("/hostnet/remote/port", "2375")], but: NOT_OURS }];

    #[test]
    fn fires() {
        for target in ["127.0.0.1:2375", "[::1]:2376", "172.17.0.1:2375"] {
            let suspicion = judged(&DETECTION, &reached(target)).unwrap();
            assert_eq!(suspicion.subject, target);
        }
        for path in [&b"/var/run/docker.sock"[..], b"docker.sock"] {
            assert!(judged(&DETECTION, &reached_unix(path)).is_some());
        }
        assert!(
            judged(&DETECTION, &reached_unix(b"/mnt/run/containerd/containerd.sock")).is_some()
        );
    }

    #[test]
    fn does_not_fire() {
        for target in ["127.0.0.1:2377", "203.0.113.9:2375", "192.168.1.9:2375"] {
            assert_eq!(judged(&DETECTION, &reached(target)), None, "{target}");
        }
        assert_eq!(judged(&DETECTION, &refused("127.0.0.1:2375")), None);
        assert_eq!(judged(&DETECTION, &aimed("127.0.0.1:2375")), None, "it is no UDP service");
        assert_eq!(judged(&DETECTION, &reached_unix(b"/run/nscd/socket")), None);
        assert_eq!(judged(&DETECTION, &reached_unix(b"\0/run/docker.sock")), None, "abstract");
        assert_eq!(judged(&DETECTION, &reached_unix(b"/run/docker.sock.d/x")), None);
    }
}
