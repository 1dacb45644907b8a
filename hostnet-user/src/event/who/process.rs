//! What is known of a process, as exec told it or as /proc shows it. Byte strings
//! are what the process or its owner chose, control bytes and all. Nothing here
//! knows which processes there are.

use std::sync::Arc;

use hostnet_abi::{Exec, exec_flag as flag};
use serde::{Deserialize, Serialize};

/// Most ancestors kept of a process.
const MOST_ANCESTORS: usize = 16;

/// Bytes that are left of each string when a process is to take little memory.
const STUB: usize = 64;

/// Clock ticks are all that /proc tells of a start.
const TICK_NS: u64 = 10_000_000;

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// Process id in its own pid namespace.
    pub namespace_pid: u32,
    /// The parent's process id.
    pub parent: u32,
    /// Start, `CLOCK_BOOTTIME` nanoseconds; 0 when not known.
    pub start_ns: u64,
    /// Name of the program: the last part of the name exec was given, or of the
    /// file's own path where that name led through a descriptor. Never the name
    /// that a process can give itself (`comm`), unless it runs no file.
    pub name: Vec<u8>,
    /// Where its file is; of a script, the interpreter's. Bare for a memfd.
    pub executable: Location,
    /// That file.
    pub file: ExecutedFile,
    /// The name exec was given; empty when that was not seen.
    pub called: Vec<u8>,
    /// Whether that name was cut at [`hostnet_abi::MAX_FILENAME`] bytes.
    pub called_truncated: bool,
    /// Its working directory at exec.
    pub directory: Location,
    /// Arguments.
    pub arguments: Vec<Vec<u8>>,
    /// Whether some of the arguments are missing.
    pub arguments_truncated: bool,
    /// How many there were, when some are missing and that is known.
    #[serde(default)]
    pub argument_count: Option<u32>,
    /// /proc is where all this is from, not exec: the process may have rewritten
    /// its arguments, and moved to another directory.
    pub from_proc: bool,
    /// Its fork was seen, so it did not begin before anybody could tell.
    pub forked: bool,
    /// The cgroup in which its program began to run, which tells whose it is: the
    /// runtime moves into a container's cgroup to set it up. `None` when that is not
    /// known, and where the runtime begins in there.
    pub cgroup: Option<u64>,
    /// The cgroup in which its exec was told, when it was.
    pub told_in: Option<u64>,
    /// The parent, when it is known.
    #[serde(skip)]
    pub known_parent: Option<Arc<Ancestor>>,
    /// Who made it, whether they still live or not, nearest first, as far as they
    /// belong to the same owner.
    #[serde(skip)]
    pub ancestors: Vec<Arc<Ancestor>>,
}

/// The path of a file or directory from the root of its mount namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The path. Without a slash in front when the names nearest to the root are
    /// missing, or when there is no directory that it is in.
    pub path: Vec<u8>,
    /// It is in another mount namespace than the process, or in none.
    pub outside: bool,
    /// It is longer than this.
    pub truncated: bool,
}

/// What the kernel says of the file that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutedFile {
    /// Number of the inode; 0 when not known.
    pub inode: u64,
    /// Major and minor number of its file system.
    pub device: (u32, u32),
    /// It had been removed from its directory.
    pub deleted: bool,
    /// Made by `memfd_create(2)`: it never was in a directory.
    pub memfd: bool,
}

/// A process as those it made remember it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestor {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// Start, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// Name of its program.
    pub name: Vec<u8>,
    /// Where its file is.
    pub executable: Vec<u8>,
    /// As [`Process::cgroup`].
    pub cgroup: Option<u64>,
}

impl Process {
    /// What an exec record says. `tail` is the record's.
    pub fn from_exec(pid: u32, exec: &Exec, tail: &[u8]) -> Self {
        let has = |bit| exec.flags & bit != 0;
        let (called, rest) = part(tail, exec.filename_length);
        let (arguments, rest) = part(rest, exec.arguments_length);
        let (executable, rest) = part(rest, exec.executable_length);
        let (directory, rest) = part(rest, exec.directory_length);
        let count = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        let file_name = executable.split(|byte| *byte == 0).next().unwrap_or_default();
        let has_directory = !has(flag::NO_DIRECTORY);
        let executable = if has_directory {
            Location {
                path: path(executable, has(flag::EXECUTABLE_CUT)),
                outside: has(flag::EXECUTABLE_OUTSIDE),
                truncated: has(flag::EXECUTABLE_CUT),
            }
        } else {
            Location { path: file_name.to_vec(), ..Location::default() }
        };
        let called_truncated = has(flag::FILENAME_CUT);
        let names_the_file = !called_truncated && !leads_through_descriptor(called);
        let name = if names_the_file { last_part(called) } else { file_name };
        Self {
            pid,
            namespace_pid: exec.namespace_pid,
            parent: exec.parent,
            start_ns: exec.start_ns,
            name: name.to_vec(),
            executable,
            file: ExecutedFile {
                inode: exec.inode,
                device: (exec.device >> 20, exec.device & 0xf_ffff),
                deleted: has(flag::DELETED),
                memfd: !has_directory && file_name.starts_with(b"memfd:"),
            },
            called: called.to_vec(),
            called_truncated,
            directory: Location {
                path: path(directory, has(flag::DIRECTORY_CUT)),
                outside: has(flag::DIRECTORY_OUTSIDE),
                truncated: has(flag::DIRECTORY_CUT),
            },
            arguments: arguments.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
            arguments_truncated: has(flag::ARGUMENTS_CUT),
            argument_count: count.filter(|_| has(flag::ARGUMENTS_CUT)),
            from_proc: false,
            forked: false,
            cgroup: None,
            told_in: None,
            known_parent: None,
            ancestors: Vec::new(),
        }
    }

