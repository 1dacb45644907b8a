//! Inputs that are not from the ring, each given to the stages that it is for.

use std::net::IpAddr;

use anyhow::Result;

use super::Stages;
use crate::{
    attribute::Found,
    engine::input::World,
    event::{Health, Lost, PastFinding, RecordHealth, total},
    judge::surface::Network,
};

impl Stages {
    /// Takes an input that is not from the ring.
    ///
    /// # Errors
    /// When an output cannot take an event.
    pub fn world(&mut self, world: World) -> Result<()> {
        let attribution = &mut self.attribution;
        match world {
            World::Run { identity, .. } => self.identify(&identity),
            World::Reached(reached) => self.judge.remember(&reached),
            World::Findings(found) => self.remember(&found),
            World::Rules(texts) => self.user_rules.replace(&texts),
            World::Lost { place, from_ns, to_ns, by } => self.lost(place, (from_ns, to_ns), by),
            World::Suppressed { from_ns, to_ns, by, of_state } => {
                self.suppressed((from_ns, to_ns), by, of_state);
            }
            World::Addresses { addresses, chosen_ports, network } => {
                self.network(addresses, chosen_ports, network);
            }
            World::Runtime { boot_ns, news } => {
                self.filter.hear(&news);
                attribution.runtime(news, boot_ns);
            }
            World::Clock { boot_ns, wall_ns, taken_ns } => {
                self.time(boot_ns, wall_ns, taken_ns.unwrap_or(boot_ns));
            }
            World::Existing { boot_ns, sockets } => return self.existing(boot_ns, sockets),
            World::Cgroup { id, path } => attribution.cgroup(id, path),
            World::Process(process) => attribution.process(*process),
            World::Apart(apart) => attribution.owners().apart(&apart),
            World::V1Place { pid, start_ns, path } => {
                attribution.owners().v1_place(pid, start_ns, &path);
            }
            World::Snapshot { boot_ns, since_ns, sockets } => {
                attribution.snapshot(boot_ns, since_ns, sockets);
            }
            World::Present { boot_ns, pids } => attribution.present(boot_ns, &pids),
            World::Redirects(redirects) => attribution.redirects(redirects),
            World::OlderFlows { flows } => attribution.older_flows(flows),
            World::Listeners { boot_ns, sockets } => attribution.listeners(boot_ns, &sockets),
            World::Users(users) => attribution.users(users),
            World::ListeningPorts(ports) => attribution.listening_ports(&ports),
            World::Health { boot_ns, health } => attribution.health(boot_ns, health),
        }
        self.deliver()
    }

    fn remember(&mut self, found: &[PastFinding]) {
        self.judge.remember_findings(found);
        self.user_rules.remember(found);
    }

    fn lost(&mut self, place: String, (from_ns, to_ns): (u64, u64), by: Vec<Lost>) {
        self.summary.lose(&place, total(by.iter().map(|lost| lost.count)));
        self.attribution.lost(place, from_ns, to_ns, by);
    }

    fn suppressed(&mut self, between: (u64, u64), by: Vec<Lost>, of_state: Vec<Lost>) {
        let counts = by.iter().chain(&of_state).map(|one| one.count);
        self.summary.suppressed = total(counts.chain([self.summary.suppressed]));
        self.attribution.suppressed(between, by, of_state);
    }

    fn network(&mut self, addresses: Vec<IpAddr>, chosen_ports: (u16, u16), network: Network) {
        self.attribution.addresses(addresses, chosen_ports);
        self.attribution.bridged(network.bridged());
        self.judge.network(network);
    }

    /// It is `boot_ns` now, and records were taken up to `taken_ns`.
    fn time(&mut self, boot_ns: u64, wall_ns: u64, taken_ns: u64) {
        self.seen_ns = wall_ns;
        self.attribution.clock(boot_ns, wall_ns);
        if let Some(by_ns) = self.clock.look(boot_ns, wall_ns) {
            let step = Box::new(RecordHealth::ClockStepped { by_ns });
            self.attribution.health(boot_ns, Health::Record(step));
        }
        self.attribution.expire(taken_ns);
        self.report_unkept(boot_ns);
        if self.undecodable > 0 {
            let reason = std::mem::take(&mut self.undecodable_reason);
            let count = std::mem::take(&mut self.undecodable);
            self.summary.lose("decode", count);
            self.attribution.health(boot_ns, Health::Undecodable { reason, count });
        }
    }

    /// Each socket's event is delivered before the next one's is made.
    fn existing(&mut self, boot_ns: u64, sockets: Vec<Found>) -> Result<()> {
        let mut existing = self.attribution.existing(boot_ns, sockets);
        let mut outcome = Ok(());
        while self.attribution.tell_next(&mut existing) {
            outcome = outcome.and(self.deliver());
        }
        outcome.and(self.deliver())
    }
}
