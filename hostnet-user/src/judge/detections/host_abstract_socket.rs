//! A container reaches an abstract unix socket of somebody else's.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service::is_its_own, techniques};
use crate::{
    event::{Severity, UnixAddress},
    judge::{Reach, Target},
};

pub const DETECTION: Detection = Detection {
    id: "host-abstract-socket",
    title: "Abstract unix socket of the host reached",
    severity: Severity::High,
    techniques: &[techniques::ESCAPE_TO_HOST],
    needs: &["families or first-use"],
    text: "Abstract unix sockets belong to the network namespace and have no permissions: with host \
           networking, the host's are open to the container. Through containerd-shim's one took \
           over the host (CVE-2020-15257); X11, D-Bus and others listen there, too.",
    excuse: Excuse::ReachListed,
    judge,
};

/// What containerd's shims listened on before they were moved to files.
const SHIMS: [&[u8]; 2] = [b"\0/containerd-shim/", b"\0/run/containerd/s/"];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = scene.reach.filter(Reach::was_let)?;
    let Target::Unix(name) = reach.to else { return None };
    if !name.is_abstract() || is_its_own(scene, &reach) {
        return None;
    }
    let is_shim = is_shim(name);
    // Whose it is has to be known: most abstract sockets are talked to by those who
    // bound them.
    if reach.peer.is_none() && !is_shim {
        return None;
    }
    let whose = reach.whose().map(|whose| format!(" ({whose})")).unwrap_or_default();
    let sentence = format!("reached abstract {}{whose}", reach.to);
    let suspicion = Suspicion::new(name.hex(), sentence);
    Some(if is_shim { suspicion.with(Severity::Critical) } else { suspicion })
}

fn is_shim(name: &UnixAddress) -> bool {
    SHIMS.iter().any(|shim| name.bytes().starts_with(shim))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{judged, reached_unix, reached_unix_of};
    use super::DETECTION;
    use crate::event::Severity;

    #[test]
    fn fires() {
        let shim = reached_unix(b"\0/containerd-shim/moby/x/shim.sock\0");
        assert_eq!(judged(&DETECTION, &shim).unwrap().severity, Some(Severity::Critical));
        let x11 = reached_unix_of(b"\0/tmp/.X11-unix/X0", "gdm.service");
        let suspicion = judged(&DETECTION, &x11).unwrap();
        assert!(suspicion.sentence.contains("@/tmp/.X11-unix/X0 (gdm.service"), "{suspicion:?}");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &reached_unix(b"\0of-nobody-known")), None);
        assert_eq!(judged(&DETECTION, &reached_unix_of(b"/containerd-shim/", "x.service")), None);
    }
}
