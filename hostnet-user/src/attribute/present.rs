//! Whose is what is there now: for whoever looks once, without records.

use std::sync::Arc;

use super::{Attribution, Found, Holder};
use crate::event::{Owner, Process};

impl Attribution {
    /// Whose a process is that has been taken in by [`process`](Self::process).
    pub fn owner_of_present(&mut self, process: &Process, boot_ns: u64) -> Arc<Owner> {
        let cgroup = process.cgroup.unwrap_or_default();
        self.owner_of_holder(&Holder { pid: process.pid, cgroup }, boot_ns)
    }

    /// Whose a socket is by who made and who holds it, and the process of the owner's
    /// that does, when it is known.
    pub fn holder_of_present(
        &mut self,
        found: &Found,
        boot_ns: u64,
    ) -> (Arc<Owner>, Option<Arc<Process>>) {
        let party = self.holding_party(found, boot_ns);
        (party.owner, party.process)
    }
}
