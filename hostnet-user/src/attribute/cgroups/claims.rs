//! What the names in a cgroup's path say of whose it is: the owner first, then
//! what is claimed below it. It reads text; whether it is true is the registry's
//! business.

use super::{claim::Claim, path as cgroup_path};

/// The outermost container a path names for certain; a path that only has the
/// shape of one is the host's.
pub fn named_container(path: &str) -> Option<Claim<'_>> {
    cgroup_path::owner(path).filter(|claim| !claim.is_guess)
}

/// Every container a path names for certain, outermost first.
pub fn certain_claims(path: &str) -> impl Iterator<Item = Claim<'_>> {
    cgroup_path::claims(path).filter(|claim| !claim.is_guess)
}

/// The container that the last part of a path names, if it does.
pub fn own_claim(path: &str) -> Option<Claim<'_>> {
    let (above, _) = path.rsplit_once('/')?;
    let is_own = certain_claims(path).count() > certain_claims(above).count();
    certain_claims(path).last().filter(|_| is_own)
}

/// The ids of claims that are not `id`.
pub fn others<'a>(claims: impl Iterator<Item = Claim<'a>>, id: &str) -> Vec<String> {
    let ids = claims.map(|claim| claim.qualified_id().into_owned());
    ids.filter(|other| other != id).collect()
}

/// The part of a process' path that is the container's own cgroup: what is below
/// it the container may have made. `None` when the path names another one first.
pub fn own_part<'a>(path: &'a str, id: &str) -> Option<&'a str> {
    // The kernel marks the path of a process that outlives its cgroup.
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let claimed = named_container(path)?.id;
    // The id is a part of the path.
    let from = claimed.as_ptr() as usize - path.as_ptr() as usize;
    let end = path.get(from..)?.find('/').map_or(path.len(), |length| from + length);
    let first = path.get(..end)?;
    named_container(first).filter(|claim| claim.id == id).map(|_| first)
}

/// A service manager gives many of its services mounts of their own.
pub fn is_service(path: &str) -> bool {
    path.split('/').any(|part| part.ends_with(".service")) && named_container(path).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
    const OTHER: &str = "6aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    /// Paths of the runtime's process, and the cgroup that they confirm.
    #[test]
    fn the_containers_own_cgroup_is_the_one_that_bears_its_name() {
        for (path, own) in [
            (format!("/docker/{ID}"), Some(format!("/docker/{ID}"))),
            (format!("/docker/{ID} (deleted)"), Some(format!("/docker/{ID}"))),
            (format!("/docker/{ID}/init.scope"), Some(format!("/docker/{ID}"))),
            (
                format!("/machine.slice/libpod-{ID}.scope/container"),
                Some(format!("/machine.slice/libpod-{ID}.scope")),
            ),
            (format!("/docker/{OTHER}/docker-{ID}.scope"), None),
            (format!("/foo-{ID}/docker/{ID}"), Some(format!("/foo-{ID}/docker/{ID}"))),
            ("/system.slice/ssh.service".to_owned(), None),
            ("/".to_owned(), None),
        ] {
            assert_eq!(own_part(&path, ID).map(str::to_owned), own, "{path}");
        }
    }

    /// Each beginning of a path is not read as a path of its own: that would take minutes.
    #[test]
    fn the_own_part_of_a_long_path_is_found_in_one_reading() {
        let path = format!("{}/docker/{ID}", "/x".repeat(300_000));
        assert_eq!(own_part(&format!("{path}/y"), ID), Some(&*path));
        assert_eq!(own_part(&format!("{path}/y"), OTHER), None);
    }
}
