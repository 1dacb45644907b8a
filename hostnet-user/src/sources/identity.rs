//! What the host says of itself, read once at start.
//!
//! An agent in a container reads the host's own files, through processes of the host or
//! where the host's are mounted; those of its image say nothing of the host.

use std::{
    ffi::CStr,
    fs::{self, File},
    io::{self, Read as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use uuid::Uuid;

use crate::{
    attribute::cgroups::path::{self, from_proc_cgroup},
    format::ecs::Identity,
    kernel::Host,
    sources::procfs,
};

/// Where state is kept unless the service manager says where.
const STATE_DIRECTORY: &str = "/var/lib/hostnet";

const MACHINE_ID: &str = "etc/machine-id";

/// Where a random id is kept, for want of the host's own.
const RANDOM_ID: &str = "host-id";

/// Longest file that is read here.
const LONGEST: u64 = 1 << 16;

/// Where the root of the host may be mounted in a container.
const MOUNTED_ROOT: &str = "/host";

/// Processes of the host that are asked for its files. The first one may hold a capability
/// that the agent lacks, and is then out of its reach.
const MOST_ASKED: usize = 4;

/// Whether an id that is made up may be kept for later runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is read again by the next run.
    Yes,
    /// Nothing is written.
    No,
}

/// Reads which host this is.
pub fn identity(network_namespace: u32, run: Uuid, keep: Keep) -> Identity {
    let files = Files::of_host(mounts_outside());
    let uname = rustix::system::uname();
    let lossy = |text: &CStr| text.to_string_lossy().into_owned();
    Identity {
        host_name: files.host_name(),
        host_id: files.host_id().unwrap_or_else(|| made_up(&state_directory(), keep)),
        boot_id: first_line(&read(Path::new("/proc/sys/kernel/random/boot_id"))),
        kernel: lossy(uname.release()),
        architecture: lossy(uname.machine()),
        os: files.os_release(),
        network_namespace,
        run,
    }
}

/// The host's mount namespace, when the agent has mounts of its own that are not those of
/// a service of the host's.
fn mounts_outside() -> Option<u32> {
    let host = Host::read().ok().filter(Host::is_agent_apart)?;
    let table = read(Path::new("/proc/self/cgroup"));
    let unified = table.lines().find_map(|line| line.strip_prefix("0::"));
    let path = unified.filter(|path| *path != "/").or_else(|| from_proc_cgroup(&table));
    (!path.is_some_and(is_of_service)).then_some(host.mount_namespace)
}

/// A service manager gives many of its services mounts of their own.
fn is_of_service(path: &str) -> bool {
    let names_container = path::owner(path).is_some_and(|claim| !claim.is_guess);
    !names_container && path.split('/').any(|part| part.ends_with(".service"))
}

/// Where the host's files are.
struct Files {
    is_in_container: bool,
    roots: Vec<PathBuf>,
    /// The mounts of this process, as the kernel lists them.
    mounts: String,
}

impl Files {
    /// `outside` is the host's mount namespace, for an agent that is not in it.
    fn of_host(outside: Option<u32>) -> Self {
        let Some(outside) = outside else {
            return Self { is_in_container: false, roots: vec!["/".into()], mounts: String::new() };
        };
        let processes = procfs::programs_in(outside).take(MOST_ASKED);
        let roots = processes.map(|pid| format!("/proc/{pid}/root").into());
        let roots = roots.chain([PathBuf::from(MOUNTED_ROOT)]).collect();
        Self { is_in_container: true, roots, mounts: read(Path::new("/proc/self/mountinfo")) }
    }

    /// The first of the host's files that can be read.
    fn read(&self, path: &str) -> Option<String> {
        let mut found = self.roots.iter().filter_map(|root| read_below(root, path).ok());
        let mounted = || {
            let full = format!("/{path}");
            let is_mounted = self.mounts.lines().any(|line| is_mount_at(line, &full));
            is_mounted.then(|| read(Path::new(&full)))
        };
        found.find(|text| !text.is_empty()).or_else(mounted)
    }

    fn host_id(&self) -> Option<String> {
        let id = first_line(&self.read(MACHINE_ID)?);
        // systemd writes `uninitialized` where the first boot has not ended.
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(id)
    }

    fn os_release(&self) -> (String, String) {
        let text = self.read("etc/os-release").or_else(|| self.read("usr/lib/os-release"));
        let text = text.unwrap_or_default();
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim_matches('"').to_owned())
                .unwrap_or_default()
        };
        (value("NAME"), value("VERSION_ID"))
    }

    /// A container has a name of its own, unless it was started with `--uts=host`.
    fn host_name(&self) -> String {
        let own = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        if !self.is_in_container {
            return own();
        }
        let of_host = std::thread::spawn(move || {
            let host = File::open("/proc/2/ns/uts")?;
            move_into_link_name_space(
                host.as_fd(),
                Some(LinkNameSpaceType::HostNameAndNISDomainName),
            )?;
            io::Result::Ok(own())
        });
        match of_host.join() {
            Ok(Ok(name)) => name,
            _ => self.read("etc/hostname").map(|text| first_line(&text)).unwrap_or_else(|| {
                let name = own();
                tracing::warn!(
                    "the host's name cannot be read, so events bear the container's, {name}: start \
                     the agent's container with --uts=host"
                );
                name
            }),
        }
    }
}