    /// Whether it is the process with this id that began then, as exactly as /proc
    /// could tell.
    pub const fn is(&self, pid: u32, start_ns: u64) -> bool {
        self.pid == pid && self.start_ns / TICK_NS == start_ns / TICK_NS
    }

    /// As those it makes remember it.
    pub fn as_ancestor(&self) -> Ancestor {
        Ancestor {
            pid: self.pid,
            start_ns: self.start_ns,
            name: self.name.clone(),
            executable: self.executable.path.clone(),
            cgroup: self.cgroup,
        }
    }

    /// The ancestors of its children; `own` is [`as_ancestor`](Self::as_ancestor).
    pub fn ancestors_of_children(&self, own: &Arc<Ancestor>) -> Vec<Arc<Ancestor>> {
        let older = self.ancestors.iter().take(MOST_ANCESTORS - 1);
        std::iter::once(own).chain(older).map(Arc::clone).collect()
    }

    /// How many arguments it was given; `None` when some are missing and nobody counted.
    #[must_use]
    pub fn count_of_arguments(&self) -> Option<u32> {
        let here = u32::try_from(self.arguments.len()).ok();
        if self.arguments_truncated { self.argument_count } else { here }
    }

    /// Bytes of its strings.
    pub fn weight(&self) -> usize {
        let arguments = self.arguments.iter().map(|argument| argument.len() + size_of::<Vec<u8>>());
        let strings =
            [&self.name, &self.executable.path, &self.called, &self.directory.path].map(Vec::len);
        arguments.sum::<usize>() + strings.iter().sum::<usize>()
    }

    /// Cuts what is long, and says so.
    pub fn cut(&mut self) {
        if self.arguments.iter().map(Vec::len).sum::<usize>() > STUB {
            self.argument_count = self.count_of_arguments();
            self.arguments.truncate(1);
            self.arguments.iter_mut().for_each(|argument| argument.truncate(STUB));
            self.arguments_truncated = true;
        }
        if self.called.len() > STUB {
            self.called.truncate(STUB);
            self.called_truncated = true;
        }
        for location in [&mut self.executable, &mut self.directory] {
            if location.path.len() > STUB {
                location.path.drain(..location.path.len() - STUB);
                location.truncated = true;
            }
        }
        for strings in [&mut self.called, &mut self.executable.path, &mut self.directory.path] {
            strings.shrink_to_fit();
        }
        self.arguments.shrink_to_fit();
    }
}

/// The first `length` bytes without their last NUL, and the rest.
fn part(bytes: &[u8], length: u16) -> (&[u8], &[u8]) {
    let (part, rest) = bytes.split_at_checked(length.into()).unwrap_or((bytes, &[]));
    (part.strip_suffix(&[0]).unwrap_or(part), rest)
}

/// A path from names that begin with the file's own.
fn path(names: &[u8], is_cut: bool) -> Vec<u8> {
    let mut path = Vec::with_capacity(names.len() + 1);
    for name in names.rsplit(|byte| *byte == 0) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if is_cut {
        path.remove(0);
    }
    path
}

/// `/proc/self/exe`, `/dev/fd/3`: such a name says nothing of the file.
fn leads_through_descriptor(name: &[u8]) -> bool {
    name.starts_with(b"/proc/") || name.starts_with(b"/dev/fd/")
}

