//! What the kernel side could not tell, counted where it happened.

use std::{
    collections::HashMap as Table,
    fs,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use aya::maps::{HashMap, MapData, PerCpuArray};
use hostnet_abi::EventKind;

use super::maps::AyaLossKey;

/// Records lost since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The ring was full: owner's cgroup (`None` when the table of owners was
    /// full too), kind, how many.
    RingFull { cgroup: Option<u64>, kind: EventKind, count: u64 },
    /// A program interrupted itself on one CPU and was not run: which one, how
    /// often (`recursion_misses`, `bpf_prog_show_fdinfo`, kernel/bpf/syscall.c, since 5.12).
    NotRun { program: &'static str, count: u64 },
    /// There was no room to follow a container's process by itself, or to note the
    /// cgroup it went to: wherever it goes, it may go unseen.
    NotFollowed { count: u64 },
}

/// Remembers what has been told, so that each look gives the difference.
pub struct Losses {
    by_owner: HashMap<MapData, AyaLossKey, u64>,
    unowned: PerCpuArray<MapData, u64>,
    unfollowed: PerCpuArray<MapData, u64>,
    told_unfollowed: u64,
    programs: Vec<(&'static str, OwnedFd)>,
    told: Table<(Option<u64>, u64), u64>,
    told_not_run: Table<&'static str, u64>,
}

impl Losses {
    pub(super) fn new(
        by_owner: HashMap<MapData, AyaLossKey, u64>,
        unowned: PerCpuArray<MapData, u64>,
        unfollowed: PerCpuArray<MapData, u64>,
        programs: Vec<(&'static str, OwnedFd)>,
    ) -> Self {
        Self {
            by_owner,
            unowned,
            unfollowed,
            told_unfollowed: 0,
            programs,
            told: Table::new(),
            told_not_run: Table::new(),
        }
    }

    /// What was lost since the last call.
    ///
    /// # Errors
    /// When a counter cannot be read; then nothing is known and that is told.
    pub fn since_last(&mut self) -> Result<Vec<Lost>> {
        let mut totals = Vec::new();
        for entry in self.by_owner.iter() {
            let (key, count) = entry.context("cannot read the loss counters")?;
            totals.push((Some(key.0.cgroup), key.0.kind, count));
        }
        for kind in EventKind::ALL {
            let index = *kind as u32;
            let counts = self.unowned.get(&index, 0).context("cannot read the loss counters")?;
            totals.push((None, index.into(), counts.iter().sum()));
        }
        let mut lost = Vec::new();
        for (cgroup, raw_kind, total) in totals {
            let told = self.told.entry((cgroup, raw_kind)).or_default();
            let count = total.saturating_sub(*told);
            let kind = u16::try_from(raw_kind).ok().and_then(EventKind::from_raw);
            if let (Some(kind), true) = (kind, count > 0) {
                *told = total;
                lost.push(Lost::RingFull { cgroup, kind, count });
            }
        }
        let counts = self.unfollowed.get(&0, 0).context("cannot read the loss counters")?;
        let total: u64 = counts.iter().sum();
        if total > self.told_unfollowed {
            lost.push(Lost::NotFollowed { count: total - self.told_unfollowed });
            self.told_unfollowed = total;
        }
        for &(program, ref fd) in &self.programs {
            let total = recursion_misses(fd)?;
            let told = self.told_not_run.entry(program).or_default();
            if total > *told {
                lost.push(Lost::NotRun { program, count: total - *told });
                *told = total;
            }
        }
        Ok(lost)
    }
}

fn recursion_misses(program: &impl AsFd) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", program.as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or(0))
}
