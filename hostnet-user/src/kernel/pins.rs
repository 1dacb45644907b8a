//! What stays in the kernel while no agent runs: maps and links, pinned below a
//! directory of the BPF file system that only root may enter.
//!
//! Each version of the programs and their settings has a directory of its own, whose
//! name says which and how many links it holds; it gets that name when all of it
//! is there, so that what has the name is whole.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf,
    maps::{Array, Map, MapData},
    programs::{
        Program,
        links::{FdLink, PinnedLink},
    },
};
use hostnet_abi::Hook;
use rustix::{
    fs::{FlockOperation, flock, statfs},
    mount::{MountFlags, mount},
};
use sha2::{Digest as _, Sha256};

use super::{
    alive::{self, Places},
    attach::{self, Links},
    maps::MAPS,
    ring::Ring,
};

/// Where the BPF file system is, if anywhere; mounted there when it is not.
const BPFFS: &str = "/sys/fs/bpf";

/// `BPF_FS_MAGIC` (include/uapi/linux/magic.h)
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

// The BPF file system takes no names with dots in them.
const VERSION: &str = "version-";
const UNFINISHED: &str = "unfinished";

/// The pinned maps and links of one agent. Dropping it removes them, unless they
/// are to be kept.
pub struct Pins {
    /// Locked as long as the agent runs.
    _lock: File,
    directory: PathBuf,
    identity: String,
    version: Option<PathBuf>,
    keep: bool,
}

