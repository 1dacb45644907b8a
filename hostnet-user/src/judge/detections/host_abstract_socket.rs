//! A container reaches an abstract unix socket of somebody else's.

use super::{Detection, Excuse, Memory, Scene, Suspicion, service::is_its_own, techniques};
use crate::{
    event::{Severity, UnixAddress},
    judge::Target,
};

pub const DETECTION: Detection = Detection {
    id: "host-abstract-socket",
    title: "Access to an abstract unix socket of the host",
    severity: Severity::High,
    techniques: &[techniques::ESCAPE_TO_HOST],
    needs: &["families or first-use"],
    text: "Abstract unix sockets belong to the network namespace and have no permissions: with host \
           networking, the container can use the host's. That of containerd-shim let containers \
           take over the host (CVE-2020-15257); X11 and D-Bus listen on such sockets, too.",
    excuse: Excuse::ReachListed,
    judge,
};

/// What containerd's shims listened on before they were moved to files.
const SHIMS: [&[u8]; 2] = [b"\0/containerd-shim/", b"\0/run/containerd/s/"];

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let reach = scene.approach()?;
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
    let severity = if is_shim { Severity::Critical } else { DETECTION.severity };
    let what = format!("abstract {}{whose}", reach.to);
    let suspicion = Suspicion::of(&reach, severity, &name.hex(), &what);
    let severity = suspicion.severity.unwrap_or(severity);
    Some(suspicion.with(severity))
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
