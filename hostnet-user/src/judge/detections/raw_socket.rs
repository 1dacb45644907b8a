//! A container opens a raw IP socket: it can send what it likes as the host.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Operation, Severity};

pub const DETECTION: Detection = Detection {
    id: "raw-socket",
    title: "Raw IP socket in the host's network",
    severity: Severity::Medium,
    techniques: &[techniques::NON_APPLICATION_LAYER_PROTOCOL, techniques::NETWORK_SNIFFING],
    needs: &["inet"],
    text: "A raw socket gets a copy of all packets of one protocol that the host receives, and sends \
           packets that no firewall rule for containers applies to. An old ping needs one (low): set \
           `net.ipv4.ping_group_range` instead, and drop NET_RAW.",
    excuse: Excuse::ReachListed,
    sigma: &[SigmaRule {
        name: "raw_socket",
        id: "6b881677-6b5a-4b73-a944-72d1a7d32946",
        title: "Raw socket opened",
        description: "A container opened a raw IP socket. With host networking it receives \
                      copies of the packets that reach the host with that protocol, and sends \
                      as the host.",
        detection: Some(
            "
    opened:
        hostnet.operation: raw-socket
    host:
        hostnet.owner.kind: host
    condition: opened and not host",
        ),
        falsepositives: &["ping and traceroute", "Routing daemons (OSPF) and VRRP"],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

/// ICMP and ICMPv6.
const PING: [u32; 2] = [1, 58];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::RawSocket(raw) = &scene.event.operation else { return None };
    let subject = format!("raw socket, protocol {}", raw.protocol);
    let suspicion = Suspicion::new(subject, scene.event.operation.to_string());
    Some(if PING.contains(&raw.protocol) { suspicion.with(Severity::Low) } else { suspicion })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, judged, raw_socket, reached};
    use super::DETECTION;
    use crate::event::Severity;

    pub const CASES: &[Case] =
        &[Case { of: &[("/hostnet/operation", "raw-socket")], set: &[], but: &[HOST] }];

    #[test]
    fn fires() {
        assert_eq!(judged(&DETECTION, &raw_socket(255)).unwrap().severity, None);
        assert_eq!(judged(&DETECTION, &raw_socket(1)).unwrap().severity, Some(Severity::Low));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &reached("127.0.0.1:80")), None);
    }
}