/// The part after the last slash.
#[must_use]
pub fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An exec record of a process that began at `start_ns`, and its tail.
    pub fn exec(called: &[u8], arguments: &[u8], start_ns: u64) -> (Exec, Vec<u8>) {
        placed(called, arguments, &names(called), b"", 0, start_ns)
    }

    /// As the kernel has them: the last part first, each ended by NUL.
    fn names(path: &[u8]) -> Vec<u8> {
        let parts = path.split(|byte| *byte == b'/' || *byte == 0).filter(|part| !part.is_empty());
        let mut parts: Vec<_> = parts.collect();
        parts.reverse();
        parts.into_iter().flat_map(|part| [part, b"\0"].concat()).collect()
    }

    fn placed(
        called: &[u8],
        arguments: &[u8],
        executable: &[u8],
        directory: &[u8],
        flags: u16,
        start_ns: u64,
    ) -> (Exec, Vec<u8>) {
        let exec = Exec {
            start_ns,
            inode: 42,
            device: (8 << 20) | 1,
            parent: 1,
            namespace_pid: 1,
            mount_namespace: 0,
            filename_length: called.len() as u16,
            arguments_length: arguments.len() as u16,
            executable_length: executable.len() as u16,
            directory_length: directory.len() as u16,
            flags,
            contained: 0,
            pid_level: 0,
        };
        (exec, [called, arguments, executable, directory].concat())
    }

    #[test]
    fn an_exec_record_is_taken_apart() {
        let (record, tail) = placed(
            b"./tool\0",
            b"sh\0-c\0\x1b[2J\n\0",
            b"busybox\0bin\0usr\0",
            b"work\0",
            flag::DELETED,
            5,
        );
        let process = Process::from_exec(10, &record, &tail);
        assert_eq!(process.name, b"tool");
        assert_eq!(process.called, b"./tool");
        assert_eq!(process.arguments, [&b"sh"[..], b"-c", b"\x1b[2J\n"]);
        assert_eq!(process.executable.path, b"/usr/bin/busybox");
        assert_eq!(process.directory.path, b"/work");
        let file = ExecutedFile { inode: 42, device: (8, 1), deleted: true, memfd: false };
        assert_eq!(process.file, file);
    }

    /// Name exec was given, names the kernel found, flags: name, executable, and
    /// whether it is a memfd, cut, outside.
    #[test]
    fn names_and_paths() {
        type Row = (&'static [u8], &'static [u8], u16, &'static [u8], &'static [u8], [bool; 3]);
        let none = [false; 3];
        let rows: [Row; 10] = [
            (b"/bin/sh\0", b"busybox\0bin\0", 0, b"sh", b"/bin/busybox", none),
            (b"sh\0", b"sh\0", 0, b"sh", b"/sh", none),
            (b"/proc/self/exe\0", b"busybox\0bin\0", 0, b"busybox", b"/bin/busybox", none),
            (b"/proc/self/fd/3\0", b"tool\0tmp\0", 0, b"tool", b"/tmp/tool", none),
            (
                b"/dev/fd/3\0",
                b"memfd:a/b\0",
                flag::NO_DIRECTORY,
                b"memfd:a/b",
                b"memfd:a/b",
                [true, false, false],
            ),
            // A file can have such a name, too.
            (b"/memfd:x\0", b"memfd:x\0", 0, b"memfd:x", b"/memfd:x", none),
            (b"/dev/fd/3\0", b"pipe:\0", flag::NO_DIRECTORY, b"pipe:", b"pipe:", none),
            (b"/a/b\0", b"b\0a\0", flag::EXECUTABLE_CUT, b"b", b"a/b", [false, true, false]),
            (b"/x\0", b"x\0", flag::EXECUTABLE_OUTSIDE, b"x", b"/x", [false, false, true]),
            (b"/long/na", b"name\0long\0", flag::FILENAME_CUT, b"name", b"/long/name", none),
        ];
        for (called, found, flags, name, executable, [memfd, truncated, outside]) in rows {
            let (record, tail) = placed(called, b"a\0", found, b"", flags, 5);
            let process = Process::from_exec(10, &record, &tail);
            let shown = called.escape_ascii();
            assert_eq!(process.name, name, "{shown}");
            assert_eq!(process.executable.path, executable, "{shown}");
            assert_eq!(process.file.memfd, memfd, "{shown}");
            assert_eq!(process.executable.truncated, truncated, "{shown}");
            assert_eq!(process.executable.outside, outside, "{shown}");
            assert_eq!(process.directory.path, b"/", "{shown}");
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        let long = [&[b'x'; 200][..], b"\0"].concat();
        let path = [b"/", &long[..]].concat();
        let (record, tail) = placed(&path, &long, &long, &long, 0, 5);
        let mut process = Process::from_exec(10, &record, &tail);
        let whole = process.weight();
        process.cut();
        assert!(process.weight() < whole / 2);
        assert!(process.arguments_truncated && process.called_truncated);
        assert!(process.executable.truncated && process.directory.truncated);
        assert_eq!((process.arguments.len(), process.count_of_arguments()), (1, Some(1)));
        // As the kernel cuts them: how many there were is at the end, or is not known.
        let (record, tail) = placed(b"/a\0", b"x\0y", b"a\0", b"w\0", flag::ARGUMENTS_CUT, 5);
        let counted = [&tail[..], &3000_u32.to_ne_bytes()].concat();
        let process = Process::from_exec(10, &record, &counted);
        assert_eq!(
            (process.count_of_arguments(), &*process.directory.path),
            (Some(3000), &b"/w"[..])
        );
        assert_eq!(Process::from_exec(10, &record, &tail).count_of_arguments(), None);
        let (record, tail) = exec(b"/bin/sh\0", b"sh\0-c\0", 5);
        let mut short = Process::from_exec(10, &record, &tail);
        let before = short.clone();
        short.cut();
        assert_eq!(short, before);
    }

    #[test]
    fn a_damaged_record_is_no_panic() {
        let (mut record, tail) = exec(b"/bin/sh\0", b"sh\0", 5);
        record.executable_length = u16::MAX;
        record.directory_length = u16::MAX;
        for length in 0..tail.len() {
            Process::from_exec(10, &record, &tail[..length]);
        }
    }
}
