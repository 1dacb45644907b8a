//! The data path as code: ring → decode → attribute → judge → record → outputs.
//!
//! One thread owns all of it. It is never woken: it looks at the ring, writes
//! what it found, and looks again sooner or later depending on how busy the
//! host is, but never later than [`LONGEST_WAIT`].

mod lookups;
mod rule_files;
mod startup;

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    host_state::Survey,
    ingest::{Feed, write_down},
    lookups::{Batch, ProcessLookups, Taken},
    losses,
    watchdog::Vigil,
};
use crate::{
    attribute::RuntimeNews,
    config,
    engine::{
        capture::Recorder,
        input::{InputRef, World},
        stages::{Stages, Summary},
    },
    event::Health,
    kernel::{self, Programs, Progress},
    metrics::Report,
    output::is_broken_pipe,
};
use rule_files::UserRuleFiles;

/// The longest a record waits in the ring on an idle host.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// The wait after records were found; it doubles while none are.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// Records taken before the clock, the controls and the losses are looked at.
const BATCH: usize = 4096;

/// How long after the kernel shows a UDP or raw socket that socket's records may still come.
const SETTLING: Duration = Duration::from_millis(50);

/// How often losses are read.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What other threads tell the pipeline.
#[derive(Debug)]
pub enum Control {
    /// News from the container runtime.
    Runtime(RuntimeNews),
    /// Open the outputs anew, and read the user's rules anew.
    Reopen,
    /// Drain, tell what waits, and end, for this reason.
    Stop(String),
}

/// Where requests to the container runtime go; it must not block.
pub type Inspect = Box<dyn Fn(String) + Send>;

/// A live run.
pub struct Pipeline {
    programs: Programs,
    stages: Stages,
    recorder: Option<Recorder>,
    inspect: Inspect,
    report: Report,
    rules: UserRuleFiles,
    survey: Survey,
    lookups: ProcessLookups,
    /// Room for the records of a look at the rings.
    batch: Batch,
    vigil: Vigil,
    losses_read: Instant,
    losses_read_boot_ns: u64,
    /// When it was last looked whether the host's network is another.
    looked_around: Instant,
    /// Time of the latest record taken.
    drained_to_ns: u64,
    /// There were more records than were taken at the last look.
    is_behind: bool,
    output_failed: bool,
    /// The runtime has listed its containers, or does not answer.
    heard_of_runtime: bool,
}

impl Pipeline {
    /// Puts the run together; nothing is told yet.
    #[must_use]
    pub fn new(
        programs: Programs,
        stages: Stages,
        recorder: Option<Recorder>,
        inspect: Inspect,
        report: Report,
        rules: Option<config::Rules>,
    ) -> Self {
        let root = &programs.root;
        let lookups = ProcessLookups::new(root.path(), root.is_private());
        Self {
            programs,
            stages,
            recorder,
            inspect,
            report,
            rules: UserRuleFiles::new(rules),
            survey: Survey::default(),
            lookups,
            batch: Batch::default(),
            vigil: Vigil::default(),
            losses_read: Instant::now(),
            losses_read_boot_ns: kernel::boot_clock(),
            looked_around: Instant::now(),
            drained_to_ns: 0,
            is_behind: false,
            output_failed: false,
            heard_of_runtime: false,
        }
    }

