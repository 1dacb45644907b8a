//! What /proc and the cgroup file system show: the state from before the agent
//! started, and processes no record has told of.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Read as _},
    num::NonZero,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    panic::resume_unwind,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags};

use crate::{
    attribute::{Apart, Holder, cgroups::path::from_proc_cgroup},
    event::{ExecutedFile, Location, Process, who::process::last_part},
    kernel::Host,
    text,
};

/// The clock of /proc/PID/stat ticks 100 times a second on every Linux user space.
const NS_PER_TICK: u64 = 1_000_000_000 / 100;

/// Most bytes that are read of a command line: it may have megabytes, and the kernel takes
/// milliseconds to copy them.
const MOST_COMMAND_LINE: u64 = 128 << 10;

/// Threads that look at once who holds sockets.
const MOST_LOOK: usize = 4;

/// What the kernel ends the path of a removed file with (`d_path`, fs/d_path.c).
const DELETED: &[u8] = b" (deleted)";

/// Every cgroup below `root` as (id, path from the root). Unreadable
/// directories are passed over: they are gone by the time they are read. So are those
/// of another file system that somebody mounted there: their inodes are no cgroups.
#[must_use]
pub fn cgroups(root: &Path) -> Vec<(u64, String)> {
    let Ok(metadata) = fs::metadata(root) else { return Vec::new() };
    let device = metadata.dev();
    let mut found = vec![(metadata.ino(), "/".to_owned())];
    // A name is any bytes: a path is made text to be shown, never to be opened.
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.flatten().filter(|one| one.file_type().is_ok_and(|kind| kind.is_dir()))
        {
            let Ok(metadata) = entry.metadata() else { continue };
            let directory = entry.path();
            if let (true, Ok(below)) = (metadata.dev() == device, directory.strip_prefix(root)) {
                let path = text::text(below.as_os_str().as_bytes()).readable;
                found.push((metadata.ino(), format!("/{path}")));
                pending.push(directory);
            }
        }
    }
    found
}

/// The ids of the processes in the network namespace with this inode.
pub fn pids_in(network_namespace: u32) -> impl Iterator<Item = u32> {
    let is_there = move |pid: &u32| namespace(*pid, "net") == Some(network_namespace);
    pids().into_iter().filter(is_there)
}

/// Every process that runs a program and whose mount or pid namespace is not the host's.
#[must_use]
pub fn apart(host: &Host, cgroup_root: &Path) -> Vec<Apart> {
    let apart = pids().into_iter().filter_map(|pid| {
        // Kernel threads run no program, and kdevtmpfs has mounts of its own.
        fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let mount_namespace = namespace(pid, "mnt")?;
        let own_pids = namespace(pid, "pid")? != host.pid_namespace;
        if mount_namespace == host.mount_namespace && !own_pids {
            return None;
        }
        let in_host_network = namespace(pid, "net")? == host.network_namespace;
        let cgroup = cgroup(pid, cgroup_root)?;
        Some(Apart { pid, cgroup, mount_namespace, own_pids, in_host_network })
    });
    apart.collect()
}

/// The processes that run a program in the mount namespace with this inode, in the order of
/// their ids, as far as they may be looked at.
pub fn programs_in(mount_namespace: u32) -> impl Iterator<Item = u32> {
    let is_there = move |pid: &u32| namespace(*pid, "mnt") == Some(mount_namespace);
    // The kernel's own threads may have another root.
    let runs = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    pids().into_iter().filter(is_there).filter(runs)
}

/// The ids of all processes, in their order.
fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// Inode of a process' namespace; `None` when it is gone.
#[must_use]
pub fn namespace(pid: u32, name: &str) -> Option<u32> {
    let metadata = fs::metadata(format!("/proc/{pid}/ns/{name}")).ok()?;
    u32::try_from(metadata.ino()).ok()
}

/// Whether a process that was found is there still, and in this network namespace.
#[must_use]
pub fn is_still_in(process: &Process, network_namespace: u32) -> bool {
    let stat = fs::read(format!("/proc/{}/stat", process.pid)).ok();
    let start_ticks = stat.and_then(|stat| Some(parse_stat(&stat)?.2));
    start_ticks.is_some_and(|ticks| ticks * NS_PER_TICK == process.start_ns)
        && namespace(process.pid, "net") == Some(network_namespace)
}

