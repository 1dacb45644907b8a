//! What is in doubt for want of records that were lost: the tables may have processes,
//! listeners and sockets whose end was never told.

use std::collections::BTreeMap;

use hostnet_abi::{EventKind, Hook};

use crate::event::{Lost, total};

/// Kinds of records, and the programs that make them.
pub type Kinds = (&'static [EventKind], &'static [Hook]);

/// What tells which processes there are.
pub const OF_PROCESSES: Kinds = (
    &[EventKind::Exec, EventKind::Fork, EventKind::Exit],
    &[Hook::SchedProcessExec, Hook::SchedProcessFork, Hook::SchedProcessExit],
);

/// What tells of a listener's beginning and end.
pub const OF_LISTENERS: Kinds = (
    &[EventKind::Bind, EventKind::Listen, EventKind::Close, EventKind::DatagramClose],
    &[Hook::PostBind4, Hook::PostBind6, Hook::InetSockSetState, Hook::SockRelease],
);

/// What tells the end of a socket.
pub const OF_ENDS: Kinds = (
    &[EventKind::ConnectOutcome, EventKind::Close, EventKind::DatagramClose],
    &[Hook::InetSockSetState, Hook::SockRelease],
);

/// Whether among what was lost, records or a program's runs, may have been one of these.
pub fn may_have_told(by: &[Lost], (kinds, hooks): Kinds) -> bool {
    by.iter().any(|lost| {
        let kinds = kinds.iter().map(|kind| kind.name());
        let mut names = kinds.chain(hooks.iter().map(|hook| hook.program()));
        names.any(|name| name == lost.operation)
    })
}

/// The losses of each owner, those of a kind in one.
pub fn by_cgroup(lost: impl Iterator<Item = Lost>) -> BTreeMap<Option<u64>, Vec<Lost>> {
    let mut counts = BTreeMap::<Option<u64>, BTreeMap<String, (u64, u64)>>::new();
    for Lost { cgroup, operation, count, new } in lost {
        let sum = counts.entry(cgroup).or_default().entry(operation).or_default();
        *sum = (total([sum.0, count]), total([sum.1, new]));
    }
    let of = |(cgroup, kinds): (Option<u64>, BTreeMap<String, (u64, u64)>)| {
        let lost = |(operation, (count, new))| Lost { cgroup, operation, count, new };
        (cgroup, kinds.into_iter().map(lost).collect())
    };
    counts.into_iter().map(of).collect()
}
