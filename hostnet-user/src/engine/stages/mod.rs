//! The stages after the kernel, in order: attribute, judge, record, outputs. Live and
//! replayed runs go through this same code.

mod world;

use std::collections::BTreeMap;

use anyhow::Result;
use hostnet_abi::{DecodeError, Flow, FlowKey};

use crate::{
    attribute::{Attribution, Decoded, Policy, Request, TABLE_PLACE},
    engine::{input::Input, user_rules::UserRules},
    event::{Event, Health, Operation, OwnerKind, PastFinding, Reached},
    format::ecs::Identity,
    judge::Judge,
    output::{HistoryNumbers, Output, SinkNumbers},
    record::{ClockWatch, Sequence},
};

pub use crate::engine::filter::Filter;

/// What a run has told, for the summary at its end.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Events by `hostnet.operation`.
    pub operations: BTreeMap<&'static str, u64>,
    /// Containers by label, with how many events each had.
    pub containers: BTreeMap<String, u64>,
    /// Records lost.
    pub lost: u64,
    /// Repeats beyond their owners' budgets.
    pub suppressed: u64,
    /// The same by where.
    pub lost_by_place: BTreeMap<String, u64>,
}

/// Room for events that is kept for the next ones.
const KEPT: usize = 1024;

/// The stages of one run.
pub struct Stages {
    /// The stage that other code asks and feeds.
    pub attribution: Attribution,
    /// What was told so far.
    pub summary: Summary,
    judge: Judge,
    sequence: Sequence,
    clock: ClockWatch,
    outputs: Vec<Box<dyn Output>>,
    filter: Filter,
    seen_ns: u64,
    events: Vec<Event>,
    findings: Vec<Event>,
    user_rules: UserRules,
    undecodable: u64,
    undecodable_reason: String,
}

impl Stages {
    /// The stages of a run under `policy`.
    #[must_use]
    pub fn new(
        policy: Policy,
        judge: Judge,
        filter: Filter,
        outputs: Vec<Box<dyn Output>>,
    ) -> Self {
        Self {
            attribution: Attribution::new(policy),
            summary: Summary::default(),
            user_rules: UserRules::new(judge.repeat_after_ns()),
            judge,
            sequence: Sequence::default(),
            clock: ClockWatch::default(),
            outputs,
            filter,
            seen_ns: 0,
            events: Vec::new(),
            findings: Vec::new(),
            undecodable: 0,
            undecodable_reason: String::new(),
        }
    }

    /// Takes a record, or what is wrong with its bytes.
    ///
    /// # Errors
    /// When an output cannot take an event.
    pub fn record(&mut self, record: Result<Decoded<'_>, DecodeError>) -> Result<()> {
        match record {
            Ok(record) => self.attribution.record(&record),
            Err(error) => {
                self.undecodable += 1;
                self.undecodable_reason = error.to_string();
            }
        }
        self.deliver()
    }

    /// Where the run is: the user's rules see it.
    pub fn identify(&mut self, identity: &Identity) {
        self.user_rules.identify(identity);
        self.judge.boot(&identity.boot_id);
    }

    /// Takes the counts of the UDP flows that the next record closes.
    pub fn flows(&mut self, flows: &[(FlowKey, Flow)]) {
        self.attribution.flows(flows);
    }