/// The processes that hold sockets with these inodes, by inode and in the order
/// of their ids, each with the cgroup it is in below `cgroup_root`. Several threads look,
/// because each of all descriptors on the host is a question of its own.
#[must_use]
pub fn socket_holders(inodes: &HashSet<u32>, cgroup_root: &Path) -> HashMap<u32, Vec<Holder>> {
    let (pids, next) = (&pids(), &AtomicUsize::new(0));
    let look = move || {
        let mut found = Vec::new();
        while let Some(&pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
            let held: HashSet<u32> =
                sockets(pid).into_iter().filter(|inode| inodes.contains(inode)).collect();
            let Some(cgroup) = held.iter().next().and_then(|_| cgroup(pid, cgroup_root)) else {
                continue;
            };
            found.extend(held.into_iter().map(|inode| (inode, Holder { pid, cgroup })));
        }
        found
    };
    let helpers = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_LOOK) - 1;
    let mut found = thread::scope(|scope| {
        let help = |_| thread::Builder::new().name("ask-holders".into()).spawn_scoped(scope, look);
        let helpers: Vec<_> = (0..helpers).map(help).filter_map(Result::ok).collect();
        let mut found = look();
        for helper in helpers {
            found.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        found
    });
    found.sort_unstable_by_key(|(_, holder)| holder.pid);
    let mut holders: HashMap<u32, Vec<Holder>> = HashMap::new();
    for (inode, holder) in found {
        holders.entry(inode).or_default().push(holder);
    }
    holders
}

/// The inodes of the sockets that a process has open; none when it is gone. There may
/// be a hundred thousand: each is looked up from its directory, not from the root.
fn sockets(pid: u32) -> Vec<u32> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(format!("/proc/{pid}/fd"), flags, Mode::empty());
    let Ok(mut entries) = directory.and_then(Dir::new) else { return Vec::new() };
    let mut sockets = Vec::new();
    let mut link = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        let Ok(directory) = entries.fd() else { break };
        let target = rustix::fs::readlinkat(directory, entry.file_name(), link);
        let Ok(target) = target else {
            link = Vec::new();
            continue;
        };
        sockets.extend(socket_inode(target.to_bytes()));
        link = target.into_bytes();
    }
    sockets
}

/// `socket:[INODE]`
fn socket_inode(link: &[u8]) -> Option<u32> {
    let inode = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    str::from_utf8(inode).ok()?.parse().ok()
}

/// The id of a process's cgroup in the v2 hierarchy; `None` when it is gone.
#[must_use]
pub fn cgroup(pid: u32, root: &Path) -> Option<u64> {
    cgroup_id(root, &relative_cgroup(pid)?)
}

/// A process's cgroup in the v2 hierarchy and those above it but the root, outermost
/// first, as (id, path from the root); empty when it is gone.
#[must_use]
pub fn cgroup_lineage(pid: u32, root: &Path) -> Vec<(u64, String)> {
    let path = relative_cgroup(pid).unwrap_or_default();
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let parts = ends.chain([path.len()]).map(|end| &path[..end]).filter(|part| !part.is_empty());
    let entry = |part| Some((cgroup_id(root, part)?, format!("/{}", text::text(part).readable)));
    parts.filter_map(entry).collect()
}

/// The path of a process's cgroup below the v2 root.
fn relative_cgroup(pid: u32) -> Option<Vec<u8>> {
    let text = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(b"0::/")).map(<[u8]>::to_vec)
}

fn cgroup_id(root: &Path, path: &[u8]) -> Option<u64> {
    fs::metadata(root.join(std::ffi::OsStr::from_bytes(path))).ok().map(|metadata| metadata.ino())
}

/// When a process began and its path in the cgroup-v1 hierarchies; `None` when it is gone.
#[must_use]
pub fn v1_place(pid: u32) -> Option<(u64, String)> {
    let start = || {
        let (_, _, ticks) = parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)?;
        Some(ticks * NS_PER_TICK)
    };
    let before = start()?;
    let table = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    let table = text::text(&table).readable;
    let path = from_proc_cgroup(&table)?.to_owned();
    // The id may have become another process' meanwhile.
    (start()? == before).then_some((before, path))
}

/// One process without its arguments; `None` when it is gone. They are said to be missing: the kernel has all of it at
/// hand, whatever the process, its memory and its file systems do.
#[must_use]
pub fn process_but_arguments(pid: u32, cgroup_root: &Path) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (name, parent, start_ticks) = parse_stat(&stat)?;
    let (executable, file) = executable(pid);
    Some(Process {
        pid,
        namespace_pid: namespace_pid(pid).unwrap_or(pid),
        parent,
        start_ns: start_ticks * NS_PER_TICK,
        name: match (&executable[..], file.memfd) {
            (b"", _) => name,
            (path, true) => path.to_vec(),
            (path, false) => last_part(path).to_vec(),
        },
        executable: Location { path: executable, ..Location::default() },
        file,
        directory: Location { path: link(pid, "cwd"), ..Location::default() },
        arguments_truncated: true,
        from_proc: true,
        cgroup: cgroup(pid, cgroup_root),
        ..Process::default()
    })
}

