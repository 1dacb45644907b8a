//! Reads `/etc/passwd`: the host's, and those of containers, which may be anything.
//!
//! A container's file is opened only where nobody in user space can hold up the
//! open (a kernel's own file system), without following a link or crossing into
//! another mount, and only if it is a regular file of moderate size. A file system
//! may still lie on top of one that hangs, so that each is read on a thread that may
//! block, and waited for a moment only.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read as _},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    time::Duration,
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::event::UserNames;

/// Most bytes of a file; of a longer one nothing is believed.
const MOST_BYTES: u64 = 256 << 10;

/// Most bytes that the kernel is asked for of a table of mounts at once.
const MOUNT_BYTES: usize = 512;

/// The longest that a container's file is waited for, its turn included.
const PATIENCE: Duration = Duration::from_millis(250);

/// Containers' files are read so many at once; while that many hang, no other is.
static READERS: Semaphore = Semaphore::const_new(16);

/// File systems whose open no process can hold up.
const LOCAL: [&[u8]; 11] = [
    b"overlay",
    b"ext2",
    b"ext3",
    b"ext4",
    b"xfs",
    b"btrfs",
    b"zfs",
    b"f2fs",
    b"tmpfs",
    b"squashfs",
    b"erofs",
];

/// The host's users, unless its file is what it was: then `None`, too.
#[derive(Debug, Default)]
pub struct HostUsers {
    /// Device, inode, size and time of the file that was read last.
    read: Option<(u64, u64, u64, i64)>,
}

impl HostUsers {
    /// The users, when the file below the host's `root` has changed.
    pub fn changed(&mut self, root: &str) -> Option<UserNames> {
        let path = format!("{root}/etc/passwd");
        let metadata = fs::metadata(&path).ok()?;
        let now = Some((metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime()));
        if now == self.read {
            return None;
        }
        self.read = now;
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).ok()?;
        Some(UserNames::parse(&read(file).ok()?, Some))
    }
}

/// What a container calls its users, by the host's ids. Its process `pid` must have
/// this mount namespace; nothing when the file cannot be read safely.
pub async fn claimed(pid: u32, mount_namespace: u32) -> UserNames {
    let read = async {
        let turn = READERS.acquire().await.ok()?;
        let reader = spawn_blocking(move || {
            let _until_read = turn;
            of_process(pid, mount_namespace).unwrap_or_default()
        });
        reader.await.ok()
    };
    timeout(PATIENCE, read).await.ok().flatten().unwrap_or_default()
}