    /// Takes an input of a recording.
    ///
    /// # Errors
    /// When an output cannot take an event.
    pub fn input(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Record(bytes) => self.record(Decoded::of(&bytes)),
            Input::Flows(flows) => {
                self.flows(&flows);
                Ok(())
            }
            Input::World(world) => self.world(world),
        }
    }

    /// What the attribution asks to be done elsewhere.
    pub fn take_requests(&mut self) -> Vec<Request> {
        self.attribution.take_requests()
    }

    /// Tells what still waits.
    ///
    /// # Errors
    /// When an output cannot take an event.
    pub fn finish(&mut self) -> Result<()> {
        self.attribution.finish();
        self.report_unkept(u64::MAX);
        self.deliver()
    }

    /// What the tables had no room for.
    fn report_unkept(&mut self, boot_ns: u64) {
        let count = self.attribution.report_unkept(boot_ns);
        if count > 0 {
            self.summary.lose(TABLE_PLACE, count);
        }
    }

    /// Writes out what outputs hold back.
    ///
    /// # Errors
    /// When an output cannot write; the others have been asked all the same.
    pub fn flush(&mut self) -> Result<()> {
        each(&mut self.outputs, |output| output.flush())
    }

    /// All records until `boot_ns` have been taken in: says so to the outputs, but for the time
    /// of which something is still to come.
    pub fn known_until(&mut self, boot_ns: u64) {
        let waits_since = self.attribution.waits_since();
        let until_ns = self.attribution.wall_ns(boot_ns.min(waits_since.unwrap_or(boot_ns)));
        self.outputs.iter_mut().for_each(|output| output.known_until(until_ns));
    }

    /// Opens every output anew.
    ///
    /// # Errors
    /// When an output cannot be opened; the others have been asked all the same.
    pub fn reopen(&mut self) -> Result<()> {
        each(&mut self.outputs, |output| output.reopen())
    }

    /// What images reached while other runs judged, as far as an output has kept it.
    pub fn take_reached(&mut self) -> Vec<Reached> {
        self.outputs.iter_mut().flat_map(|output| output.take_reached()).collect()
    }

    /// What other runs have found, as far as an output has kept it.
    pub fn take_findings(&mut self) -> Vec<PastFinding> {
        self.outputs.iter_mut().flat_map(|output| output.take_findings()).collect()
    }

    /// Which events are passed on.
    pub const fn filter(&mut self) -> &mut Filter {
        &mut self.filter
    }

    /// What the outputs tell of themselves since the last call.
    pub fn take_news(&mut self) -> Vec<Health> {
        self.outputs.iter_mut().flat_map(|output| output.take_news()).collect()
    }

    /// Writes out everything and waits until it is where it goes.
    ///
    /// # Errors
    /// When an output has something left; the others have been asked all the same.
    pub fn close(&mut self) -> Result<()> {
        each(&mut self.outputs, |output| output.close())
    }

    /// The sinks that the outputs feed, by name.
    #[must_use]
    pub fn sinks(&self) -> BTreeMap<String, SinkNumbers> {
        self.outputs.iter().flat_map(|output| output.sinks()).collect()
    }

    /// The history that is kept, in numbers.
    #[must_use]
    pub fn history(&self) -> Option<HistoryNumbers> {
        self.outputs.iter().find_map(|output| output.history())
    }

    /// Up to which event the outputs have written for good what was flushed.
    #[must_use]
    pub fn written(&self) -> u64 {
        let each = self.outputs.iter().filter_map(|output| output.written());
        each.min().unwrap_or(self.told())
    }

    /// Events told so far.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.sequence.given()
    }

    fn deliver(&mut self) -> Result<()> {
        let mut events = std::mem::take(&mut self.events);
        self.attribution.take_events(&mut events);
        let mut findings = std::mem::take(&mut self.findings);
        let mut outcome = Ok(());
        for mut event in events.drain(..) {
            // Whatever is passed on, the judgement is of all that happened.
            self.judge.judge(&mut event, &mut findings);
            outcome = outcome.and(self.write(event));
            for finding in findings.drain(..) {
                outcome = outcome.and(self.write(finding));
            }
        }
        events.shrink_to(KEPT);
        (self.events, self.findings) = (events, findings);
        outcome
    }

    fn write(&mut self, event: Event) -> Result<()> {
        self.filter.note(&event);
        if !self.filter.passes(&event) {
            return Ok(());
        }
        self.summary.count(&event);
        // A record may be younger than the last look at the clock.
        let seen_ns = self.seen_ns.max(event.wall_ns);
        let record = self.sequence.record(event, seen_ns);
        let mut outcome = each(&mut self.outputs, |output| output.write(&record));
        let mut findings = Vec::new();
        self.user_rules.judge(&record, &mut findings);
        for finding in findings {
            // Of a finding nothing is found.
            outcome = outcome.and(self.write(finding));
        }
        outcome
    }
}

/// Asks every output; returns the first error after all have been asked.
fn each(
    outputs: &mut [Box<dyn Output>],
    mut ask: impl FnMut(&mut dyn Output) -> Result<()>,
) -> Result<()> {
    let mut outcome = Ok(());
    for output in outputs {
        outcome = outcome.and(ask(output.as_mut()));
    }
    outcome
}

impl Summary {
    fn lose(&mut self, place: &str, count: u64) {
        self.lost = self.lost.saturating_add(count);
        let of_place = self.lost_by_place.entry(place.to_owned()).or_default();
        *of_place = of_place.saturating_add(count);
    }

    fn count(&mut self, event: &Event) {
        if matches!(event.operation, Operation::Health(_)) {
            return;
        }
        *self.operations.entry(event.operation.told().operation()).or_default() += 1;
        if let Some(owner) = &event.owner
            && owner.kind == OwnerKind::Container
        {
            match self.containers.get_mut(owner.label()) {
                Some(count) => *count += 1,
                None => {
                    self.containers.insert(owner.label().to_owned(), 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