/// Adds its arguments. They are read from its memory, which waits for whoever changes that,
/// and for the file system that a page of it is on: it may take for ever.
#[must_use]
pub fn with_arguments(process: Process) -> Process {
    let command_line = command_line(process.pid).unwrap_or_default();
    let limit = command_line.len().min(hostnet_abi::MAX_ARGUMENTS);
    let arguments = &command_line[..limit];
    Process {
        arguments: if arguments.is_empty() {
            Vec::new()
        } else {
            let arguments = arguments.strip_suffix(&[0]).unwrap_or(arguments);
            arguments.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
        },
        arguments_truncated: limit < command_line.len(),
        argument_count: (limit < command_line.len() && !is_cut(&command_line))
            .then(|| u32::try_from(arguments_in(&command_line)).ok())
            .flatten(),
        ..process
    }
}

/// A process' command line, as far as it is read.
fn command_line(pid: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/cmdline"))?;
    file.take(MOST_COMMAND_LINE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the end of a command line was not read.
const fn is_cut(command_line: &[u8]) -> bool {
    command_line.len() as u64 > MOST_COMMAND_LINE
}

/// How many arguments a command line has, each ended by NUL but perhaps the last.
fn arguments_in(command_line: &[u8]) -> usize {
    let ended = command_line.iter().filter(|byte| **byte == 0).count();
    ended + usize::from(command_line.last().is_some_and(|byte| *byte != 0))
}

/// Where the file is that a process runs, and what file it is. The kernel ends the
/// path with ` (deleted)`, which a name may do as well; a file without any link is
/// sure to be gone.
fn executable(pid: u32) -> (Vec<u8>, ExecutedFile) {
    let mut path = link(pid, "exe");
    // What the kernel has in memory is enough: a file system in user space, or one of a
    // server that is away, is not asked, because it may never answer (statx(2), 4.11).
    let (flags, mask) = (AtFlags::STATX_DONT_SYNC, StatxFlags::BASIC_STATS);
    let metadata = rustix::fs::statx(rustix::fs::CWD, format!("/proc/{pid}/exe"), flags, mask);
    let Ok(metadata) = metadata else {
        return (path, ExecutedFile::default());
    };
    let is_gone = metadata.stx_nlink == 0 && path.ends_with(DELETED);
    if is_gone {
        path.truncate(path.len() - DELETED.len());
    }
    let memfd = is_gone && path.starts_with(b"/memfd:");
    if memfd {
        path.remove(0);
    }
    let file = ExecutedFile {
        inode: metadata.stx_ino,
        device: (metadata.stx_dev_major, metadata.stx_dev_minor),
        deleted: is_gone && !memfd,
        memfd,
    };
    (path, file)
}

/// Where a link of /proc/PID leads; empty when it cannot be read.
fn link(pid: u32, name: &str) -> Vec<u8> {
    fs::read_link(format!("/proc/{pid}/{name}"))
        .map(|path| path.into_os_string().into_encoded_bytes())
        .unwrap_or_default()
}

/// Name, parent and start of /proc/PID/stat. The name is in parentheses and may
/// itself hold any byte, so the last parenthesis ends it.
fn parse_stat(stat: &[u8]) -> Option<(Vec<u8>, u32, u64)> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let name = stat.get(open + 1..close)?.to_vec();
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // proc(5): field 4 is the parent, field 22 the start; state is field 3.
    let parent = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some((name, parent, start))
}

fn namespace_pid(pid: u32) -> Option<u32> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let stat = b"42 (a) S 9 (b)) S 7 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 12345 0 0";
        assert_eq!(parse_stat(stat), Some((b"a) S 9 (b)".to_vec(), 7, 12345)));
    }

    /// A cgroup's name is any bytes, as a directory's is.
    #[test]
    fn what_is_below_a_cgroup_with_a_name_that_is_no_text_is_found() {
        let root = tempfile::tempdir().unwrap();
        let odd = root.path().join(std::ffi::OsStr::from_bytes(b"a\\\xff"));
        let inside = odd.join("in").join("deeper");
        fs::create_dir_all(&inside).unwrap();
        fs::write(odd.join("cgroup.procs"), "").unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        let found: HashMap<u64, String> = cgroups(root.path()).into_iter().collect();
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[&inode(root.path())], "/");
        assert_eq!(found[&inode(&odd)], r"/a\\\xff");
        assert_eq!(found[&inode(&inside)], r"/a\\\xff/in/deeper");
        assert!(cgroups(&root.path().join("gone")).is_empty());
    }

    #[test]
    fn only_sockets_have_an_inode_in_their_name() {
        assert_eq!(socket_inode(b"socket:[42]"), Some(42));
        assert_eq!(socket_inode(b"pipe:[42]"), None);
        assert_eq!(socket_inode(b"/tmp/socket:[42]"), None);
    }

    #[test]
    fn reads_this_process() {
        let facts = process_but_arguments(std::process::id(), Path::new("/sys/fs/cgroup"));
        let facts = with_arguments(facts.unwrap());
        assert!(!facts.arguments.is_empty());
        assert!(facts.executable.path.starts_with(b"/"));
        assert!(facts.directory.path.starts_with(b"/"));
        assert_ne!(facts.file.inode, 0);
    }
}
