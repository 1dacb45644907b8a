//! A container asks the cloud for what the host is, and for its credentials.

use hostnet_abi::Sensitive;

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::{
    event::{Severity, Surface, from_socket_addr},
    judge::surface::MetadataService,
};

pub const DETECTION: Detection = Detection {
    id: "cloud-metadata",
    title: "Access to the cloud metadata service",
    severity: Severity::High,
    techniques: &[techniques::METADATA_API],
    needs: &["inet"],
    text: "The metadata service gives out the host's own credentials. A hop limit of 1 (IMDSv2) \
           keeps containers on bridge networks out, but not those with host networking. Give the \
           workload credentials of its own.",
    excuse: Excuse::ReachListed,
    sigma: &[SigmaRule {
        name: "cloud_metadata",
        id: "0bcc0d1c-d5a9-4145-99ba-695ab78d8387",
        title: "Cloud metadata service reached",
        description: "A container asked for the metadata of the host at an address of a cloud \
                      (AWS, Azure, Google, Alibaba and others). With host networking it asks \
                      as the host, past the hop limit of IMDSv2, and may get its credentials. \
                      Names, time and addresses are asked for at the same addresses, at ports \
                      53, 123 and 67.",
        detection: Some(
            "
    metadata:
        hostnet.operation:
            - connect
            - send
            - existing_socket
        hostnet.surface.target: metadata
    other_services:
        hostnet.remote.port:
            - 53
            - 67
            - 123
    failed:
        event.outcome: failure
    host:
        hostnet.owner.kind: host
    condition: metadata and not other_services and not failed and not host",
        ),
        falsepositives: &[
            "Agents of the cloud provider",
            "Programs that use the role of the machine on purpose",
        ],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    sensitive: addresses,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn addresses() -> Vec<Sensitive> {
    let address = |ip| Sensitive::Address(from_socket_addr((ip, 0).into()).0);
    MetadataService::all().map(|(ip, _)| address(ip)).collect()
}

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    // Failures count, too: who asks where there is no cloud does not know where it is.
    let reach = scene.reach.filter(|reach| reach.surface == Surface::Metadata)?;
    let what = format!("the cloud metadata service at {}", reach.to);
    Some(Suspicion::of(&reach, DETECTION.severity, &reach.to.to_string(), &what))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        CONNECT, Case, HOST, aimed, closed, judged, reached, refused, sent, unanswered, unseen,
    };
    use super::*;
    use crate::event::{Close, Direction, Event, Operation};

    pub const CASES: &[Case] = &[Case {
        of: CONNECT,
        set: &[("/hostnet/surface/target", "\"metadata\""), ("/hostnet/remote/port", "80")],
        but: &[
            ("/hostnet/surface/target", "\"link-local\""),
            ("/event/outcome", "\"failure\""),
            HOST,
            ("/hostnet/remote/port", "53"),
        ],
    }];

    #[test]
    fn the_end_of_a_connection_that_was_not_reported_is_a_reach_and_of_another_is_not() {
        let end = closed("192.168.1.2:40000", "169.254.169.254:80");
        let found = judged(&DETECTION, &end).unwrap();
        assert_eq!((&*found.subject, found.severity), ("169.254.169.254:80", None));
        assert!(found.sentence.ends_with("of which only the end was reported"), "{found:?}");
        let Operation::Close(close) = end.operation.clone() else { panic!("no close") };
        let reported = Close { direction: Some(Direction::Egress), ..close }.into();
        assert_eq!(judged(&DETECTION, &Event { operation: reported, ..end }), None);
        let of_a_client = closed("192.168.1.2:80", "169.254.169.254:40000");
        assert_eq!(judged(&DETECTION, &of_a_client), None);
    }

    #[test]
    fn fires() {
        for target in ["169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80"] {
            assert_eq!(judged(&DETECTION, &reached(target)).unwrap().severity, None);
            assert!(judged(&DETECTION, &sent(target)).is_some());
            let tried = judged(&DETECTION, &refused(target)).unwrap();
            assert_eq!(tried.severity, Some(Severity::Medium));
        }
    }

    #[test]
    fn says_what_it_came_to() {
        let says = |event| {
            let Suspicion { sentence, severity, .. } = judged(&DETECTION, &event).unwrap();
            (sentence, severity.unwrap_or(DETECTION.severity))
        };
        let at = "169.254.169.254:80";
        let service = "the cloud metadata service at 169.254.169.254:80";
        let all = [
            (reached(at), format!("reached {service}"), Severity::High),
            (sent(at), format!("reached {service} with a datagram"), Severity::High),
            (refused(at), format!("tried to reach {service} and was refused"), Severity::Medium),
            (
                unanswered(at),
                format!("tried to reach {service} and has no answer yet"),
                Severity::Medium,
            ),
            (aimed(at), format!("aimed a socket at {service} and sent nothing"), Severity::Low),
            (
                unseen(at),
                format!("may have reached {service}: whether anything was sent is not known"),
                Severity::Medium,
            ),
        ];
        for (event, sentence, severity) in all {
            assert_eq!(says(event), (sentence, severity));
        }
    }

    #[test]
    fn does_not_fire() {
        for target in ["169.254.1.1:80", "203.0.113.9:80", "127.0.0.1:80"] {
            assert_eq!(judged(&DETECTION, &reached(target)), None);
        }
    }
}
