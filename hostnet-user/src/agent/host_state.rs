//! What the kernel shows beside its records: the sockets there are, and the
//! host's network. It knows how to ask and when, not what it means.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    ask::desk::{Desk, Limits, LookupNumbers},
    attribute::Found,
    engine::input::World,
    judge::surface::Network,
    kernel::{self, Programs},
    sources::{network::HostNetwork, packet_filter::PacketFilters, passwd::HostUsers, sock_diag},
};

/// The rest between two questions for the listeners' ports.
const PORTS_REST: Duration = Duration::from_millis(100);

/// After a question, the rest is at least this many times as long as its answer took.
const PORTS_SHARE: u32 = 19;

/// How long the end of a run waits for the last ports.
const LAST_PORTS: Duration = Duration::from_secs(1);

/// The rest before the sockets are asked for again that the kernel did not show.
const SOCKETS_REST: Duration = Duration::from_secs(2);

/// One asks, and at the end of a run a second time.
const ONE: Limits = Limits { questions: 2, threads: 1 };

/// Ports of listeners by cookie, and how long the kernel took.
type Ports = (Vec<(u64, u16)>, Duration);

/// The sockets there were at a time of the boot clock.
type Sockets = (u64, Vec<Found>);

/// What can be asked; by default nothing.
#[derive(Default)]
pub struct Survey {
    sockets: Option<Desk<(), Option<Sockets>>>,
    /// Since when the sockets are wanted.
    sockets_wanted: Option<Instant>,
    /// When the sockets are asked for again.
    next_sockets: Option<Instant>,
    ports: Option<Desk<HashSet<u64>, Ports>>,
    network: Option<HostNetwork>,
    filters: Option<PacketFilters>,
    users: HostUsers,
    /// When the listeners' ports may be asked for again.
    next_ports: Option<Instant>,
}

impl Survey {
    /// Asks about the host's network namespace from now on. Returns the sockets
    /// there are, too; what the kernel cannot show of them is in the coverage.
    pub fn begin(programs: &mut Programs) -> (Self, Vec<Found>) {
        // First of all: what is gone by the time it is asked for is never told.
        let (existing, again) = sock_diag::of_host(programs);
        let root = programs.root.path().to_owned();
        let sockets = again.map(|again| {
            let again = Mutex::new(again);
            Desk::new("ask-sockets", ONE, move |()| {
                let again = again.lock().unwrap_or_else(PoisonError::into_inner);
                let sockets = again.ask(&root)?;
                Some((kernel::boot_clock(), sockets))
            })
        });
        let ports = kernel::in_network_namespace(programs.host.network_namespace, || {
            sock_diag::Connection::open().context("the kernel has no sock_diag")
        });
        let ports = ports.ok().map(|connection| {
            let connection = Mutex::new(connection);
            Desk::new("ask-ports", ONE, move |wanted: HashSet<u64>| {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let (begun, mut ports) = (Instant::now(), Vec::new());
                sock_diag::listening_ports(&connection, |cookie, port| {
                    if wanted.contains(&cookie) {
                        ports.push((cookie, port));
                    }
                });
                (ports, begun.elapsed())
            })
        });
        let network = kernel::in_network_namespace(programs.host.network_namespace, || {
            HostNetwork::open().context("the kernel has no rtnetlink")
        });
        if let Err(error) = &network {
            tracing::warn!(
                "cannot read the host's addresses and routes: {error:#}; only other ends on loopback \
                 are named, and other addresses may be shown with the wrong surface"
            );
        }
        let filters = kernel::in_network_namespace(programs.host.network_namespace, || {
            PacketFilters::open().context("cannot ask for the host's packet filters")
        });
        if let Err(error) = &filters {
            tracing::warn!("what the host's packet filters redirect is not known: {error:#}");
        }
        let (network, filters) = (network.ok(), filters.ok());
        (Self { sockets, ports, network, filters, ..Self::default() }, existing)
    }

