//! The containers that are in the host's network namespace when the agent starts: each is
//! reported once, whether or not it does anything there.

use std::sync::Arc;

use super::OwnerResolver;
use crate::{
    attribute::found::Holder,
    event::{Owner, OwnerKind, Present, Process},
};

impl OwnerResolver {
    /// Processes of containers that were found at the start; it is `boot_ns` now.
    pub(in crate::attribute) fn contained_processes(&mut self, boot_ns: u64) -> Vec<Process> {
        let found: Vec<Process> = self.processes.found().map(|one| Process::clone(one)).collect();
        let is_contained =
            |one: &Process| self.owner_of_present(one, boot_ns).kind == OwnerKind::Container;
        found.into_iter().filter(is_contained).collect()
    }

    /// These processes were in the host's network namespace at `boot_ns`: their containers,
    /// each once.
    pub(in crate::attribute) fn present(
        &mut self,
        boot_ns: u64,
        pids: &[u32],
    ) -> Vec<(Arc<Owner>, Present)> {
        let agent = self.agent_container(boot_ns, pids);
        let mut present = Vec::new();
        for &pid in pids {
            let owner = self.owner_now(pid, boot_ns);
            let Some(id) = owner.container_id.as_deref() else { continue };
            if owner.kind == OwnerKind::Container && self.joins(id) {
                let is_agent = agent.as_deref() == Some(id);
                present.push((owner, Present { declared: None, is_agent }));
            }
        }
        present
    }

    fn agent_container(&mut self, boot_ns: u64, pids: &[u32]) -> Option<String> {
        let own = *pids.iter().find(|pid| self.own.is_own(**pid))?;
        self.owner_now(own, boot_ns).container_id.clone()
    }

    fn owner_now(&mut self, pid: u32, boot_ns: u64) -> Arc<Owner> {
        let cgroup = self.processes.now(pid).and_then(|process| process.cgroup);
        self.owner_of_holder(&Holder { pid, cgroup: cgroup.unwrap_or_default() }, boot_ns)
    }
}
