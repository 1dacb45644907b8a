//! How much of each counter has been told, and when records were last read: kept in
//! the kernel beside the counters, so that an agent after this one goes on from there.

use std::collections::HashMap as Table;

use anyhow::{Context, Result};
use aya::maps::{Array, HashMap, MapData};
use hostnet_abi::ToldKey;

use super::maps::{AyaToldKey, Source};

/// The counters, as keys number them. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Counter {
    RingFull = 1,
    RingFullUnowned = 2,
    NotFollowed = 3,
    NotRun = 4,
    Suppressed = 5,
    SuppressedUnowned = 6,
    SuppressedNew = 7,
    SuppressedNewUnowned = 8,
}

/// What has been told.
pub struct Told {
    totals: Table<ToldKey, u64>,
    /// Told, but not noted yet.
    fresh: Vec<ToldKey>,
    map: HashMap<MapData, AyaToldKey, u64>,
    pulse: Array<MapData, u64>,
    /// What was last written to it.
    pulse_ns: u64,
}

/// How exactly it is noted when records were last read: an idle agent looks for them twenty times
/// a second, and each note is a system call.
const PULSE_EVERY_NS: u64 = 1_000_000_000;

impl Told {
    pub(super) fn from(source: Source<'_>) -> Result<Self> {
        let map = HashMap::<_, AyaToldKey, u64>::try_from(source("TOLD")?)?;
        let totals = map
            .iter()
            .map(|entry| entry.map(|(key, total)| (key.0, total)))
            .collect::<Result<_, _>>()
            .context("cannot read the counters that were reported")?;
        let pulse = Array::try_from(source("PULSE")?)?;
        Ok(Self { totals, fresh: Vec::new(), map, pulse, pulse_ns: 0 })
    }

    /// When an agent last read records, `CLOCK_BOOTTIME` nanoseconds, up to a second too early;
    /// 0 when none has.
    #[must_use]
    pub fn last_read_ns(&self) -> u64 {
        self.pulse.get(&0, 0).unwrap_or_default()
    }

    /// What a counter has come to since it was last told.
    pub(super) fn new_of(&mut self, counter: Counter, cgroup: u64, kind: u64, total: u64) -> u64 {
        let key = ToldKey { counter: counter as u64, cgroup, kind };
        let told = self.totals.entry(key).or_default();
        let new = total.saturating_sub(*told);
        if new > 0 {
            *told = total;
            self.fresh.push(key);
        }
        new
    }

    /// Whether all of a counter has been told.
    pub(super) fn is_all(&self, counter: Counter, cgroup: u64, kind: u64, total: u64) -> bool {
        let key = ToldKey { counter: counter as u64, cgroup, kind };
        self.totals.get(&key) == Some(&total) && !self.fresh.contains(&key)
    }

    /// A counter is gone, and begins from nothing should it come back.
    pub(super) fn forget(&mut self, counter: Counter, cgroup: u64, kind: u64) {
        let key = ToldKey { counter: counter as u64, cgroup, kind };
        self.totals.remove(&key);
        // Not there when it had nothing to tell.
        drop(self.map.remove(&AyaToldKey(key)));
    }

    /// What was told is written out, and records were read at `boot_ns`.
    ///
    /// # Errors
    /// When it cannot be noted; an agent after this one would tell it again.
    pub fn note(&mut self, boot_ns: u64) -> Result<()> {
        for key in self.fresh.drain(..) {
            let total = self.totals.get(&key).copied().unwrap_or_default();
            self.map
                .insert(AyaToldKey(key), total, 0)
                .context("cannot store the counters that were reported")?;
        }
        if boot_ns.saturating_sub(self.pulse_ns) >= PULSE_EVERY_NS {
            self.pulse.set(0, boot_ns, 0).context("cannot note that records were read")?;
            self.pulse_ns = boot_ns;
        }
        Ok(())
    }
}
