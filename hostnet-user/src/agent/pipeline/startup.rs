//! The start of a run: what was there before the programs, then proof that they run.

use std::{
    collections::BTreeSet,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Control, Pipeline, SETTLING};
use crate::{
    agent::{host_state::Survey, takeover},
    ask::in_time,
    attribute::Found,
    engine::input::World,
    event::{Health, NotSelected, Process},
    kernel::{self, Host, Programs, memory},
    sources::procfs,
};

/// How long the start waits for the runtime's list, asked for at its beginning; where a
/// name decides what is shown, as long as for anything that answers at all.
const PATIENCE_FOR_NAMES: Duration = Duration::from_millis(200);

/// The sockets that were there when the programs had been attached.
struct Snapshot {
    sockets: Vec<Found>,
    /// When the kernel had answered.
    at_ns: u64,
}

/// The host is described to the stages, and what was there is known to them.
struct Described {
    snapshot_ns: u64,
}

/// The hooks are proven, and the start is told.
struct Proven {
    snapshot_ns: u64,
}

/// The runtime was heard of, or was given its time.
struct Named {
    snapshot_ns: u64,
    /// Why the run was told to stop meanwhile.
    stop: Option<String>,
}

impl Pipeline {
    /// Takes in the state from before the programs were attached, proves the
    /// hooks, and tells the start. Returns why it was told to stop meanwhile.
    ///
    /// The order is what makes it right, so each step takes what the one before has made.
    ///
    /// # Errors
    /// When the recording or an output cannot be written.
    pub fn start(
        &mut self,
        run: World,
        settings: serde_json::Value,
        control: &Receiver<Control>,
    ) -> Result<Option<String>> {
        // First of all: what is gone by the time it is asked for is never told.
        let snapshot = self.snapshot();
        let described = self.describe(snapshot, run)?;
        let proven = self.prove(described, settings)?;
        let named = self.name(proven, control)?;
        self.tell_of_before(named)
    }

    fn snapshot(&mut self) -> Snapshot {
        let (survey, sockets) = Survey::begin(&mut self.programs);
        self.survey = survey;
        Snapshot { sockets, at_ns: kernel::boot_clock() }
    }

    /// The run itself, what other runs have learned, the host, and who is on it.
    fn describe(&mut self, snapshot: Snapshot, run: World) -> Result<Described> {
        let Snapshot { sockets, at_ns } = snapshot;
        self.world(run)?;
        let reached = self.stages.take_reached();
        if !reached.is_empty() {
            self.world(World::Reached(reached))?;
        }
        let findings = self.stages.take_findings();
        if !findings.is_empty() {
            self.world(World::Findings(findings))?;
        }
        self.clock()?;
        if let Some(network) = self.survey.network() {
            self.world(network)?;
        }
        if let Some(redirects) = self.survey.changed_redirects() {
            self.world(redirects)?;
        }
        self.users()?;
        self.user_rules()?;
        for (id, path) in procfs::cgroups(self.programs.root.path()) {
            self.world(World::Cgroup { id, path })?;
        }
        let host = self.programs.host;
        self.look_up_all(procfs::pids_in(host.network_namespace))?;
        for apart in procfs::apart(&host, self.programs.root.path()) {
            self.world(World::Apart(apart))?;
        }
        self.holders(&sockets)?;
        // What is done meanwhile is told with whom it reached. An agent before this one may
        // have left records that are older than these sockets.
        let since_ns = if self.programs.adopted.is_some() { at_ns } else { 0 };
        self.world(World::Snapshot { boot_ns: at_ns, since_ns, sockets })?;
        Ok(Described { snapshot_ns: at_ns })
    }

