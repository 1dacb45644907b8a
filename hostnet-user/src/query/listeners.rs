//! Who listened, where, and for how long: TCP and unix sockets that wait for
//! connections, and UDP sockets that have an address by bind(2).

use std::collections::{BTreeMap, btree_map::Entry};

use anyhow::Result;
use serde::Serialize;

use super::{
    Answer, Began, Ended, Filter, Held, History, Holding, Moment, Time,
    filter::{Condition, IS_RARE},
    history::COLUMNS,
    holdings::Machine,
    ports::holdings_of,
    runs,
};
use crate::event::Action;

/// A socket that others could connect or send to.
#[derive(Clone, Debug, Serialize)]
pub struct ListenerRow {
    /// From when.
    pub since: Time,
    /// How that is known.
    pub began: Began,
    /// Until when; empty while it does.
    pub until: Option<Time>,
    /// How that is known.
    pub ended: Option<Ended>,
    /// Why it may be over although no end is known.
    pub why: Option<String>,
    /// Protocol.
    pub protocol: String,
    /// Address, or name of a unix socket.
    pub address: String,
    /// Port; 0 for a name.
    pub port: u16,
    /// Who can reach it: `loopback`, `specific`, `any`.
    pub exposure: Option<String>,
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id.
    pub container_id: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Name of the process.
    pub process: Option<String>,
    /// Its id on the host.
    pub pid: Option<u32>,
    /// Path of its file.
    pub executable: Option<String>,
    /// The same for one process of one boot of one host, and for no other.
    pub entity_id: Option<String>,
    /// The kernel's id of the socket.
    pub cookie: u64,
    /// The event that told of it first.
    pub event_id: String,
}

impl Answer for ListenerRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("since", "SINCE"),
        ("until", "UNTIL"),
        ("protocol", "PROTOCOL"),
        ("address", "ADDRESS"),
        ("port", "PORT"),
        ("exposure", "EXPOSURE"),
        ("container", "CONTAINER"),
        ("image", "IMAGE"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("why", "WHY"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let Self { container, protocol, address, port, .. } = self;
        let at = if *port == 0 { address.clone() } else { format!("{address} port {port}") };
        let what = format!("{container} listens on {protocol} {at}");
        let over = format!("{container} listens no more on {protocol} {at}");
        let until = self.until.map(|until| Moment::new(until, "Listener Closed", over));
        let since = Moment::new(self.since, "Listener Opened", what);
        std::iter::once(since).chain(until).collect()
    }
}

/// What the lives of listeners are put together from.
pub const OF_LISTENERS: [&str; 4] = [
    Action::BoundSocket.name(),
    Action::ListenForConnections.name(),
    Action::ExistingSocket.name(),
    Action::ClosedListener.name(),
];

/// Who listened at any time that is meant.
///
/// # Errors
/// When the history cannot be read, or has nobody like that.
pub fn listeners(history: &History, filter: &Filter) -> Result<Vec<ListenerRow>> {
    let runs = runs(history)?;
    let owners = filter.owners(history)?;
    // All of them: what ends after the time that is meant may have begun before.
    let mut condition = Condition::default();
    condition.plain(IS_RARE);
    condition.one_of("e.action", OF_LISTENERS.into_iter());
    let question = format!("SELECT {COLUMNS} FROM event e WHERE {} ORDER BY e.id", condition.sql());
    let mut machine = Machine::default();
    history.each(&question, &condition.values, |event| {
        machine.take(event, &runs);
        Ok(true)
    })?;
    let mut found = machine.finish(history, &runs)?;
    // Ends of UDP sockets are told as those of connections are.
    let mut by_port = BTreeMap::<u16, Vec<Holding>>::new();
    for open in found.iter_mut().filter(|one| one.protocol != "tcp" && one.port != 0) {
        let known = match by_port.entry(open.port) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(holdings_of(history, &runs, open.port)?),
        };
        let whole = known.iter().find(|one| (&one.boot, one.cookie) == (&open.boot, open.cookie));
        if let Some(whole) = whole {
            open.ends_as(whole);
        }
    }
    let is_meant = |one: &&Holding| {
        let listens = one.held == Held::Listening || one.held == Held::Bound && is_open(one);
        listens
            && owners.as_ref().is_none_or(|owners| owners.contains(&one.event.owner))
            && one.since <= filter.to()
            && one.until.is_none_or(|until| until >= filter.from())
            && filter.is_of_process(&one.event)
    };
    Ok(found.iter().filter(is_meant).take(filter.most()).map(row).collect())
}

/// Whether a socket that is only bound gets what others send.
fn is_open(holding: &Holding) -> bool {
    holding.port != 0 && holding.protocol != "tcp"
}

fn row(holding: &Holding) -> ListenerRow {
    let event = &holding.event;
    let (container, process) = (&event.read.container, holding.process(holding.until));
    ListenerRow {
        since: holding.since,
        began: holding.began,
        until: holding.until,
        ended: holding.ended,
        why: holding.unsure.as_ref().map(|(_, why)| why.clone()),
        protocol: holding.protocol.clone(),
        address: holding.address.clone(),
        port: holding.port,
        exposure: holding.scope().map(str::to_owned),
        container: container.label().unwrap_or(&event.owner).to_owned(),
        container_id: container.id.clone(),
        image: container.image(),
        process: process.name.clone(),
        pid: process.pid,
        executable: process.executable.clone(),
        entity_id: process.entity_id.clone(),
        cookie: holding.cookie,
        event_id: event.read.event.id.clone(),
    }
}
