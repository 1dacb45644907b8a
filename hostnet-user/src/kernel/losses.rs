//! What the kernel side could not tell, counted where it happened.

use std::sync::Arc;

use anyhow::{Context, Result};
use aya::maps::{HashMap, MapData, PerCpuArray};
use hostnet_abi::EventKind;

use super::{
    maps::{AyaLossKey, Source},
    running::Running,
    told::{Counter, Told},
};

/// Records lost since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The ring was full: owner's cgroup (`None` when the table of owners was
    /// full too), kind, how many.
    RingFull { cgroup: Option<u64>, kind: EventKind, count: u64 },
    /// A program interrupted itself on one CPU and was not run: which one, how
    /// often.
    NotRun { program: &'static str, count: u64 },
    /// There was no room to follow a container's process by itself, or to note the
    /// cgroup it went to: wherever it goes, it may go unseen.
    NotFollowed { count: u64 },
}

/// Beyond so many owners and kinds, those that lost nothing since the last look make room.
const MANY: usize = 1 << 11;

/// The counters.
pub struct Losses {
    by_owner: HashMap<MapData, AyaLossKey, u64>,
    unowned: PerCpuArray<MapData, u64>,
    unfollowed: PerCpuArray<MapData, u64>,
    programs: Arc<[Running]>,
}

impl Losses {
    pub(super) fn from(source: Source<'_>, programs: Arc<[Running]>) -> Result<Self> {
        Ok(Self {
            by_owner: HashMap::try_from(source("LOSSES")?)?,
            unowned: PerCpuArray::try_from(source("LOSSES_UNOWNED")?)?,
            unfollowed: PerCpuArray::try_from(source("UNFOLLOWED")?)?,
            programs,
        })
    }

    /// What was lost and is not told.
    ///
    /// # Errors
    /// When a counter cannot be read; then nothing is known and that is told.
    pub fn since(&mut self, told: &mut Told) -> Result<Vec<Lost>> {
        let (mut totals, mut quiet) = (Vec::new(), Vec::new());
        for entry in self.by_owner.iter() {
            let (key, count) = entry.context("cannot read the loss counters")?;
            let (cgroup, kind) = (key.0.cgroup, key.0.kind);
            if told.is_all(Counter::RingFull, cgroup, kind, count) {
                quiet.push(key);
            }
            totals.push((Some(cgroup), kind, count));
        }
        if totals.len() > MANY {
            for key in quiet {
                if self.by_owner.remove(&key).is_ok() {
                    told.forget(Counter::RingFull, key.0.cgroup, key.0.kind);
                    totals.retain(|(cgroup, kind, _)| {
                        (*cgroup, *kind) != (Some(key.0.cgroup), key.0.kind)
                    });
                }
            }
        }
        for kind in EventKind::ALL {
            let index = *kind as u32;
            let counts = self.unowned.get(&index, 0).context("cannot read the loss counters")?;
            totals.push((None, index.into(), counts.iter().sum()));
        }
        let mut lost = Vec::new();
        for (cgroup, raw_kind, total) in totals {
            let Some(kind) = u16::try_from(raw_kind).ok().and_then(EventKind::from_raw) else {
                continue;
            };
            let counter =
                if cgroup.is_some() { Counter::RingFull } else { Counter::RingFullUnowned };
            let count = told.new_of(counter, cgroup.unwrap_or_default(), raw_kind, total);
            if count > 0 {
                lost.push(Lost::RingFull { cgroup, kind, count });
            }
        }
        let counts = self.unfollowed.get(&0, 0).context("cannot read the loss counters")?;
        let total: u64 = counts.iter().sum();
        let count = told.new_of(Counter::NotFollowed, 0, 0, total);
        if count > 0 {
            lost.push(Lost::NotFollowed { count });
        }
        for running in self.programs.iter() {
            let hook = running.hook;
            // Those of cgroups are not skipped.
            if hook.attach_point().starts_with("cgroup/") {
                continue;
            }
            let total = running.ask()?.recursion_misses;
            let count = told.new_of(Counter::NotRun, 0, hook as u64, total);
            if count > 0 {
                lost.push(Lost::NotRun { program: hook.program(), count });
            }
        }
        Ok(lost)
    }
}