impl Pins {
    /// Takes the directory for the programs that `parts` tell apart from others. With
    /// `keep`, what is pinned stays when the agent ends.
    ///
    /// # Errors
    /// When it is not on a BPF file system, is open to others, or is another agent's.
    pub fn open(directory: &Path, keep: bool, parts: &[&[u8]]) -> Result<Self> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let identity = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        make(directory)?;
        let lock = locked(directory)?;
        let mut pins =
            Self { _lock: lock, directory: directory.to_owned(), identity, version: None, keep };
        pins.version = pins.find();
        Ok(pins)
    }

    /// Whether the very same programs are pinned, and nobody has detached any.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let links = self.version.as_ref().and_then(|version| links(version).ok());
        links.is_some_and(|links| {
            alive::detached(&links, &mut Places::default()).is_ok_and(|gone| gone.is_empty())
        })
    }

    /// Pins a link in place of the one of this hook.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn pin_again(&self, hook: Hook, link: FdLink) -> Result<FdLink> {
        let version = self.version.as_ref().context("nothing is pinned")?;
        let path = version.join(format!("link-{}", hook.program()));
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        let pinned = link.pin(&path);
        Ok(pinned.with_context(|| format!("cannot pin {}", hook.attach_point()))?.into())
    }

    /// The program of a cgroup hook.
    ///
    /// # Errors
    /// When it is not there.
    pub fn program(&self, hook: Hook) -> Result<Program> {
        let version = self.version.as_ref().context("nothing is pinned")?;
        attach::pinned(&program(version, hook), hook)
    }

    /// A pinned map.
    ///
    /// # Errors
    /// When it is not there.
    pub fn map(&self, name: &str) -> Result<Map> {
        let version = self.version.as_ref().context("nothing is pinned")?;
        map(version, name)
    }

    /// The pinned links.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn links(&self) -> Result<Links> {
        let version = self.version.as_ref().context("nothing is pinned")?;
        links(version)
    }

    /// The programs of all links that are pinned, other versions' too.
    #[must_use]
    pub fn programs(&self) -> Vec<u32> {
        let versions = versions(&self.directory);
        let links = versions.iter().filter_map(|version| links(version).ok());
        links
            .flat_map(Links::into_values)
            .filter_map(|link| Some(link.info().ok()?.program_id()))
            .collect()
    }

    /// Pins the object's maps and these links.
    ///
    /// # Errors
    /// When the kernel does not take a pin; then none is left.
    pub fn pin(&mut self, ebpf: &mut Ebpf, attached: Links) -> Result<Links> {
        let unfinished = self.directory.join(UNFINISHED);
        remove(&unfinished)?;
        DirBuilder::new().mode(0o700).create(&unfinished).context("cannot pin the programs")?;
        let pinned = pin_into(&unfinished, ebpf, attached);
        let version = pinned.and_then(|links| {
            let name = format!("{VERSION}{}-{}", self.identity, links.len());
            let version = self.directory.join(name);
            // The same programs, but not all of them.
            if version.exists() {
                let old = self.directory.join(format!("{VERSION}old"));
                fs::rename(&version, old).context("cannot rename what is pinned")?;
            }
            fs::rename(&unfinished, &version).context("cannot name what is pinned")?;
            Ok((links, version))
        });
        if version.is_err() {
            remove(&unfinished)?;
        }
        let (links, version) = version?;
        self.version = Some(version);
        Ok(links)
    }

    /// When records of other versions were last read, if there are any; `CLOCK_BOOTTIME`
    /// nanoseconds, up to a second too early.
    #[must_use]
    pub fn others_read_ns(&self) -> Option<u64> {
        let versions = versions(&self.directory);
        let others = versions.iter().filter(|version| Some(*version) != self.version.as_ref());
        let read_ns = |version: &PathBuf| {
            let pulse = Array::<_, u64>::try_from(map(version, "PULSE").ok()?).ok()?;
            pulse.get(&0, 0).ok()
        };
        others.map(|version| read_ns(version).unwrap_or_default()).max()
    }

    /// Removes what other versions have pinned, which detaches their programs. Returns
    /// how many of their records nobody will read.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove_others(&self) -> Result<u64> {
        let mut unread = 0;
        for version in versions(&self.directory) {
            if Some(&version) == self.version.as_ref() {
                continue;
            }
            // Detached first, so that what is counted is all there is.
            for entry in entries(&version).filter(|path| name(path).starts_with("link-")) {
                fs::remove_file(&entry)
                    .with_context(|| format!("cannot remove {}", entry.display()))?;
            }
            unread += ["RECORDS", "RESERVED"]
                .iter()
                .filter_map(|ring| records_in(&version, ring).ok())
                .sum::<u64>();
            remove(&version)?;
        }
        Ok(unread)
    }

    /// The version's directory: as many links as its name says, or it is of no use.
    fn find(&self) -> Option<PathBuf> {
        let prefix = format!("{VERSION}{}-", self.identity);
        for version in versions(&self.directory) {
            let Some(count) = name(&version).strip_prefix(&prefix).map(str::to_owned) else {
                continue;
            };
            let there = entries(&version).filter(|path| name(path).starts_with("link-")).count();
            if count.parse() == Ok(there) {
                return Some(version);
            }
            // Else somebody has removed a link: its program runs no more.
        }
        None
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = remove_all(&self.directory) {
            tracing::error!("not all pinned programs could be removed: {error:#}");
        }
    }
}

/// What is pinned below a directory: how many links, by version. Empty when nothing is.
#[must_use]
pub fn pinned(directory: &Path) -> Vec<(String, usize)> {
    let count = |version: &PathBuf| {
        let links = entries(version).filter(|path| name(path).starts_with("link-")).count();
        (name(version).to_owned(), links)
    };
    versions(directory).iter().map(count).collect()
}

/// Removes everything that is pinned below a directory, and the directory. Returns
/// whether there was any.
///
/// # Errors
/// When an agent uses it, or something cannot be removed.
pub fn uninstall(directory: &Path) -> Result<bool> {
    if !directory.exists() {
        return Ok(false);
    }
    if !is_bpffs(directory)? {
        bail!("{} is not on a BPF file system: nothing is removed there", directory.display());
    }
    let _lock = locked(directory)?;
    remove_all(directory)?;
    Ok(true)
}

fn remove_all(directory: &Path) -> Result<()> {
    for version in versions(directory) {
        remove(&version)?;
    }
    remove(&directory.join(UNFINISHED))?;
    fs::remove_dir(directory).with_context(|| format!("cannot remove {}", directory.display()))
}

