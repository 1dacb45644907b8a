//! A container takes a port that was for root.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
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
    judge,
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let offer = scene.offer.filter(|offer| scene.network.is_privileged(offer.local.port()))?;
    let sentence = format!("took the privileged port {offer} on {}", offer.local.ip());
    Some(Suspicion::new(offer.to_string(), sentence))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bound_udp, judged, listens};
    use super::DETECTION;

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
