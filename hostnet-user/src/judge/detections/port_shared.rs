//! Two owners have one port: what was for one may reach the other.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Operation, PeerParty, Severity};

pub const DETECTION: Detection = Detection {
    id: "port-shared",
    title: "Port shared with another owner",
    severity: Severity::High,
    techniques: &[techniques::ADVERSARY_IN_THE_MIDDLE, techniques::MASQUERADING],
    needs: &["inet"],
    text: "Two sockets of different owners have the same port, by SO_REUSEPORT or because one is \
           bound to a single address and the other to all: connections meant for one may reach the \
           other. Find out which of the two should have the port.",
    excuse: Excuse::Never,
    sigma: &[SigmaRule {
        name: "port_shared",
        id: "dbc01b3d-2ea2-438c-a4e1-66c70794a750",
        title: "Port shared with another owner",
        description: "A container listens on a port at which another container, or the host, \
                      has a socket, too. It may get connections that were for the other, or \
                      lose its own to it.",
        detection: Some(
            "
    listener:
        hostnet.listen.shares_port_with.kind|exists: true
    bound:
        hostnet.bind.shares_port_with.kind|exists: true
        event.outcome: success
    host:
        hostnet.owner.kind: host
    condition: (listener or bound) and not host",
        ),
        falsepositives: &[
            "Several instances of one service that share a port by SO_REUSEPORT on purpose",
        ],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let (local, others) = match &scene.event.operation {
        Operation::Bind(bind) => (bind.local, &bind.shares_port_with),
        Operation::Listen(listen) => (listen.local, &listen.shares_port_with),
        _ => return None,
    };
    let port = local.port();
    let names: Vec<String> = others.iter().map(PeerParty::label).collect();
    if names.is_empty() || port == 0 {
        return None;
    }
    let names = names.join(", ");
    Some(Suspicion::new(format!("{port} with {names}"), format!("shares port {port} with {names}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, judged, listens, listens_beside};
    use super::DETECTION;

    pub const CASES: &[Case] = &[Case {
        of: &[("/hostnet/operation", "listen")],
        set: &[("/hostnet/listen/shares_port_with", "[{\"kind\":\"container\"}]")],
        but: &[HOST, ("/hostnet/listen/shares_port_with", "[]")],
    }];

    #[test]
    fn fires() {
        let suspicion = judged(&DETECTION, &listens_beside("0.0.0.0:80", "nginx.service")).unwrap();
        assert_eq!(suspicion.sentence, "shares port 80 with nginx.service");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &listens("0.0.0.0:80")), None);
    }
}