fn pin_into(directory: &Path, ebpf: &mut Ebpf, attached: Links) -> Result<Links> {
    for name in MAPS {
        let map = ebpf.map(name).with_context(|| format!("the eBPF object has no map {name}"))?;
        map.pin(directory.join(format!("map-{name}")))
            .with_context(|| format!("cannot pin map {name}"))?;
    }
    let pin = |(hook, link): (Hook, FdLink)| {
        // Only what is of cgroups can be detached by others, and is attached again then.
        if let Some(one @ (Program::CgroupSockAddr(_) | Program::CgroupSock(_))) =
            ebpf.program_mut(hook.program())
        {
            one.pin(program(directory, hook))
                .with_context(|| format!("cannot pin the program of {}", hook.attach_point()))?;
        }
        let pinned = link
            .pin(directory.join(format!("link-{}", hook.program())))
            .with_context(|| format!("cannot pin {}", hook.attach_point()))?;
        Ok((hook, FdLink::from(pinned)))
    };
    attached.into_iter().map(pin).collect()
}

fn program(version: &Path, hook: Hook) -> PathBuf {
    version.join(format!("program-{}", hook.program()))
}

fn map(version: &Path, name: &str) -> Result<Map> {
    let path = version.join(format!("map-{name}"));
    let data = MapData::from_pin(&path);
    let map = data.and_then(Map::from_map_data);
    map.with_context(|| format!("cannot use what is pinned at {}", path.display()))
}

fn links(version: &Path) -> Result<Links> {
    let of = |path: &PathBuf| {
        let program = name(path).strip_prefix("link-")?;
        Hook::ALL.iter().copied().find(|hook| hook.program() == program)
    };
    let open = |(hook, path): (Hook, PathBuf)| {
        let pinned = PinnedLink::from_pin(&path)
            .with_context(|| format!("cannot use what is pinned at {}", path.display()))?;
        Ok((hook, FdLink::from(pinned)))
    };
    entries(version).filter_map(|path| Some((of(&path)?, path))).map(open).collect()
}

/// Records that are still in a ring.
fn records_in(version: &Path, name: &str) -> Result<u64> {
    let Map::RingBuf(data) = map(version, name)? else { bail!("{name} is not a ring buffer") };
    let mut ring = Ring::of(&data)?;
    let mut count = 0;
    while ring.take()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Makes the directory; it is on a BPF file system then, and nobody else's.
fn make(directory: &Path) -> Result<()> {
    let parent = directory.parent().context("observe.pin names no directory")?;
    if !is_bpffs(parent)? && parent == Path::new(BPFFS) {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("bpf", BPFFS, "bpf", flags, Some(c"mode=0700"))
            .with_context(|| format!("cannot mount the BPF file system at {BPFFS}"))?;
    }
    if !is_bpffs(parent)? {
        bail!(
            "observe.pin is {}: it must be a directory of a BPF file system, such as {BPFFS}/hostnet",
            directory.display()
        );
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {}", directory.display()));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(directory)
        .with_context(|| format!("cannot look at {}", directory.display()))?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_dir() || !is_ours || metadata.mode() & 0o077 != 0 {
        bail!(
            "{} is not a directory of the agent's user alone: remove it, or chmod 700 it",
            directory.display()
        );
    }
    Ok(())
}

fn locked(directory: &Path) -> Result<File> {
    let lock =
        File::open(directory).with_context(|| format!("cannot open {}", directory.display()))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).with_context(|| {
        format!("another agent uses {}: stop it, or give this one another", directory.display())
    })?;
    Ok(lock)
}

fn is_bpffs(path: &Path) -> Result<bool> {
    let found = statfs(path).with_context(|| format!("cannot look at {}", path.display()))?;
    Ok(found.f_type as u64 & 0xffff_ffff == BPF_FS_MAGIC)
}

fn versions(directory: &Path) -> Vec<PathBuf> {
    entries(directory).filter(|path| name(path).starts_with(VERSION)).collect()
}

/// What is in a directory; nothing when it cannot be read.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Removes a directory of pins, if it is there.
fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
