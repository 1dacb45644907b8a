//! A container reaches a service that the host keeps to itself.

use super::{
    Detection, Excuse, Memory, Scene, Suspicion, api_server, etcd, kubelet, runtime_api,
    service::is_its_own, techniques,
};
use crate::{
    event::{Operation, Outcome, Severity, Surface},
    judge::Target,
};

pub const DETECTION: Detection = Detection {
    id: "host-loopback-service",
    title: "Loopback service of the host reached",
    severity: Severity::Medium,
    techniques: &[techniques::REMOTE_SERVICES],
    needs: &["inet"],
    text: "What listens on the loopback often asks nobody for a password, because only the host \
           was to reach it; host networking lets containers in. If the container needs that \
           service, say so (`reach` of an expectation), or give it a unix socket.",
    excuse: Excuse::Reach,
    judge,
};

/// What is at some port of the host and has a detection of its own is told by that.
const BETTER_KNOWN: [&Detection; 4] =
    [&runtime_api::DETECTION, &kubelet::DETECTION, &etcd::DETECTION, &api_server::DETECTION];

fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
    let reach = scene.reach.filter(|reach| reach.surface == Surface::HostLoopback)?;
    let Target::Ip(address) = reach.to else { return None };
    // A datagram reaches somebody only when somebody is there; so does a connect that
    // is still on its way. Of a connection from before the agent, the other end may
    // be the container's own.
    let is_seen = !matches!(scene.event.operation, Operation::ExistingSocket(_));
    let is_made = reach.outcome == Outcome::Success && scene.event.is_stream() && is_seen;
    let is_there = is_made || reach.peer.is_some();
    if !is_there || !reach.was_let() || is_its_own(scene, &reach) {
        return None;
    }
    if BETTER_KNOWN.iter().any(|better| (better.judge)(scene, memory).is_some()) {
        return None;
    }
    let service = reach.whose().unwrap_or_else(|| "a service that is not known".to_owned());
    // One service is one, whichever address of the loopback it was reached by.
    let subject = format!("{}/{}", service, address.port());
    Some(Suspicion::new(subject, format!("reached {service} at {address}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, own_service, reached, reached_of, refused, sent};
    use super::DETECTION;

    #[test]
    fn fires_with_the_services_name() {
        let suspicion = judged(&DETECTION, &reached_of("127.0.0.1:6379", "redis.service")).unwrap();
        assert!(suspicion.sentence.contains("redis.service on the host"), "{suspicion:?}");
        assert!(judged(&DETECTION, &reached("[::1]:5432")).is_some());
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
    }
}
