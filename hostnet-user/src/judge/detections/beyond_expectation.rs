//! A container that may use the host's network does there what was not agreed.

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{
    event::Severity,
    judge::{Reach, expectations::Standing},
};

pub const DETECTION: Detection = Detection {
    id: "beyond-expectation",
    title: "Container does more than is expected of it",
    severity: Severity::Medium,
    techniques: &[techniques::APPLICATION_LAYER_PROTOCOL],
    needs: &["inet"],
    text: "The container is expected in the host's network, and its expectation lists what it may \
           `bind` and `reach`; this is not on the list. Either the list is too short, or the \
           container does what nobody knew of.",
    excuse: Excuse::Never,
    judge,
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Some(Standing::Expected(expectation)) = scene.standing else { return None };
    if let Some(offer) = scene.offer
        && expectation.bind.is_some()
        && !Excuse::Bind.holds(scene)
    {
        return Some(Suspicion::new(
            format!("bind {offer}"),
            format!("offers {offer}, which is not expected of it"),
        ));
    }
    let surface = scene.event.surface.filter(|_| expectation.reach.is_some())?;
    if Excuse::Reach.holds(scene) || scene.reach.is_some_and(|reach| !reach.was_let()) {
        return None;
    }
    let to = scene.reach.as_ref().map_or_else(|| surface.to_string(), describe);
    Some(Suspicion::new(
        format!("reach {to}"),
        format!("reached {to}, which is not expected of it"),
    ))
}

fn describe(reach: &Reach<'_>) -> String {
    format!("{} ({})", reach.to, reach.surface)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged_by, listens, reached, refused};
    use super::DETECTION;

    const WEB: &str = "name = \"one\"\nbind = [\"tcp/80\"]\nreach = [\"lan\"]";

    #[test]
    fn fires() {
        let suspicion = judged_by(WEB, &DETECTION, &listens("0.0.0.0:81")).unwrap();
        assert_eq!(suspicion.subject, "bind tcp/81");
        let suspicion = judged_by(WEB, &DETECTION, &reached("203.0.113.9:443")).unwrap();
        assert_eq!(suspicion.subject, "reach 203.0.113.9:443 (internet)");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged_by(WEB, &DETECTION, &listens("0.0.0.0:80")), None);
        assert_eq!(judged_by(WEB, &DETECTION, &reached("192.168.1.9:443")), None);
        assert_eq!(judged_by(WEB, &DETECTION, &refused("203.0.113.9:443")), None);
        let anything = "name = \"one\"";
        assert_eq!(judged_by(anything, &DETECTION, &listens("0.0.0.0:81")), None);
    }
}
