//! A container opens a packet socket: it can read and write the host's frames.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Operation, Severity, Surface};

pub const DETECTION: Detection = Detection {
    id: "packet-socket",
    title: "Packet socket in the host's network",
    severity: Severity::High,
    techniques: &[techniques::NETWORK_SNIFFING, techniques::ADVERSARY_IN_THE_MIDDLE],
    needs: &["families or first-use"],
    text: "A packet socket sees all traffic of the host's interfaces, other containers' included, and \
           can answer in the host's name. Docker gives every container the capability for it \
           (NET_RAW): drop it from containers that need not sniff.",
    excuse: Excuse::ReachListed,
    sigma: &[SigmaRule {
        name: "packet_socket",
        id: "e08137f3-3a08-4ec9-9f95-e90587134be1",
        title: "Packet socket opened",
        description: "A container opened a packet socket, or took frames from an interface. \
                      With host networking it sees, and may forge, the traffic of the host \
                      and of every other container.",
        detection: Some(
            "
    opened:
        hostnet.operation:
            - family-socket
            - packet-bind
        hostnet.socket.family: packet
    host:
        hostnet.owner.kind: host
    condition: opened and not host",
        ),
        falsepositives: &["DHCP clients and servers, load balancers (VRRP, ARP), network monitors"],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    if scene.event.surface != Some(Surface::Packet) {
        return None;
    }
    let does = match &scene.event.operation {
        Operation::ExistingSocket(_) => "has a packet socket".to_owned(),
        Operation::PacketBind(bind) if bind.interface != 0 => {
            format!("reads the frames of the host's interface with index {}", bind.interface)
        }
        Operation::PacketBind(_) => "reads the frames of all the host's interfaces".to_owned(),
        _ => "opened a packet socket".to_owned(),
    };
    // Opening and binding are one act, and a sniffer may open many.
    Some(Suspicion::new("packet socket", does))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, family_socket, judged, reached};
    use super::DETECTION;

    pub const CASES: &[Case] = &[
        Case { of: &[("/hostnet/operation", "packet-bind")], set: &[], but: &[HOST] },
        Case {
            of: &[("/hostnet/operation", "family-socket")],
            set: &[],
            but: &[HOST, ("/hostnet/socket/family", "\"vsock\"")],
        },
    ];

    #[test]
    fn fires() {
        assert!(judged(&DETECTION, &family_socket(libc::AF_PACKET)).is_some());
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &family_socket(libc::AF_VSOCK)), None);
        assert_eq!(judged(&DETECTION, &reached("127.0.0.1:80")), None);
    }
}
