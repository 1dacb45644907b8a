//! A container opens a packet socket: it can read and write the host's frames.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
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
    judge,
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
    use super::super::testing::{family_socket, judged, reached};
    use super::DETECTION;

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
