//! What detections of services on the host have in common.

use super::{Scene, Suspicion};
use crate::{event::Severity, judge::Reach};

/// The attempt to reach a service that listens on one of these TCP ports of the host, and
/// is not the container's own.
pub fn on_the_host<'a>(scene: &Scene<'a>, ports: &[u16]) -> Option<Reach<'a>> {
    let reach = scene.approach().filter(|_| scene.event.is_stream())?;
    let is_one = reach.surface.is_own_address() && ports.contains(&reach.port()?);
    (is_one && !is_its_own(scene, &reach)).then_some(reach)
}

/// A suspicion about such a service.
pub fn suspicion(reach: &Reach<'_>, severity: Severity, name: &str) -> Suspicion {
    let (to, whose) = (reach.to.to_string(), reach.whose());
    let whose = whose.map(|whose| format!(" ({whose})")).unwrap_or_default();
    Suspicion::of(reach, severity, &to, &format!("{name} at {to}{whose}"))
}

/// Whether whoever is at the other end is the owner itself.
pub fn is_its_own(scene: &Scene<'_>, reach: &Reach<'_>) -> bool {
    let parties = reach.peer.map_or(&[][..], |peer| &peer.possible);
    !parties.is_empty() && parties.iter().all(|party| party.owner.is_same(scene.owner))
}