    /// Takes everything that was put into the ring until `boot_ns`.
    fn drain_to(&mut self, boot_ns: u64) -> Result<()> {
        loop {
            let now = self.clock()?;
            let count = self.drain()?;
            self.settle()?;
            if now >= boot_ns && (count < BATCH || self.drained_to_ns >= boot_ns) {
                return Ok(());
            }
            if count < BATCH {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }

    /// Runs, once [begun](Self::start), until told to stop; returns what was told.
    ///
    /// # Errors
    /// When it could not begin, or the recording cannot be written.
    pub fn run(
        mut self,
        begun: Result<Option<String>>,
        control: &Receiver<Control>,
    ) -> Result<Summary> {
        let reason = match begun.and_then(|stop| stop.map_or_else(|| self.attend(control), Ok)) {
            Err(error) if is_broken_pipe(&error) => "the reader of the output is gone".to_owned(),
            outcome => outcome?,
        };
        self.finish(reason)
    }

    /// Does what there is to do until told to stop; returns why.
    fn attend(&mut self, control: &Receiver<Control>) -> Result<String> {
        let mut wait = SHORTEST_WAIT;
        loop {
            if let Some(reason) = self.serve(control, wait)? {
                return Ok(reason);
            }
            let now_ns = self.clock()?;
            let taken_ns = if self.is_behind { self.drained_to_ns } else { now_ns };
            for health in self.vigil.turn(&mut self.programs, now_ns, taken_ns) {
                self.health(health)?;
            }
            self.sockets()?;
            let count = self.drain()?;
            wait = match count {
                BATCH => Duration::ZERO,
                0 => (wait * 2).clamp(SHORTEST_WAIT, LONGEST_WAIT),
                _ => SHORTEST_WAIT,
            };
            let is_time = self.losses_read.elapsed() >= HOUSEKEEPING;
            if is_time {
                self.users().and_then(|()| self.tell_losses())?;
                self.report()?;
            }
            self.settle()?;
            // A record may be on its way that was made a moment ago.
            if is_time && !self.programs.rings.is_behind() {
                self.stages.known_until(now_ns.saturating_sub(SETTLING.as_nanos() as u64));
            }
            for news in self.stages.take_news() {
                self.health(news)?;
            }
            if let Some(news) = self.rules.take_news() {
                self.health(news)?;
            }
        }
    }

    /// Writes out what was told; only then are its records the kernel's again, so that
    /// an agent after this one reads the others, and those that still wait.
    fn settle(&mut self) -> Result<()> {
        self.flush()?;
        self.programs.rings.give_back(Progress {
            told: self.stages.told(),
            written: self.stages.written(),
            waits_since: self.stages.attribution.waits_since(),
        });
        if let Err(error) = self.programs.told.note(kernel::boot_clock()) {
            tracing::warn!("{error:#}");
        }
        Ok(())
    }

    fn finish(mut self, reason: String) -> Result<Summary> {
        // What happens from now on is not of this run, or a busy host would never let it end.
        let end_ns = kernel::boot_clock();
        self.clock()?;
        while self.drain()? == BATCH || self.programs.rings.is_behind() {
            if self.drained_to_ns >= end_ns {
                break;
            }
            // A record that another processor is writing holds up those behind it.
            std::thread::yield_now();
        }
        self.last_ports()?;
        self.stages.finish().or_else(|error| self.output_error(error))?;
        self.tell_losses()?;
        let events = self.stages.told() + 1; // The stop itself is the last.
        let lost = self.stages.summary.lost;
        self.health(Health::Stopped { reason, events, lost })?;
        let written = self.stages.close();
        if written.is_ok() {
            self.settle()?;
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.finish()?;
        }
        match written {
            Err(error) if !is_broken_pipe(&error) => {
                Err(error.context("the last events were not written"))
            }
            _ => Ok(self.stages.summary),
        }
    }

    /// Serves what other threads ask, waiting at most `wait` for the first.
    fn serve(&mut self, control: &Receiver<Control>, wait: Duration) -> Result<Option<String>> {
        let mut next = match control.recv_timeout(wait) {
            Ok(control) => Some(control),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Some("the controlling thread ended".into()));
            }
        };
        while let Some(control_message) = next {
            match control_message {
                Control::Runtime(news) => {
                    self.heard_of_runtime |= news.is_of_runtime();
                    let boot_ns = self.clock()?;
                    self.world(World::Runtime { boot_ns, news })?;
                }
                Control::Reopen => {
                    match self.stages.reopen() {
                        Ok(()) => tracing::info!("files opened again"),
                        Err(error) => tracing::error!("cannot open files again: {error:#}"),
                    }
                    self.user_rules()?;
                }
                Control::Stop(reason) => return Ok(Some(reason)),
            }
            next = control.try_recv().ok();
        }
        Ok(None)
    }

