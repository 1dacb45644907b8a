//! What each owner may tell, and what it wanted to tell beyond that: counted by
//! the programs (hostnet-ebpf/src/budget.rs), read here.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf,
    maps::{HashMap, Map, MapData, PerCpuArray},
};
use hostnet_abi::{CARRIES_STATE, EventKind, Sensitive, Settings, first_seen};

use super::{
    boot_clock,
    maps::{AyaAct, AyaLossKey, AyaSuppressed, Source},
    told::{Counter, Told},
};
use crate::ask::desk::{Desk, Limits};

/// How much of the saved-up budget beyond the burst is left to records that carry
/// state: one part in so many.
const STATE_PART: u64 = 2;

/// One sweep at a time.
const ONE: Limits = Limits { questions: 1, threads: 1 };

/// Acts are swept when this long has passed, nanoseconds.
const SWEEP_NS: u64 = 10_000_000_000;

/// Beyond so many owners and kinds, those that had nothing suppressed for long
/// make room.
const MANY: usize = 1 << 13;

/// How long that is, nanoseconds.
const LONG_NS: u64 = 2 * first_seen::WINDOW_NS;

/// Where the counts of new acts begin in those of owners that are not known.
const OF_NEW: u32 = 32;

/// Of an entry: all acts, and those that were new.
const BY_OWNER: [Counter; 2] = [Counter::Suppressed, Counter::SuppressedNew];
const UNOWNED: [Counter; 2] = [Counter::SuppressedUnowned, Counter::SuppressedNewUnowned];

/// What one owner may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Records a second that it may keep up; 0 is no limit.
    pub per_second: u32,
    /// Records that it may tell at once after a rest.
    pub burst: u32,
}

impl Budget {
    /// The part of the settings that says so.
    pub(super) fn settings(self) -> Settings {
        let Some(cost_ns) = 1_000_000_000_u64.checked_div(self.per_second.into()) else {
            return Settings::UNSET;
        };
        let burst_ns = cost_ns.saturating_mul(self.burst.into());
        let state_ns = burst_ns / STATE_PART;
        Settings { cost_ns, window_ns: burst_ns + state_ns, state_ns, ..Settings::UNSET }
    }
}

/// Tells the programs, before they are attached, what detections depend on; nobody can
/// change it from then on.
///
/// # Errors
/// When it is more than there is room for, or the map cannot be written.
pub(super) fn put_sensitive(ebpf: &mut Ebpf, all: &[Sensitive]) -> Result<()> {
    // Not taken out: the programs are loaded with its descriptor.
    let map = ebpf.map_mut("SENSITIVE").context("the eBPF object has no map SENSITIVE")?;
    let mut table: HashMap<_, u64, u64> = HashMap::try_from(&mut *map)?;
    for (one, place) in all.iter().zip(1..) {
        table.insert(one.entry(), place, 0).with_context(|| {
            format!("{} addresses, ports and names cannot all be watched", all.len())
        })?;
    }
    let Map::HashMap(map) = &*map else { bail!("SENSITIVE is no hash map") };
    freeze(map.fd().as_fd()).context("the map SENSITIVE cannot be frozen")
}

/// Has the kernel refuse whatever would change a map from user space (`map_freeze`,
/// kernel/bpf/syscall.c, since 5.2).
fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    // include/uapi/linux/bpf.h: `enum bpf_cmd`, and `union bpf_attr` as far as it is read.
    const BPF_MAP_FREEZE: libc::c_int = 22;
    let map_fd = map.as_raw_fd();
    // SAFETY: the attribute is as long as is said, and lives until the call returns.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_MAP_FREEZE, &raw const map_fd, size_of_val(&map_fd))
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The same as bytes, which tell one table from another.
pub(super) fn sensitive_bytes(all: &[Sensitive]) -> Vec<u8> {
    all.iter().flat_map(|one| one.entry().to_ne_bytes()).collect()
}

/// Acts of one owner and kind that were counted instead of told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Cgroup of the owner; `None` when the table of owners was full.
    pub cgroup: Option<u64>,
    /// What they were.
    pub kind: EventKind,
    /// How many.
    pub count: u64,
    /// Those of them that were no repeats.
    pub new: u64,
    /// Tables of the agent's may be wrong for want of them.
    pub carries_state: bool,
}

/// The counters.
pub struct Suppressions {
    by_owner: HashMap<MapData, AyaLossKey, AyaSuppressed>,
    unowned: PerCpuArray<MapData, u64>,
    /// Makes room for acts to remember. There may be half a million, which takes longer than
    /// records should wait.
    sweeper: Desk<u64, ()>,
    swept_ns: u64,
}