    /// Ports of listeners that were wanted, by cookie, once the kernel has answered; else
    /// asks for those that are wanted now, unless it is too early.
    #[must_use]
    pub fn listening_ports(&mut self, wanted: impl FnOnce() -> HashSet<u64>) -> Option<World> {
        let desk = self.ports.as_mut()?;
        if let Some((_, (ports, took))) = desk.answers().pop() {
            self.next_ports = Some(Instant::now() + PORTS_REST.max(took * PORTS_SHARE));
            return Some(World::ListeningPorts(ports));
        }
        if desk.waiting() == 0 && self.next_ports.is_none_or(|next| next <= Instant::now()) {
            desk.ask(wanted());
        }
        None
    }

    /// The ports of these listeners, waited for: the run ends.
    #[must_use]
    pub fn last_ports(&mut self, wanted: HashSet<u64>) -> Option<World> {
        let desk = self.ports.as_mut()?;
        let deadline = Instant::now() + LAST_PORTS;
        let mut found = Vec::new();
        let last = desk.ask(wanted)?;
        while desk.is_open(last) {
            let answers = desk.wait(deadline);
            if answers.is_empty() {
                break;
            }
            found.extend(answers.into_iter().flat_map(|(_, (ports, _))| ports));
        }
        Some(World::ListeningPorts(found))
    }

    /// What this host calls its users, when that is news.
    pub fn changed_users(&mut self, host: &kernel::Host) -> Option<World> {
        // An agent with mounts of its own has another file at that place.
        let is_inside = host.own_mount_namespace == host.mount_namespace;
        self.users.changed(if is_inside { "" } else { "/proc/1/root" }).map(World::Users)
    }

    /// What the host's packet filters may redirect, when that has changed.
    #[must_use]
    pub fn changed_redirects(&mut self) -> Option<World> {
        self.filters.as_mut()?.changed().map(World::Redirects)
    }

    /// Asks which sockets there are.
    pub fn ask_sockets(&mut self) {
        if let Some(desk) = &mut self.sockets {
            self.sockets_wanted.get_or_insert_with(Instant::now);
            let asked = desk.ask(());
            self.next_sockets = asked.is_none().then(|| Instant::now() + SOCKETS_REST);
        }
    }

    /// The sockets there are, once the kernel has answered.
    #[must_use]
    pub fn sockets(&mut self) -> Option<World> {
        if self.next_sockets.is_some_and(|next| next <= Instant::now()) {
            self.ask_sockets();
        }
        let answer = self.sockets.as_mut()?.answers().pop()?.1;
        let Some((boot_ns, sockets)) = answer else {
            tracing::debug!("the kernel did not show all sockets; it is asked again");
            self.next_sockets = Some(Instant::now() + SOCKETS_REST);
            return None;
        };
        self.sockets_wanted = None;
        Some(World::Listeners { boot_ns, sockets })
    }

    /// How its questions are doing, by what is asked.
    #[must_use]
    pub fn numbers(&self) -> BTreeMap<&'static str, LookupNumbers> {
        let mut numbers = BTreeMap::new();
        if let Some(desk) = &self.sockets {
            let oldest = self.sockets_wanted.map_or(Duration::ZERO, |at| at.elapsed());
            let oldest_ns = u64::try_from(oldest.as_nanos()).unwrap_or(u64::MAX);
            numbers.insert("sockets", LookupNumbers { oldest_ns, ..desk.numbers() });
        }
        if let Some(desk) = &self.ports {
            numbers.insert("port", desk.numbers());
        }
        numbers
    }

    /// The host's network now.
    #[must_use]
    pub fn network(&mut self) -> Option<World> {
        let network = self.network.as_mut()?;
        let found = network.read();
        told(network, found.map(Some))
    }

    /// The same when it has changed.
    #[must_use]
    pub fn changed_network(&mut self) -> Option<World> {
        let network = self.network.as_mut()?;
        let found = network.changed();
        told(network, found)
    }
}

fn told(asked: &HostNetwork, found: io::Result<Option<Network>>) -> Option<World> {
    match found {
        Ok(found) => Some(World::network(found?, asked.chosen_ports())),
        Err(error) => {
            tracing::warn!("cannot read the host's addresses and routes: {error}");
            None
        }
    }
}
