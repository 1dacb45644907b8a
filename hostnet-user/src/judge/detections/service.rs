//! What detections of services on the host have in common.

use super::Scene;
use crate::judge::Reach;

/// The reach, when the kernel let it through to one of these ports of the host, and
/// not to the container's own.
pub fn on_the_host<'a>(scene: &Scene<'a>, ports: &[u16]) -> Option<Reach<'a>> {
    let reach = scene.reach.filter(Reach::was_let)?;
    let is_one = reach.surface.is_own_address() && ports.contains(&reach.port()?);
    (is_one && !is_its_own(scene, &reach)).then_some(reach)
}

/// Whether whoever is at the other end is the owner itself.
pub fn is_its_own(scene: &Scene<'_>, reach: &Reach<'_>) -> bool {
    let parties = reach.peer.map_or(&[][..], |peer| &peer.possible);
    !parties.is_empty() && parties.iter().all(|party| party.owner.is_same(scene.owner))
}