impl Suppressions {
    pub(super) fn from(source: Source<'_>) -> Result<Self> {
        let first_seen = Mutex::new(HashMap::try_from(source("FIRST_SEEN")?)?);
        let sweeper = Desk::new("sweep", ONE, move |now| {
            sweep(&mut first_seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        });
        Ok(Self {
            by_owner: HashMap::try_from(source("SUPPRESSED")?)?,
            unowned: PerCpuArray::try_from(source("SUPPRESSED_UNOWNED")?)?,
            sweeper,
            swept_ns: 0,
        })
    }

    /// What was suppressed and is not told.
    ///
    /// # Errors
    /// When a counter cannot be read; then nothing is known and that is told.
    pub fn since(&mut self, told: &mut Told) -> Result<Vec<Suppressed>> {
        let unreadable = "cannot read the counters of suppressed records";
        let (mut totals, mut quiet) = (Vec::new(), Vec::new());
        let now = boot_clock();
        for entry in self.by_owner.iter() {
            let (key, value) = entry.context(unreadable)?;
            totals.push((Some(key.0.cgroup), key.0.kind, [value.0.count, value.0.new]));
            if now.saturating_sub(value.0.window_ns) > LONG_NS {
                quiet.push((key, [value.0.count, value.0.new]));
            }
        }
        let is_crowded = totals.len() > MANY;
        for kind in EventKind::ALL {
            let total = |index| -> Result<u64> {
                Ok(self.unowned.get(&index, 0).context(unreadable)?.iter().sum())
            };
            let totals_of_kind = [total(*kind as u32)?, total(*kind as u32 + OF_NEW)?];
            totals.push((None, *kind as u64, totals_of_kind));
        }
        let mut suppressed = Vec::new();
        for (cgroup, raw_kind, totals) in totals {
            let counters = if cgroup.is_some() { BY_OWNER } else { UNOWNED };
            let mut new_of = |at: usize| {
                told.new_of(counters[at], cgroup.unwrap_or_default(), raw_kind, totals[at])
            };
            let (count, new) = (new_of(0), new_of(1));
            // Of a quota alone nothing is counted.
            let raw = u16::try_from(raw_kind & !CARRIES_STATE).ok();
            let Some(kind) = raw.and_then(EventKind::from_raw) else { continue };
            if count > 0 {
                // Whose the unowned are is not known, and not what they carried.
                let carries_state = cgroup.is_none() || raw_kind & CARRIES_STATE != 0;
                suppressed.push(Suppressed { cgroup, kind, count, new, carries_state });
            }
        }
        for (key, totals) in quiet.into_iter().filter(|_| is_crowded) {
            let (cgroup, kind) = (key.0.cgroup, key.0.kind);
            let counts = || BY_OWNER.into_iter().zip(totals);
            if counts().all(|(counter, total)| told.is_all(counter, cgroup, kind, total))
                && self.by_owner.remove(&key).is_ok()
            {
                counts().for_each(|(counter, _)| told.forget(counter, cgroup, kind));
            }
        }
        self.sweep(now);
        Ok(suppressed)
    }

    /// Has old acts forgotten, unless that goes on still.
    fn sweep(&mut self, now: u64) {
        self.sweeper.answers();
        if self.sweeper.waiting() == 0 && now.saturating_sub(self.swept_ns) >= SWEEP_NS {
            self.swept_ns = now;
            self.sweeper.ask(now);
        }
    }
}

/// Forgets acts that were seen first too long before `now`.
fn sweep(first_seen: &mut HashMap<MapData, AyaAct, u64>, now: u64) {
    let is_old = |seen: u64| now.saturating_sub(seen) > first_seen::WINDOW_NS;
    // One that cannot be read was removed meanwhile.
    let old: Vec<AyaAct> = first_seen
        .iter()
        .filter_map(Result::ok)
        .filter_map(|(act, seen)| is_old(seen).then_some(act))
        .collect();
    for act in old {
        drop(first_seen.remove(&act));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_in_nanoseconds() {
        let settings = Budget { per_second: 10_000, burst: 50_000 }.settings();
        assert_eq!(settings.cost_ns, 100_000);
        assert_eq!(settings.window_ns - settings.state_ns, 5_000_000_000);
        assert_eq!(Budget { per_second: 0, burst: 9 }.settings().window_ns, 0, "no limit");
    }
}
