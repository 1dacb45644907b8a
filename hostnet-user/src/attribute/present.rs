//! The containers that are in the host's network namespace when the agent starts: each is
//! told once, whether or not it does anything there.

use std::sync::Arc;

use super::{Attribution, Holder};
use crate::event::{Event, Owner, OwnerKind, Present, Process};

impl Attribution {
    /// Processes of containers that were found at the start.
    pub fn contained_processes(&mut self) -> Vec<Process> {
        let found: Vec<Process> = self.processes.found().map(|one| Process::clone(one)).collect();
        let is_contained =
            |one: &Process| self.owner_of_present(one, self.now_ns).kind == OwnerKind::Container;
        found.into_iter().filter(is_contained).collect()
    }

    /// These processes were in the host's network namespace at `boot_ns`: their containers
    /// are told, each once.
    pub fn present(&mut self, boot_ns: u64, pids: &[u32]) {
        let agent = self.agent_container(boot_ns, pids);
        for &pid in pids {
            let owner = self.owner_of(pid, boot_ns);
            let Some(id) = owner.container_id.as_deref() else { continue };
            if owner.kind == OwnerKind::Container && self.registry.containers.joins(id) {
                let is_agent = agent.as_deref() == Some(id);
                let event = self.event(boot_ns, None, Present { declared: None, is_agent }.into());
                self.push(Event { owner: Some(owner), ..event });
            }
        }
    }

    fn agent_container(&mut self, boot_ns: u64, pids: &[u32]) -> Option<String> {
        let own = *pids.iter().find(|pid| self.is_agent(**pid))?;
        self.owner_of(own, boot_ns).container_id.clone()
    }

    fn owner_of(&mut self, pid: u32, boot_ns: u64) -> Arc<Owner> {
        let cgroup = self.processes.now(pid).and_then(|process| process.cgroup);
        self.owner_of_holder(&Holder { pid, cgroup: cgroup.unwrap_or_default() }, boot_ns)
    }
}