fn of_process(pid: u32, mount_namespace: u32) -> io::Result<UserNames> {
    let root = rustix::fs::openat(
        CWD,
        format!("/proc/{pid}/root"),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let own = fs::read_to_string(format!("/proc/self/fdinfo/{}", root.as_raw_fd()))?;
    // The kernel writes no more lines than are read, and a container's root is its first.
    let mounts = File::open(format!("/proc/{pid}/mountinfo"))?;
    let mounts = BufReader::with_capacity(MOUNT_BYTES, mounts);
    let ids = fs::read_to_string(format!("/proc/{pid}/uid_map"))?;
    // Asked last: whoever has the id by now is still of that container.
    let namespace = fs::metadata(format!("/proc/{pid}/ns/mnt"))?.ino();
    let is_local = mount_id(&own).is_some_and(|id| is_local(mounts, id));
    if namespace != u64::from(mount_namespace) || !is_local {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let file = read(regular(root.as_fd())?)?;
    Ok(UserNames::parse(&file, |id| host_id(&ids, id)))
}

/// `etc/passwd` below a directory, if it is a regular file that is really there.
fn regular(root: BorrowedFd<'_>) -> io::Result<File> {
    // Not opened for reading yet: that alone makes some devices act.
    let found = rustix::fs::openat2(
        root,
        "etc/passwd",
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT
            | ResolveFlags::NO_XDEV
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS,
    )?;
    if !File::from(found.try_clone()?).metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Which mount a descriptor is in, by its fdinfo.
fn mount_id(fdinfo: &str) -> Option<u32> {
    fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// Whether a mount of a mountinfo (proc(5)) is of a kernel's own file system.
fn is_local(mounts: impl BufRead, id: u32) -> bool {
    let id = id.to_string();
    let mut lines = mounts.split(b'\n').map_while(Result::ok);
    let is_its = |line: &Vec<u8>| line.split(|byte| *byte == b' ').next() == Some(id.as_bytes());
    let Some(line) = lines.find(is_its) else { return false };
    // Fields that may be missing come before the one that is a dash; spaces in names are
    // written otherwise.
    let mut fields = line.split(|byte| *byte == b' ').skip_while(|field| *field != b"-").skip(1);
    fields.next().is_some_and(|name| LOCAL.contains(&name))
}

/// The user of the host's that a user of a process' user namespace is, by its
/// `uid_map`, which is as the reader's namespace sees it.
fn host_id(map: &str, id: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (inside, outside, count) =
            (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let offset = id.checked_sub(inside).filter(|offset| *offset < count)?;
        outside.checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A root directory with an empty `etc`.
    fn root() -> TempDir {
        let root = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(root.path().join("etc")).expect("a new directory");
        root
    }

    fn read_below(root: &TempDir) -> io::Result<Vec<u8>> {
        let root = File::open(root.path())?;
        read(regular(root.as_fd())?)
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let root = root();
        let path = root.path().join("etc/passwd");
        assert!(read_below(&root).is_err(), "there is none");
        fs::write(&path, "root:x:0:0::/:\n").expect("a file");
        match read_below(&root) {
            Ok(bytes) => assert_eq!(bytes, b"root:x:0:0::/:\n"),
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => return,
            Err(error) => panic!("{error}"),
        }
        fs::write(&path, vec![b'a'; MOST_BYTES as usize + 1]).expect("a file");
        assert!(read_below(&root).is_err(), "it is too long");
        fs::remove_file(&path).expect("it is there");
        // Nobody writes into it: whoever waits for that, waits for ever.
        let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::RUSR);
        rustix::fs::mknodat(CWD, &path, kind, mode, 0).expect("a pipe");
        assert!(read_below(&root).is_err(), "a pipe");
        fs::remove_file(&path).expect("it is there");
        fs::create_dir(&path).expect("a directory");
        assert!(read_below(&root).is_err(), "a directory");
    }

    #[test]
    fn no_link_is_followed() {
        let root = root();
        let path = root.path().join("etc/passwd");
        fs::write(root.path().join("inside"), "root:x:0:0::/:\n").expect("a file");
        for target in ["/etc/passwd", "../../etc/passwd", "/proc/self/root/etc/passwd", "/inside"] {
            symlink(target, &path).expect("a link");
            assert!(read_below(&root).is_err(), "{target}");
            fs::remove_file(&path).expect("it is there");
        }
        fs::remove_dir(root.path().join("etc")).expect("it is empty");
        symlink("/etc", root.path().join("etc")).expect("a link");
        assert!(read_below(&root).is_err(), "the directory is a link");
    }

    #[test]
    fn only_a_kernels_file_system_is_trusted_to_answer() {
        let mounts = b"21 1 0:20 / / rw shared:1 master:2 - overlay overlay rw,lowerdir=/-\n\
            22 21 0:21 / /a rw - fuse.x - rw\n\
            23 21 0:22 / /b\\040-\\040overlay rw - nfs4 host:/ rw\n\
            24 21 0:23 / /c rw\n";
        let local = [21, 22, 23, 24, 2].map(|id| is_local(&mounts[..], id));
        assert_eq!(local, [true, false, false, false, false]);
        assert_eq!(mount_id("pos:\t0\nflags:\t012200000\nmnt_id:\t21\nino:\t2\n"), Some(21));
    }

    #[test]
    fn ids_of_a_user_namespace_are_mapped() {
        let map = "         0     100000      65536\n     70000          7          1\n";
        let ids = [0, 65_535, 65_536, 70_000, 70_001].map(|id| host_id(map, id));
        assert_eq!(ids, [Some(100_000), Some(165_535), None, Some(7), None]);
        assert_eq!(host_id("0 0 4294967295", 1000), Some(1000));
        assert_eq!(host_id("what\n1 2", 1), None);
    }
}
