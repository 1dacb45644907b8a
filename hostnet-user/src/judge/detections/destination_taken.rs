//! A container listens where hostnet itself connects to without TLS.

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::event::Severity;

const UDP: u32 = 17;

pub const DETECTION: Detection = Detection {
    id: "destination-taken",
    title: "Listener where hostnet delivers events or asks for names",
    severity: Severity::High,
    techniques: &[techniques::ADVERSARY_IN_THE_MIDDLE],
    needs: &["inet"],
    text: "A sink, or the container runtime's API, is at this address of the loopback and is used \
           without TLS, so a container that listens there while the receiver is away gets the \
           events, or says what containers are called. Use a unix socket or TLS. If the container \
           is the receiver, list the port in `bind` of an expectation.",
    excuse: Excuse::BindListed,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let offer = scene.offer.filter(|offer| offer.transport != UDP)?;
    let taken = scene.destinations.iter().find(|one| one.is_taken_by(offer.local))?;
    let sentence = format!("listens at {}, and there goes {}", offer.local, taken.what);
    Some(Suspicion::new(offer.to_string(), sentence))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{DESTINATION, bound_udp, judged, judged_by, listens};
    use super::DETECTION;

    #[test]
    fn fires() {
        for at in [DESTINATION, "0.0.0.0:6514", "[::]:6514"] {
            let suspicion = judged(&DETECTION, &listens(at)).unwrap();
            assert_eq!(suspicion.subject, "tcp/6514");
            assert!(suspicion.sentence.ends_with("there goes what sink siem sends"));
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &listens("127.0.0.1:6515")), None);
        assert_eq!(judged(&DETECTION, &listens("192.168.1.2:6514")), None);
        assert_eq!(judged(&DETECTION, &bound_udp(DESTINATION)), None);
    }

    #[test]
    fn only_a_list_with_the_port_excuses_it() {
        let by = |entry: &str| judged_by(entry, &DETECTION, &listens(DESTINATION)).is_some();
        assert!(by("name = \"one\""), "a receiver has to be named as one");
        assert!(by("name = \"one\"\nbind = [\"tcp/443\"]"));
        assert!(!by("name = \"one\"\nbind = [\"tcp/6514\"]"));
    }
}
