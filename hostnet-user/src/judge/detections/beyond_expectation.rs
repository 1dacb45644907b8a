//! A container that may use the host's network does there what was not agreed.

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{event::Severity, judge::expectations::Standing};

pub const DETECTION: Detection = Detection {
    id: "beyond-expectation",
    title: "Container does more than its expectation allows",
    severity: Severity::Medium,
    techniques: &[techniques::APPLICATION_LAYER_PROTOCOL],
    needs: &["inet"],
    text: "The container's expectation lists what it may `bind` and `reach`, and this is not on the \
           list. Either the list is too short, or the container does what nobody knew of. Names \
           asked of the host's own resolver are on every list.",
    excuse: Excuse::Never,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Some(Standing::Expected(expectation)) = scene.standing else { return None };
    if let Some(offer) = scene.offer
        && expectation.bind.is_some()
        && !Excuse::Bind.holds(scene)
    {
        return Some(Suspicion::new(
            format!("bind {offer}"),
            format!("listens on {offer}, which its expectation does not allow"),
        ));
    }
    let surface = scene.event.surface.filter(|_| expectation.reach.is_some())?;
    if Excuse::Reach.holds(scene) {
        return None;
    }
    if scene.reach.is_none() {
        let sentence = format!("used {surface}, which its expectation does not allow");
        return Some(Suspicion::new(format!("reach {surface}"), sentence));
    }
    let reach = scene.approach().filter(|reach| !reach.is_name_lookup())?;
    let to = format!("{} ({})", reach.to, reach.surface);
    let what = format!("{to}, which its expectation does not allow");
    Some(Suspicion::of(&reach, DETECTION.severity, &format!("reach {to}"), &what))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{aimed, judged_by, listens, reached, refused, sent};
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
        assert_eq!(judged_by(WEB, &DETECTION, &sent("127.0.0.53:53")), None, "names");
        assert_eq!(judged_by(WEB, &DETECTION, &aimed("203.0.113.9:443")), None);
        let anything = "name = \"one\"";
        assert_eq!(judged_by(anything, &DETECTION, &listens("0.0.0.0:81")), None);
    }
}