    /// Takes records, what they lack, and then them. Returns how many there were;
    /// [`BATCH`] when there may be more.
    fn drain(&mut self) -> Result<usize> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let mut count = self.take_records(&mut batch)?;
        if batch.is_full() {
            count = BATCH;
        }
        self.is_behind = count == BATCH;
        self.look_around(count > 0)?;
        self.look_up(&batch)?;
        for record in batch.records() {
            let (stages, recorder) = (&mut self.stages, &mut self.recorder);
            let mut feed = Feed { stages, maps: &mut self.programs.maps, recorder };
            feed.record(record).or_else(|error| self.output_error(error))?;
        }
        self.batch = batch;
        self.serve_requests()?;
        if let Some(diagnostics) = &mut self.programs.diagnostics {
            diagnostics.flush();
        }
        Ok(count)
    }

    fn take_records(&mut self, batch: &mut Batch) -> Result<usize> {
        let mut count = 0;
        while count < BATCH && !batch.is_full() {
            let Some(record) = self.programs.rings.take()? else { break };
            count += 1;
            let taken = Taken::of(&record);
            if let Some(header) = taken.header() {
                self.drained_to_ns = header.boot_ns;
                if self.vigil.takes(&header) {
                    continue;
                }
            }
            batch.push(taken);
        }
        Ok(count)
    }

    fn world(&mut self, world: World) -> Result<()> {
        write_down(&mut self.recorder, InputRef::World(&world))?;
        self.stages.world(world).or_else(|error| self.output_error(error))
    }

    fn users(&mut self) -> Result<()> {
        self.survey.changed_users(&self.programs.host).map_or(Ok(()), |users| self.world(users))
    }

    /// The user's rules as they are now.
    fn user_rules(&mut self) -> Result<()> {
        self.rules.read().map_or(Ok(()), |rules| self.world(rules))
    }

    fn health(&mut self, health: Health) -> Result<()> {
        let boot_ns = self.clock()?;
        self.world(World::Health { boot_ns, health })
    }

    /// Reads both clocks; returns `CLOCK_BOOTTIME`.
    fn clock(&mut self) -> Result<u64> {
        let (boot_ns, wall_ns) = kernel::both_clocks();
        let taken_ns = self.is_behind.then_some(self.drained_to_ns);
        self.world(World::Clock { boot_ns, wall_ns, taken_ns })?;
        Ok(boot_ns)
    }

    fn report(&mut self) -> Result<()> {
        let lookups = self.lookup_numbers();
        let heartbeat = self.report.numbers(&self.programs, &self.stages, lookups);
        heartbeat.map_or(Ok(()), |heartbeat| self.health(heartbeat))
    }

    fn flush(&mut self) -> Result<()> {
        match self.stages.flush() {
            Ok(()) => {
                if std::mem::take(&mut self.output_failed) {
                    tracing::info!("outputs can be written again");
                }
                Ok(())
            }
            Err(error) => self.output_error(error),
        }
    }

    /// A reader that went away ends the run; any other failure is told once
    /// and the run goes on, for the output keeps what it could not write.
    fn output_error(&mut self, error: anyhow::Error) -> Result<()> {
        if is_broken_pipe(&error) {
            return Err(error);
        }
        if !std::mem::replace(&mut self.output_failed, true) {
            tracing::error!("{error:#}");
        }
        Ok(())
    }

    fn tell_losses(&mut self) -> Result<()> {
        let (from_ns, to_ns) = (self.losses_read_boot_ns, self.clock()?);
        self.losses_read = Instant::now();
        self.losses_read_boot_ns = to_ns;
        let inputs = losses::read(&mut self.programs, (from_ns, to_ns))
            .inspect_err(|error| tracing::error!("{error:#}"));
        inputs.into_iter().flatten().try_for_each(|input| self.world(input))
    }
}
