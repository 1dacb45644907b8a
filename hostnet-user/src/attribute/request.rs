//! What the stage wants of others, who may do I/O. Plain data.

use hostnet_abi::FlowKey;

/// What this stage asks to be done elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Class this cgroup as the host's own in the kernel: a service manager's, or not.
    Quieten { cgroup: u64, is_service: bool },
    /// Give this container's cgroup a budget in the kernel, or that of the cgroup `payer`.
    Budget { cgroup: u64, payer: Option<u64> },
    /// A stranger is in this cgroup of the host's: tell all that it does.
    Mix(u64),
    /// Follow this process wherever it goes: a container's, or one apart (`home` is 0).
    Follow { pid: u32, home: u64, now: u64 },
    /// A cgroup is gone from the tree.
    Forget(u64),
    /// A cgroup names this container: ask the runtime about it.
    Inspect(String),
    /// These UDP flows' sockets are gone without a word.
    ForgetFlows(Vec<FlowKey>),
    /// Ask the kernel which sockets there are, for [`listeners`](super::Attribution::listeners).
    Listeners,
}
