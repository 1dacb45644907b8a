//! A container reaches a service that the host keeps to itself.

use super::{
    Criterion, Detection, Excuse, Memory, Scene, Suspicion, services::is_its_own, techniques,
};
use crate::{
    event::{Contact, Operation, Severity, Surface},
    judge::Target,
};

pub const DETECTION: Detection = Detection {
    id: "host-loopback-service",
    title: "Access to a service on the host's loopback",
    severity: Severity::Medium,
    techniques: &[techniques::REMOTE_SERVICES],
    needs: &["inet"],
    text: "Services on the loopback often ask for no password, because only the host was meant to \
           reach them; host networking lets containers in. If the container needs the service, list \
           it in `reach` of an expectation, or serve it on a unix socket. Names are not judged: a \
           resolver of the host on port 53 of its loopback, such as systemd-resolved at 127.0.0.53 \
           and 127.0.0.54, does for the container what Docker's own does on a bridge network.",
    excuse: Excuse::Reach,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
    let reach = scene.attempt().filter(|reach| reach.surface == Surface::HostLoopback)?;
    if reach.is_name_lookup() {
        return None;
    }
    let Target::Ip(address) = reach.to else { return None };
    // A datagram reaches somebody only when somebody is there; so does a connect that
    // is still on its way. Of a connection from before the agent, the other end may
    // be the container's own.
    let is_seen = !matches!(scene.event.operation, Operation::ExistingSocket(_));
    let is_made = reach.contact == Contact::Reached && scene.event.is_stream() && is_seen;
    let is_there = is_made || reach.peer.is_some() || scene.settles;
    if !is_there || is_its_own(scene, &reach) {
        return None;
    }
    // What is at some port of the host and has a detection of its own is told by that.
    let mut better_known = Detection::all().filter(|detection| !detection.ports.is_empty());
    if better_known.any(|better| better.judge(scene, memory).is_some()) {
        return None;
    }
    let whose = reach.whose();
    let service = whose.as_deref().unwrap_or("a loopback service of the host");
    // One service is one, whichever address of the loopback it was reached by.
    let subject = format!("{}/{}", service, address.port());
    let unknown = if whose.is_none() { " (program unknown)" } else { "" };
    let what = format!("{service} at {address}{unknown}");
    Some(Suspicion::of(&reach, DETECTION.severity, &subject, &what))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        aimed, aimed_of, judged, own_service, reached, reached_of, refused, sent, sent_of,
    };
    use super::{DETECTION, Severity};

    #[test]
    fn fires_with_the_services_name() {
        let suspicion = judged(&DETECTION, &reached_of("127.0.0.1:6379", "redis.service")).unwrap();
        assert!(suspicion.sentence.contains("redis.service on the host"), "{suspicion:?}");
        assert!(judged(&DETECTION, &reached("[::1]:5432")).is_some());
    }

    #[test]
    fn a_udp_socket_without_a_datagram_only_aims() {
        let at = "127.0.0.1:161";
        let aims = judged(&DETECTION, &aimed_of(at, "snmpd.service")).unwrap();
        assert_eq!(aims.severity, Some(Severity::Low));
        assert!(aims.sentence.starts_with("aimed a socket at snmpd.service"), "{aims:?}");
        let sends = judged(&DETECTION, &sent_of(at, "snmpd.service")).unwrap();
        assert_eq!(sends.severity, None);
    }

    #[test]
    fn names_are_asked_for_without_a_finding() {
        for at in ["127.0.0.53:53", "127.0.0.54:53", "127.0.0.1:53", "[::1]:53"] {
            let resolver = "systemd-resolved.service";
            for event in [sent_of(at, resolver), reached_of(at, resolver), aimed_of(at, resolver)] {
                assert_eq!(judged(&DETECTION, &event), None, "{at}");
            }
        }
        let other = reached_of("127.0.0.53:5355", "systemd-resolved.service");
        assert!(judged(&DETECTION, &other).is_some());
    }

    #[test]
    fn one_service_is_one_subject() {
        let subject = |at| judged(&DETECTION, &reached_of(at, "redis.service")).unwrap().subject;
        assert_eq!(subject("127.0.0.1:6379"), subject("[::1]:6379"));
        assert_ne!(subject("127.0.0.1:6379"), subject("127.0.0.1:6380"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &refused("127.0.0.1:6379")), None);
        assert_eq!(judged(&DETECTION, &reached("127.0.0.1:2375")), None, "runtime-api has it");
        assert_eq!(judged(&DETECTION, &reached("192.168.1.9:6379")), None);
        assert_eq!(judged(&DETECTION, &own_service("127.0.0.1:8080")), None);
        assert_eq!(judged(&DETECTION, &sent("127.0.0.1:9")), None, "nobody is there");
        assert_eq!(judged(&DETECTION, &aimed("127.0.0.1:9")), None, "nobody is there");
    }
}
