//! A container takes a port that was for root.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::Severity;

pub const DETECTION: Detection = Detection {
    id: "privileged-port",
    title: "Privileged port of the host taken",
    severity: Severity::Low,
    techniques: &[techniques::MASQUERADING],
    needs: &["inet"],
    text: "Ports below 1024 are where people and programs expect the host's own services: DNS, NTP, \
           SSH, mail. They will trust a container that takes one. If that is wanted, list the port in \
           `bind` of an expectation.",
    excuse: Excuse::Bind,
    sigma: &[SigmaRule {
        name: "privileged_port",
        id: "f41fae4a-5518-483d-a986-47fe161b80de",
        title: "Privileged port of the host taken",
        description: "A container listens on a port below 1024 of the host, where people and \
                      programs expect services of the host itself.",
        detection: Some(
            "
    listener:
        hostnet.operation: listen
        hostnet.local.port|lt: 1024
    datagrams:
        hostnet.operation: bind
        network.transport: udp
        event.outcome: success
        hostnet.bind.requested_port|gt: 0
        hostnet.local.port|lt: 1024
    host:
        hostnet.owner.kind: host
    condition: (listener or datagrams) and not host",
        ),
        falsepositives: &["Web servers, DNS servers and proxies"],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let offer = scene.offer.filter(|offer| scene.network.is_privileged(offer.local.port()))?;
    let sentence = format!("took the privileged port {offer} on {}", offer.local.ip());
    Some(Suspicion::new(offer.to_string(), sentence))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, bound_udp, judged, listens};
    use super::DETECTION;

    pub const CASES: &[Case] = &[
        Case {
            of: &[("/hostnet/operation", "listen")],
            set: &[("/hostnet/local/port", "80")],
            but: &[HOST, ("/hostnet/local/port", "1024")],
        },
        Case {
            of: &[("/hostnet/operation", "bind"), ("/network/transport", "udp")],
            set: &[("/hostnet/local/port", "53"), ("/hostnet/bind/requested_port", "53")],
            but: &[HOST, ("/hostnet/bind/requested_port", "0"), ("/event/outcome", "\"failure\"")],
        },
    ];

    #[test]
    fn fires() {
        assert_eq!(judged(&DETECTION, &listens("0.0.0.0:80")).unwrap().subject, "tcp/80");
        assert_eq!(judged(&DETECTION, &bound_udp("127.0.0.1:53")).unwrap().subject, "udp/53");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &listens("0.0.0.0:1024")), None);
    }
}
