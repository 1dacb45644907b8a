//! What the kernel says of the programs and maps while they run.

use std::{fs, os::fd::AsFd, sync::Arc};

use anyhow::{Context, Result, bail};
use aya::{
    Pod,
    maps::{HashMap, Map, MapData},
};
use serde::Serialize;

use super::{
    maps::{
        AyaAct, AyaCgroup, AyaContained, AyaFlow, AyaFlowKey, AyaLossKey, AyaSuppressed,
        AyaToldKey, Source,
    },
    running::Running,
};
use crate::event::shares::Fill;

/// Reads the numbers; holds the programs and maps open, and not what attaches them.
pub struct Meter {
    programs: Arc<[Running]>,
    maps: Vec<(&'static str, u32, CountEntries)>,
}

/// A map is walked key by key, for the kernel keeps no count that can be asked for.
type CountEntries = Box<dyn Fn() -> u64 + Send>;

/// One program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProgramNumbers {
    /// Its name.
    pub program: &'static str,
    /// How often the kernel skipped it, because it would have interrupted itself.
    pub recursion_misses: u64,
    /// How often it ran and how long, nanoseconds; `None` unless the host counts that
    /// (`kernel.bpf_stats_enabled`).
    pub runs: Option<(u64, u64)>,
}

/// One map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MapNumbers {
    /// Its name.
    pub map: &'static str,
    /// How full it is.
    #[serde(flatten)]
    pub fill: Fill,
}

impl Meter {
    /// Of these programs, and of maps of which `source` gives handles of their own.
    pub(super) fn new(programs: Arc<[Running]>, source: Source<'_>) -> Result<Self> {
        let maps = vec![
            map::<u64, AyaCgroup>(source, "CGROUPS")?,
            map::<u32, AyaContained>(source, "CONTAINED")?,
            map::<AyaAct, u64>(source, "FIRST_SEEN")?,
            map::<AyaFlowKey, AyaFlow>(source, "FLOWS")?,
            map::<u64, u64>(source, "FLOW_SHARES")?,
            map::<AyaLossKey, u64>(source, "LOSSES")?,
            map::<AyaLossKey, AyaSuppressed>(source, "SUPPRESSED")?,
            map::<AyaToldKey, u64>(source, "TOLD")?,
        ];
        Ok(Self { programs, maps })
    }

    /// The programs; one of which nothing can be read is left out.
    #[must_use]
    pub fn programs(&self) -> Vec<ProgramNumbers> {
        let is_counted = fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled")
            .is_ok_and(|text| text.trim() == "1");
        let numbers = |running: &Running| {
            let told = running.ask().ok()?;
            Some(ProgramNumbers {
                program: running.hook.program(),
                recursion_misses: told.recursion_misses,
                runs: is_counted.then_some(told.runs),
            })
        };
        self.programs.iter().filter_map(numbers).collect()
    }

    /// The maps that can fill up.
    #[must_use]
    pub fn maps(&self) -> Vec<MapNumbers> {
        let numbers = |(map, capacity, count): &(&'static str, u32, CountEntries)| MapNumbers {
            map,
            fill: Fill { entries: count(), capacity: (*capacity).into() },
        };
        self.maps.iter().map(numbers).collect()
    }
}

/// Another handle of a hash map that somebody else is going to use.
pub fn twin(map: Option<&Map>, name: &str) -> Result<Map> {
    let Some(Map::HashMap(data)) = map else { bail!("the eBPF object has no hash map {name}") };
    let twin = MapData::from_fd(data.fd().as_fd().try_clone_to_owned()?);
    Ok(Map::HashMap(twin.with_context(|| format!("cannot read the eBPF map {name}"))?))
}

/// A map's name, its room, and how its entries are counted.
fn map<K: Pod + Send + 'static, V: Pod + Send + 'static>(
    source: Source<'_>,
    name: &'static str,
) -> Result<(&'static str, u32, CountEntries)> {
    let map = source(name)?;
    let Map::HashMap(data) = &map else { bail!("the eBPF object has no hash map {name}") };
    let cannot = || format!("cannot read the eBPF map {name}");
    let capacity = data.info().with_context(cannot)?.max_entries();
    let map = HashMap::<MapData, K, V>::try_from(map).with_context(cannot)?;
    // Entries may come and go meanwhile; an error ends the walk.
    let most = usize::try_from(capacity).unwrap_or(usize::MAX);
    let count = move || map.keys().take(most).take_while(Result::is_ok).count() as u64;
    Ok((name, capacity, Box::new(count)))
}
