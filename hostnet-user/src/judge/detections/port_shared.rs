//! Two owners have one port: what was for one may reach the other.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
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
    judge,
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
    use super::super::testing::{judged, listens, listens_beside};
    use super::DETECTION;

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