    fn prove(&mut self, described: Described, settings: serde_json::Value) -> Result<Proven> {
        let Described { snapshot_ns } = described;
        let Programs { rings, root, coverage, maps, .. } = &mut self.programs;
        // Where the maps are of an agent before this one, it is classed as the host's.
        if let Some(own) = procfs::cgroup(std::process::id(), root.path()) {
            maps.rouse(own)?;
        }
        kernel::prove(rings, root, coverage)?;
        let coverage = &self.programs.coverage;
        for gap in coverage.gaps() {
            tracing::warn!("{gap}");
        }
        let health = Health::Started {
            coverage: serde_json::to_value(coverage.rows())?,
            complete: coverage.is_complete(),
            settings,
        };
        self.health(health)?;
        if let Some(adopted) = self.programs.adopted {
            // What the counters say is of that time.
            self.losses_read_boot_ns = adopted.since_ns;
            for input in takeover::inputs(adopted, snapshot_ns) {
                self.world(input)?;
            }
        }
        Ok(Proven { snapshot_ns })
    }

    fn name(&mut self, proven: Proven, control: &Receiver<Control>) -> Result<Named> {
        let Proven { snapshot_ns } = proven;
        let stop = self.hear_of_runtime(control)?;
        match self.stages.filter().start() {
            Some(ambiguous @ NotSelected::Ambiguous { .. }) => return Err(ambiguous.into()),
            Some(unknown @ NotSelected::Unknown(_)) => {
                tracing::warn!("{unknown} yet; its events are shown once there is one");
            }
            None => {}
        }
        Ok(Named { snapshot_ns, stop })
    }

    /// What was there before, by name, once all records of it have come.
    fn tell_of_before(&mut self, named: Named) -> Result<Option<String>> {
        let Named { snapshot_ns: boot_ns, stop } = named;
        self.stages.attribution.owners().forget_answered();
        // Now that the canary has run, host processes may be quietened.
        self.serve_requests()?;
        let host = self.programs.host;
        self.present(&host, boot_ns)?;
        self.drain_to(boot_ns + SETTLING.as_nanos() as u64)?;
        self.world(World::Existing { boot_ns, sockets: Vec::new() })?;
        if let Some(flows) = takeover::flows(&self.programs) {
            self.world(flows)?;
            self.serve_requests()?;
        }
        self.report()?;
        self.settle()?;
        memory::give_back();
        memory::give_back_code();
        Ok(stop)
    }

    /// Waits, a moment at most, until it is known how containers are called: of those
    /// that were there before, everything is then told by name. Returns why it was told
    /// to stop meanwhile.
    fn hear_of_runtime(&mut self, control: &Receiver<Control>) -> Result<Option<String>> {
        let needs_names = self.stages.filter().needs_names();
        let patience = if needs_names { in_time::PATIENCE } else { PATIENCE_FOR_NAMES };
        let deadline = Instant::now() + patience;
        let mut stop = None;
        while !self.heard_of_runtime && stop.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            stop = self.serve(control, left)?;
            if left.is_zero() {
                break;
            }
        }
        Ok(stop)
    }

    /// The processes that hold these sockets, unless they are known.
    fn holders(&mut self, existing: &[Found]) -> Result<()> {
        let holders = existing.iter().flat_map(|found| &found.holders).map(|holder| holder.pid);
        let owners = self.stages.attribution.owners();
        let is_unknown = |pid: &u32| owners.lacks_process(*pid);
        let pids: BTreeSet<u32> = holders.filter(is_unknown).collect();
        self.look_up_all(pids)
    }

    /// The containers that are in the host's network namespace, whatever they do. A runtime
    /// that sets one up passes through, so a process counts that is there still, with mounts
    /// that are not the host's.
    fn present(&mut self, host: &Host, boot_ns: u64) -> Result<()> {
        let found = self.stages.attribution.contained_processes();
        let is_there = |process: &&Process| {
            procfs::is_still_in(process, host.network_namespace)
                && procfs::namespace(process.pid, "mnt") != Some(host.mount_namespace)
        };
        let pids = found.iter().filter(is_there).map(|process| process.pid).collect();
        self.world(World::Present { boot_ns, pids })
    }
}