/// The mount point is the fifth field (proc_pid_mountinfo(5)).
fn is_mount_at(line: &str, path: &str) -> bool {
    line.split(' ').nth(4) == Some(path)
}

/// A file below a directory: its links do not lead out of that.
fn read_below(root: &Path, path: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let directory = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let found = rustix::fs::openat2(&directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    let file = match found {
        // Before Linux 5.6.
        Err(rustix::io::Errno::NOSYS) => {
            rustix::fs::openat(&directory, path, flags | OFlags::NOFOLLOW, Mode::empty())?
        }
        found => found?,
    };
    let mut text = String::new();
    File::from(file).take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Where the service manager says that state is kept, or where it is by default.
#[must_use]
pub fn state_directory() -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty());
    // The service manager separates several with colons.
    let first = given.and_then(|given| std::env::split_paths(&given).next());
    first.unwrap_or_else(|| STATE_DIRECTORY.into())
}

/// An id for a host that shows none: random, and the same in later runs where it can be kept.
fn made_up(directory: &Path, keep: Keep) -> String {
    let file = directory.join(RANDOM_ID);
    let kept = first_line(&read(&file));
    let (id, is_kept) = match Uuid::try_parse(&kept) {
        Ok(id) => (id, true),
        Err(_) if keep == Keep::No => return String::new(),
        Err(_) => {
            let id = Uuid::new_v4();
            let written = fs::create_dir_all(directory)
                .and_then(|()| fs::write(&file, format!("{}\n", id.simple())));
            (id, written.is_ok())
        }
    };
    let lasts = if is_kept {
        format!("a random id is used instead, kept in {}", file.display())
    } else {
        format!(
            "a random id is used instead, and another one after each start, because {} cannot be written",
            file.display()
        )
    };
    tracing::warn!(
        "the host's /etc/machine-id cannot be read: {lasts}; in a container, mount the host's with \
         -v /etc/machine-id:/etc/machine-id:ro"
    );
    id.simple().to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn files(root: &Path) -> Files {
        Files { is_in_container: true, roots: vec![root.to_owned()], mounts: String::new() }
    }

    #[test]
    fn links_of_the_host_are_followed_below_its_root() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/static")).unwrap();
        fs::write(root.path().join("etc/static/id"), format!("{ID}\n")).unwrap();
        symlink("/etc/static/id", root.path().join(MACHINE_ID)).unwrap();
        assert_eq!(files(root.path()).host_id().as_deref(), Some(ID));
        fs::write(root.path().join("etc/static/id"), "uninitialized\n").unwrap();
        assert_eq!(files(root.path()).host_id(), None);
    }

    #[test]
    fn a_file_of_the_image_is_not_the_hosts_unless_it_is_mounted() {
        let empty = tempfile::tempdir().unwrap();
        let own = first_line(&read(Path::new("/etc/machine-id")));
        assert_eq!(files(empty.path()).host_id(), None);
        let line = "31 23 8:1 /etc/machine-id /etc/machine-id ro,relatime - ext4 /dev/sda1 rw";
        assert!(is_mount_at(line, "/etc/machine-id") && !is_mount_at(line, "/etc"));
        if own.len() == 32 {
            let mounted = Files { mounts: line.to_owned(), ..files(empty.path()) };
            assert_eq!(mounted.host_id(), Some(own));
        }
    }

    #[test]
    fn a_random_id_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        assert_eq!(made_up(&state, Keep::No), "");
        let id = made_up(&state, Keep::Yes);
        assert_eq!((id.len(), made_up(&state, Keep::Yes)), (32, id.clone()));
        assert_eq!(made_up(&state, Keep::No), id);
        assert_ne!(made_up(&directory.path().join("other"), Keep::Yes), id);
    }
}
