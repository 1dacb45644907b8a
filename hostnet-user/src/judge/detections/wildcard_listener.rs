//! A container listens on every address of the host.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Scope, Severity};

pub const DETECTION: Detection = Detection {
    id: "wildcard-listener",
    title: "Listener on all of the host's interfaces",
    severity: Severity::Low,
    techniques: &[techniques::EXTERNAL_REMOTE_SERVICES],
    needs: &["inet"],
    text: "Every network that the host is attached to reaches this port; Docker's own rules for \
           published ports do not apply. If that is wanted, list the port in `bind` of an \
           expectation; else let the container listen on one address.",
    excuse: Excuse::Bind,
    sigma: &[SigmaRule {
        name: "wildcard_listener",
        id: "6cc3ba50-3183-4d1d-b933-dffe9f578985",
        title: "Listener on all interfaces of the host",
        description: "A container listens on every address of the host: every network that it \
                      is attached to reaches the port, and the rules of Docker for published \
                      ports do not apply.",
        detection: Some(
            "
    listener:
        hostnet.operation: listen
        hostnet.listen.scope: any
    datagrams:
        hostnet.operation: bind
        network.transport: udp
        event.outcome: success
        hostnet.bind.requested_port|gt: 0
        hostnet.bind.scope: any
    host:
        hostnet.owner.kind: host
    condition: (listener or datagrams) and not host",
        ),
        falsepositives: &["Services that are meant to be reached from outside"],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let offer = scene.offer.filter(|offer| offer.scope == Scope::Any)?;
    let at = offer.to_string();
    Some(Suspicion::new(at.clone(), format!("listens on {at} on all of the host's interfaces")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, bound_udp, judged, listens};
    use super::DETECTION;

    pub const CASES: &[Case] = &[Case {
        of: &[("/hostnet/operation", "listen")],
        set: &[],
        but: &[HOST, ("/hostnet/listen/scope", "\"loopback\"")],
    }];

    #[test]
    fn fires() {
        assert_eq!(judged(&DETECTION, &listens("0.0.0.0:8080")).unwrap().subject, "tcp/8080");
        assert_eq!(judged(&DETECTION, &bound_udp("[::]:53")).unwrap().subject, "udp/53");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &listens("127.0.0.1:8080")), None);
        assert_eq!(judged(&DETECTION, &listens("192.168.1.2:8080")), None);
    }
}
