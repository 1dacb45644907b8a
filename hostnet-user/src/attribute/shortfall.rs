//! What the stream lacks, and what is in doubt for want of it: the tables may have
//! processes, listeners and sockets whose end was never told.

use std::collections::{BTreeMap, HashSet};

use hostnet_abi::{EventKind, FlowKey, Hook};

use super::{Attribution, Found, Request, other_end, wanted::flow_key};
use crate::event::{Event, Health, LossCount, Lost, total};

/// Kinds of records, and the programs that make them.
type Kinds = (&'static [EventKind], &'static [Hook]);

/// What tells which processes there are.
const OF_PROCESSES: Kinds = (
    &[EventKind::Exec, EventKind::Fork, EventKind::Exit],
    &[Hook::SchedProcessExec, Hook::SchedProcessFork, Hook::SchedProcessExit],
);

/// What tells the end of a socket.
const OF_ENDS: Kinds = (
    &[EventKind::ConnectOutcome, EventKind::Close, EventKind::DatagramClose],
    &[Hook::InetSockSetState, Hook::SockRelease],
);

/// How long after the first end that was not told it is asked which sockets there are.
const ASK_NS: u64 = 10_000_000_000;

/// How long a socket that was not there then is kept: its end may still be in the ring.
const KEEP_NS: u64 = 5_000_000_000;

/// Sockets that may have ended without a word.
#[derive(Debug, Default)]
pub(super) enum Unheard {
    /// None.
    #[default]
    Of,
    /// Since when.
    Since(u64),
    /// It is being asked which there are.
    Asked,
    /// At that time these were not.
    Missing(u64, Vec<u64>),
}

/// The kernel is being asked which sockets there are, while records go on.
#[derive(Debug, Default)]
pub(super) struct AskedSockets {
    /// The sockets that may have ended without a word.
    tracked: Vec<u64>,
    /// When it was found that records of listeners were lost since.
    pub doubted_ns: Option<u64>,
}

impl Attribution {
    /// Records were lost in `place` between two boot-clock times.
    pub fn lost(&mut self, place: String, from_ns: u64, to_ns: u64, by: Vec<Lost>) {
        self.doubt(&by, to_ns);
        self.doubt_ends(&by, to_ns);
        let by = by.into_iter().map(|lost| self.counted(lost)).collect();
        self.health(to_ns, Health::Lost { place, from_ns, to_ns, by });
    }

    /// Acts beyond their owners' budgets were not told between two boot-clock times:
    /// some that only they were told by, and some that tables rest on. Each owner has an
    /// event of its own.
    pub fn suppressed(&mut self, (from_ns, to_ns): (u64, u64), by: Vec<Lost>, of_state: Vec<Lost>) {
        self.doubt(&of_state, to_ns);
        self.doubt_ends(&by, to_ns);
        self.doubt_ends(&of_state, to_ns);
        let mut counts = BTreeMap::<Option<u64>, BTreeMap<String, (u64, u64)>>::new();
        for Lost { cgroup, operation, count, new } in by.into_iter().chain(of_state) {
            let sum = counts.entry(cgroup).or_default().entry(operation).or_default();
            *sum = (total([sum.0, count]), total([sum.1, new]));
        }
        for (cgroup, kinds) in counts {
            let lost = |(operation, (count, new))| Lost { cgroup, operation, count, new };
            let by: Vec<_> = kinds.into_iter().map(lost).map(|lost| self.counted(lost)).collect();
            let owner = by.first().and_then(|one| one.owner.clone());
            let suppressed = Health::Suppressed { from_ns, to_ns, by };
            let event = self.event(to_ns, None, suppressed.into());
            self.events.push(Event { owner, ..event });
        }
    }

    fn counted(&mut self, Lost { cgroup, operation, count, new }: Lost) -> LossCount {
        let owner = cgroup.map(|cgroup| self.registry.owner(cgroup, &self.tree));
        LossCount { owner, operation, count, new }
    }

    fn doubt(&mut self, by: &[Lost], to_ns: u64) {
        // Whoever such a record would have told of may have another process' id.
        if by.iter().any(|lost| may_have_told(lost, OF_PROCESSES)) {
            self.processes.doubt(to_ns);
            self.own.doubt();
        }
        if by.iter().any(|lost| may_have_told(lost, other_end::OF_LISTENERS)) {
            self.doubt_listeners(to_ns);
        }
    }

    fn doubt_ends(&mut self, by: &[Lost], to_ns: u64) {
        if matches!(self.unheard, Unheard::Of) && by.iter().any(|one| may_have_told(one, OF_ENDS)) {
            self.unheard = Unheard::Since(to_ns);
        }
    }

    /// Asks which sockets there are, unless that is being asked.
    pub(super) fn ask_sockets(&mut self) {
        if self.asked_sockets.is_some() {
            return;
        }
        let mut asked = AskedSockets::default();
        if let Unheard::Since(_) = self.unheard {
            self.unheard = Unheard::Asked;
            // Those that begin from now on may not be in the answer.
            asked.tracked = self.sockets.cookies();
        }
        self.asked_sockets = Some(asked);
        self.mind_ends();
        self.requests.push(Request::Listeners);
    }

    /// These sockets there were at `boot_ns`, after it was asked.
    pub(super) fn are_there(&mut self, boot_ns: u64, found: &[Found], asked: &AskedSockets) {
        if !matches!(self.unheard, Unheard::Asked) {
            return;
        }
        let there: HashSet<u64> = found.iter().map(|one| one.cookie).collect();
        let missing = asked.tracked.iter().filter(|cookie| !there.contains(cookie));
        self.unheard = Unheard::Missing(boot_ns, missing.copied().collect());
    }

    /// Asks, and forgets, when it is time.
    pub(super) fn expire_unheard(&mut self, boot_ns: u64) {
        match std::mem::take(&mut self.unheard) {
            Unheard::Since(at) if boot_ns.saturating_sub(at) > ASK_NS => {
                self.unheard = Unheard::Since(at);
                self.ask_sockets();
            }
            Unheard::Missing(at, sockets) if boot_ns.saturating_sub(at) > KEEP_NS => {
                let gone = sockets.into_iter().filter_map(|cookie| {
                    let tracked = self.sockets.remove(cookie)?;
                    Some((cookie, tracked.flows))
                });
                let flows: Vec<FlowKey> = gone
                    .flat_map(|(cookie, flows)| {
                        flows.into_iter().map(move |remote| flow_key(cookie, remote))
                    })
                    .collect();
                if !flows.is_empty() {
                    self.requests.push(Request::ForgetFlows(flows));
                }
            }
            other => self.unheard = other,
        }
    }
}

/// Whether what was lost, a record or a program's run, may have been one of these.
fn may_have_told(lost: &Lost, (kinds, hooks): Kinds) -> bool {
    let mut names = kinds.iter().map(|kind| kind.name()).chain(hooks.iter().map(|h| h.program()));
    names.any(|name| name == lost.operation)
}
