//! One record on its way from the ring to the stages, after whatever it needs to
//! be understood: those inputs are fetched here, and written down with it.

use std::path::Path;

use anyhow::Result;
use hostnet_abi::{Flow, FlowKey};

use crate::{
    attribute::fetch::procfs,
    input::{self, InputRef, World},
    kernel::{Maps, Recorder},
    stages::Stages,
};

/// Where the inputs come from and go to.
pub struct Feed<'a> {
    /// The stages.
    pub stages: &'a mut Stages,
    /// The kernel's maps.
    pub maps: &'a mut Maps,
    /// Where cgroups are.
    pub cgroup_root: &'a Path,
    /// Where inputs are written down.
    pub recorder: &'a mut Option<Recorder>,
}

impl Feed<'_> {
    /// Takes one record: first the processes it names, the cgroup it is from, the counts
    /// of the flows it closes.
    ///
    /// # Errors
    /// When the recording or an output cannot be written.
    pub fn record(&mut self, bytes: &[u8]) -> Result<()> {
        for pid in self.stages.attribution.unknown_processes(bytes) {
            if let Some(process) = procfs::process(pid, self.cgroup_root) {
                self.world(World::Process(Box::new(process)))?;
            }
        }
        if let Some(pid) = self.stages.attribution.misplaced_process(bytes) {
            for (id, path) in procfs::cgroup_lineage(pid, self.cgroup_root) {
                if self.stages.attribution.lacks_cgroup(id) {
                    self.world(World::Cgroup { id, path })?;
                }
            }
        }
        if let Some(pid) = self.stages.attribution.unplaced_process(bytes)
            && let Some((start_ns, path)) = procfs::v1_place(pid)
        {
            self.world(World::V1Place { pid, start_ns, path })?;
        }
        let flows = self.stages.attribution.wanted_flows(bytes);
        if !flows.is_empty() {
            let counts: Vec<(FlowKey, Flow)> = flows
                .into_iter()
                .filter_map(|key| Some((key, self.maps.take_flow(key)?)))
                .collect();
            write_down(self.recorder, InputRef::Flows(&counts))?;
            self.stages.flows(&counts);
        }
        write_down(self.recorder, InputRef::Record(bytes))?;
        self.stages.record(bytes)
    }

    /// Takes anything else.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn world(&mut self, world: World) -> Result<()> {
        write_down(self.recorder, InputRef::World(&world))?;
        self.stages.world(world)
    }
}

/// Writes an input down where that is wanted.
///
/// # Errors
/// When the recording cannot be written.
pub fn write_down(recorder: &mut Option<Recorder>, input: InputRef<'_>) -> Result<()> {
    match recorder {
        Some(recorder) => input::record(recorder, input),
        None => Ok(()),
    }
}
