//! A container reaches an abstract unix socket of somebody else's.

use super::{
    Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, services::is_its_own,
    techniques,
};
use crate::{
    event::{Severity, UnixAddress},
    judge::Target,
};

pub const DETECTION: Detection = Detection {
    id: "host-abstract-socket",
    title: "Access to an abstract unix socket of the host",
    severity: Severity::High,
    techniques: &[techniques::ESCAPE_TO_HOST],
    needs: &["families or first-use"],
    text: "Abstract unix sockets belong to the network namespace and have no permissions: with host \
           networking, the container can use the host's. That of containerd-shim let containers \
           take over the host (CVE-2020-15257); X11 and D-Bus listen on such sockets, too.",
    excuse: Excuse::ReachListed,
    sigma: &[
        SigmaRule {
            name: "host_abstract_socket",
            id: "5c3981a8-44ab-46d8-bb81-e5e0309e6043",
            title: "Abstract socket of the host reached",
            description: "A container connected to an abstract unix socket behind which there is \
                          a process of the host. Such sockets have no file permissions, and host \
                          networking opens them: D-Bus, X11 and others.",
            detection: Some(
                "
    abstract:
        hostnet.operation:
            - unix-connect
            - unix-send
        hostnet.surface.target: abstract-unix
        hostnet.peer.kind: host
    failed:
        event.outcome: failure
    host:
        hostnet.owner.kind: host
    condition: abstract and not failed and not host",
            ),
            falsepositives: &["Desktop programs in containers"],
            #[cfg(test)]
            cases: tests::ABSTRACT,
            ..SigmaRule::BASE
        },
        SigmaRule {
            name: "containerd_shim_socket",
            id: "7ea3ef27-e2e9-4528-a4e0-689e1888df20",
            title: "Abstract socket of a containerd shim reached",
            description: "A container connected to the abstract unix socket of a containerd shim. \
                          These belong to the network namespace, so that host networking opens \
                          them; a shim that answers starts processes as root of the host \
                          (CVE-2020-15257). Update containerd, and do without host networking.",
            references: &["https://nvd.nist.gov/vuln/detail/CVE-2020-15257"],
            detection: Some(
                "
    shim:
        hostnet.operation:
            - unix-connect
            - unix-send
        hostnet.remote.name|startswith:
            - '@/containerd-shim/'
            - '@/run/containerd/s/'
    host:
        hostnet.owner.kind: host
    condition: shim and not host",
            ),
            falsepositives: &["None known"],
            level: Some(Severity::Critical),
            #[cfg(test)]
            cases: tests::SHIM,
            ..SigmaRule::BASE
        },
    ],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

/// What containerd's shims listened on before they were moved to files.
const SHIMS: [&[u8]; 2] = [b"\0/containerd-shim/", b"\0/run/containerd/s/"];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = scene.approach()?;
    let Target::Unix(name) = reach.to else { return None };
    if !name.is_abstract() || is_its_own(scene, &reach) {
        return None;
    }
    let is_shim = is_shim(name);
    // Whose it is has to be known: most abstract sockets are talked to by those who
    // bound them.
    if reach.peer.is_none() && !is_shim {
        return None;
    }
    let whose = reach.whose().map(|whose| format!(" ({whose})")).unwrap_or_default();
    let severity = if is_shim { Severity::Critical } else { DETECTION.severity };
    let what = format!("abstract {}{whose}", reach.to);
    let suspicion = Suspicion::of(&reach, severity, &name.hex(), &what);
    let severity = suspicion.severity.unwrap_or(severity);
    Some(suspicion.with(severity))
}

fn is_shim(name: &UnixAddress) -> bool {
    SHIMS.iter().any(|shim| name.bytes().starts_with(shim))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, UNIX, judged, reached_unix, reached_unix_of};
    use super::DETECTION;
    use crate::event::Severity;

    pub const SHIM: &[Case] = &[Case {
        of: UNIX,
        set: &[("/hostnet/remote/name", "\"@/containerd-shim/moby/x.sock\"")],
        but: &[HOST, ("/hostnet/remote/name", "\"/containerd-shim/x\"")],
    }];
    pub const ABSTRACT: &[Case] = &[Case {
        of: UNIX,
        set: &[("/hostnet/peer/kind", "\"host\"")],
        but: &[
            ("/hostnet/peer/kind", "\"container\""),
            HOST,
            ("/hostnet/surface/target", "\"path-unix\""),
        ],
    }];

    #[test]
    fn fires() {
        let shim = reached_unix(b"\0/containerd-shim/moby/x/shim.sock\0");
        assert_eq!(judged(&DETECTION, &shim).unwrap().severity, Some(Severity::Critical));
        let x11 = reached_unix_of(b"\0/tmp/.X11-unix/X0", "gdm.service");
        let suspicion = judged(&DETECTION, &x11).unwrap();
        assert!(suspicion.sentence.contains("@/tmp/.X11-unix/X0 (gdm.service"), "{suspicion:?}");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &reached_unix(b"\0of-nobody-known")), None);
        assert_eq!(judged(&DETECTION, &reached_unix_of(b"/containerd-shim/", "x.service")), None);
    }
}
