//! What of the host's files a container has, by the kernel's own list of its mounts
//! (proc_pid_mountinfo(5)): however it was asked for, by whichever runtime, through
//! whichever link. Text in, facts out.

use serde::Serialize;

use crate::text::text;

/// A place of the host that a container should not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path on the host.
    pub path: String,
    device: String,
    /// Its path in its file system.
    inside: String,
}

/// Such a place in a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Exposed {
    /// Its path on the host.
    pub host_path: String,
    /// Its path in the container.
    pub container_path: String,
    /// It is mounted for writing.
    pub writable: bool,
    /// A process of the container may write to it, as far as the file's owner, group
    /// and mode tell.
    pub usable: bool,
}

struct Mount {
    device: String,
    root: String,
    point: String,
    writable: bool,
}

impl Place {
    /// Where a path, without links in it, is on the host.
    #[must_use]
    pub fn find(host_mountinfo: &str, path: &str) -> Option<Self> {
        // Of several mounts at one place the last is on top.
        let mounts = mounts(host_mountinfo).filter(|mount| below(path, &mount.point).is_some());
        let mount = mounts.max_by_key(|mount| mount.point.trim_end_matches('/').len())?;
        let inside = join(&mount.root, below(path, &mount.point)?);
        Some(Self { path: path.to_owned(), device: mount.device, inside })
    }

    /// Where a container has it.
    #[must_use]
    pub fn in_container(&self, mountinfo: &str) -> Option<Exposed> {
        let mut found = mounts(mountinfo).filter(|mount| mount.device == self.device);
        found.find_map(|mount| {
            Some(Exposed {
                host_path: self.path.clone(),
                container_path: join(&mount.point, below(&self.inside, &mount.root)?),
                writable: mount.writable,
                usable: false,
            })
        })
    }
}

fn mounts(mountinfo: &str) -> impl Iterator<Item = Mount> {
    mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let device = fields.next()?.to_owned();
        let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
        let writable = fields.next()?.split(',').any(|option| option == "rw");
        // The file system's own options may forbid it, too; they are the last field.
        let of_all = fields.last().unwrap_or_default();
        let writable = writable && !of_all.split(',').any(|option| option == "ro");
        Some(Mount { device, root, point, writable })
    })
}

/// What of `path` is below `directory`, beginning with a slash unless it is empty.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest.trim_end_matches('/'))
}

fn join(directory: &str, rest: &str) -> String {
    let path = format!("{}{rest}", directory.trim_end_matches('/'));
    if path.is_empty() { "/".to_owned() } else { path }
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let byte =
            digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    text(&bytes).readable
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n\
                        23 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=1\n\
                        24 23 0:26 / /run/user\\0400 rw - tmpfs tmpfs rw\n";

    fn in_container(path: &str, mountinfo: &str) -> Option<(String, bool)> {
        let exposed = Place::find(HOST, path).unwrap().in_container(mountinfo)?;
        assert_eq!(exposed.host_path, path);
        Some((exposed.container_path, exposed.writable))
    }

    #[test]
    fn a_place_is_known_by_its_file_system() {
        let socket = Place::find(HOST, "/run/docker.sock").unwrap();
        assert_eq!((&*socket.device, &*socket.inside), ("0:25", "/docker.sock"));
        assert_eq!(Place::find(HOST, "/run/user 0/x").unwrap().device, "0:26");
        assert_eq!(Place::find(HOST, "/runner").unwrap().device, "254:1");
        assert_eq!(Place::find(HOST, "/").unwrap().inside, "/");
        assert_eq!(Place::find("", "/"), None);
    }

    #[test]
    fn a_container_has_what_is_mounted_itself_or_with_what_is_around_it() {
        const SOCKET: &str = "/run/docker.sock";
        let own = "90 1 0:50 / / rw - overlay overlay rw\n";
        let mount = |line: &str| format!("{own}91 90 {line}\n");
        for (mountinfo, found) in [
            (own.to_owned(), None),
            (mount("0:25 /docker.sock /a/b.sock ro - tmpfs tmpfs rw"), Some(("/a/b.sock", false))),
            (mount("0:25 / /host/run rw - tmpfs tmpfs rw"), Some(("/host/run/docker.sock", true))),
            (mount("0:25 / / rw - tmpfs tmpfs ro"), Some(("/docker.sock", false))),
            (mount("0:25 /docker.sock2 /x rw - tmpfs tmpfs rw"), None),
            (mount("0:26 /docker.sock /x rw - tmpfs tmpfs rw"), None),
            ("nonsense\n\n1 2 3\n".to_owned(), None),
        ] {
            let found = found.map(|(path, writable)| (path.to_owned(), writable));
            assert_eq!(in_container(SOCKET, &mountinfo), found, "{mountinfo}");
        }
    }

    #[test]
    fn a_directory_of_the_hosts_disk_is_not_all_of_it() {
        let layer = "90 1 254:1 /var/lib/docker/vfs/dir/a / rw - ext4 /dev/vda1 rw\n";
        assert_eq!(in_container("/", layer), None);
        let root = "91 90 254:1 / /host ro - ext4 /dev/vda1 rw\n";
        assert_eq!(in_container("/", &format!("{layer}{root}")), Some(("/host".into(), false)));
    }
}
