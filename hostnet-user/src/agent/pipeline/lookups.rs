//! What the stages lack beside records, asked for and taken in: of /proc, by sock_diag, in
//! the kernel's maps, of the runtime.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::Pipeline;
use crate::{
    agent::{
        lookups::{Answer, Batch},
        map_updates,
    },
    ask::desk::LookupNumbers,
    attribute::Request,
    engine::input::World,
    event::Process,
};

/// How often it is looked, while there are no records, whether the host's network is another.
const QUIET: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Takes in what has changed of the host's network and of its packet filters, before the
    /// records that were taken since.
    pub(super) fn look_around(&mut self, has_records: bool) -> Result<()> {
        if !has_records && self.looked_around.elapsed() < QUIET {
            return Ok(());
        }
        self.looked_around = Instant::now();
        if let Some(network) = self.survey.changed_network() {
            self.world(network)?;
        }
        if let Some(redirects) = self.survey.changed_redirects() {
            self.world(redirects)?;
        }
        Ok(())
    }

    /// Takes in what has been found out since the last call, and what these records lack, as
    /// far as it is known in time.
    pub(super) fn look_up(&mut self, batch: &Batch) -> Result<()> {
        let late = self.lookups.late();
        self.answered(late)?;
        let answers = self.lookups.before(batch, self.stages.attribution.owners());
        self.answered(answers)
    }

    fn answered(&mut self, answers: Vec<Answer>) -> Result<()> {
        for answer in answers {
            for input in answer.inputs(self.stages.attribution.owners()) {
                self.world(input)?;
            }
            self.lookups.taken_in(&answer, self.stages.attribution.owners());
        }
        Ok(())
    }

    /// Takes in these processes, as /proc shows them, in the order in which they began: so
    /// parents come before those they made.
    pub(super) fn look_up_all(&mut self, pids: impl IntoIterator<Item = u32>) -> Result<()> {
        let found = self.lookups.all(pids).into_iter();
        let mut found: Vec<(Process, _)> =
            found.filter_map(|found| Some((found.process?, found.place))).collect();
        found.sort_by_key(|(process, _)| (process.start_ns, process.pid));
        for (process, place) in found {
            let pid = process.pid;
            self.world(World::Process(Box::new(process)))?;
            if let Some((start_ns, path)) = place {
                self.world(World::V1Place { pid, start_ns, path })?;
            }
        }
        Ok(())
    }

    /// Takes in what the kernel has answered of sockets, and asks for the ports of the
    /// listeners that wait for theirs, all at once.
    pub(super) fn sockets(&mut self) -> Result<()> {
        if let Some(sockets) = self.survey.sockets() {
            self.world(sockets)?;
        }
        let attribution = &mut self.stages.attribution;
        if !attribution.awaits_ports() {
            return Ok(());
        }
        let ports = self.survey.listening_ports(|| attribution.without_ports());
        ports.map_or(Ok(()), |ports| self.world(ports))
    }

    /// Waits, a moment at most, for the ports that are still not known.
    pub(super) fn last_ports(&mut self) -> Result<()> {
        if !self.stages.attribution.awaits_ports() {
            return Ok(());
        }
        let ports = self.survey.last_ports(self.stages.attribution.without_ports());
        ports.map_or(Ok(()), |ports| self.world(ports))
    }

    /// How the questions are doing, by what is asked.
    pub(super) fn lookup_numbers(&self) -> BTreeMap<&'static str, LookupNumbers> {
        let mut numbers = self.survey.numbers();
        numbers.insert("process", self.lookups.numbers());
        let (oldest_ns, waiting) = self.stages.attribution.names_awaited();
        let of_names = LookupNumbers { oldest_ns, waiting, ..LookupNumbers::default() };
        numbers.insert("container", of_names);
        numbers
    }

    /// Does what the attribution asks for.
    pub(super) fn serve_requests(&mut self) -> Result<()> {
        for request in self.stages.take_requests() {
            match map_updates::serve(request, &mut self.programs.maps) {
                Ok(Some(Request::Inspect(id))) => (self.inspect)(id),
                Ok(Some(Request::Listeners)) => self.survey.ask_sockets(),
                Ok(_done) => {}
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
        Ok(())
    }
}
