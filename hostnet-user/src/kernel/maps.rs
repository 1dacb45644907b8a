//! The maps that the agent writes to, and fetches from, while the programs run.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aya::{
    Ebpf,
    maps::{HashMap, Map, MapData, MapError},
};
use hostnet_abi::{
    Act, Cgroup, Contained, Flow, FlowKey, LossKey, Suppressed, ToldKey, cgroup_class,
};

/// A map key of ours that aya may copy as bytes.
macro_rules! pod {
    ($name:ident, $inner:ty) => {
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        pub(super) struct $name(pub $inner);
        // SAFETY: the inner type is `repr(C)` integers without padding (zerocopy::IntoBytes).
        unsafe impl aya::Pod for $name {}
    };
}
pod!(AyaLossKey, LossKey);
pod!(AyaFlowKey, FlowKey);
pod!(AyaFlow, Flow);
pod!(AyaContained, Contained);
pod!(AyaCgroup, Cgroup);
pod!(AyaAct, Act);
pod!(AyaSuppressed, Suppressed);
pod!(AyaToldKey, ToldKey);

/// Flag of an update that leaves what is there as it is.
const BPF_NOEXIST: u64 = 1;

/// Keys that nothing has: marks that a map was not emptied.
const NO_CGROUP: u64 = u64::MAX;
const NO_PROCESS: u32 = 0;
const NO_FLOW: AyaFlowKey = AyaFlowKey(FlowKey { cookie: 0, remote: [0; 4], remote_port: 0 });
/// No container's: such a process is in no cgroup.
const NOWHERE: AyaContained = AyaContained(Contained { home: 0, now: 0 });
const OF_NO_CGROUP: AyaCgroup =
    AyaCgroup(Cgroup { spent_ns: 0, payer: 0, class: cgroup_class::OPEN, padding: 0 });
const OF_NO_FLOW: AyaFlow = AyaFlow(Flow { sent: 0, received: 0 });

/// The maps both sides touch.
pub struct Maps {
    cgroups: HashMap<MapData, u64, AyaCgroup>,
    contained: HashMap<MapData, u32, AyaContained>,
    flows: HashMap<MapData, AyaFlowKey, AyaFlow>,
}

impl Maps {
    /// The maps there.
    ///
    /// # Errors
    /// When there are no such maps.
    pub(super) fn from(source: Source<'_>) -> Result<Self> {
        Ok(Self {
            cgroups: HashMap::try_from(source("CGROUPS")?)?,
            contained: HashMap::try_from(source("CONTAINED")?)?,
            flows: HashMap::try_from(source("FLOWS")?)?,
        })
    }

    /// Puts a mark into each map that the agent fills, by which [`wiped`](Self::wiped)
    /// tells that it is as it was. Returns the maps that take none, because they are full.
    pub fn seal(&mut self) -> BTreeSet<&'static str> {
        let sealed = [
            ("CGROUPS", self.cgroups.insert(NO_CGROUP, OF_NO_CGROUP, BPF_NOEXIST)),
            ("CONTAINED", self.contained.insert(NO_PROCESS, NOWHERE, BPF_NOEXIST)),
            ("FLOWS", self.flows.insert(NO_FLOW, OF_NO_FLOW, BPF_NOEXIST)),
        ];
        let refused = |(map, outcome)| unless_there(outcome).is_err().then_some(map);
        sealed.into_iter().filter_map(refused).collect()
    }

    /// The maps whose mark is gone.
    #[must_use]
    pub fn wiped(&self) -> BTreeSet<&'static str> {
        let marks = [
            ("CGROUPS", self.cgroups.get(&NO_CGROUP, 0).is_ok()),
            ("CONTAINED", self.contained.get(&NO_PROCESS, 0).is_ok()),
            ("FLOWS", self.flows.get(&NO_FLOW, 0).is_ok()),
        ];
        marks.into_iter().filter_map(|(map, is_there)| (!is_there).then_some(map)).collect()
    }

    /// The flows there are, of sockets that an agent before this one knew.
    #[must_use]
    pub fn flows(&self) -> Vec<FlowKey> {
        // One that cannot be read has been removed meanwhile.
        let keys = self.flows.keys().filter_map(Result::ok).map(|key| key.0);
        keys.filter(|key| key.cookie != NO_FLOW.0.cookie).collect()
    }

    /// Classes a cgroup's tasks as host processes, of which only the listeners are
    /// told, unless a program has found a container's process there. In the
    /// cgroups of services, mounts of their own do not tell processes apart.
    ///
    /// # Errors
    /// When the map is full; then that cgroup is told in full, which costs but loses nothing.
    pub fn quieten(&mut self, cgroup: u64, is_service: bool) -> Result<()> {
        let class = if is_service { cgroup_class::SERVICE } else { cgroup_class::HOST };
        unless_there(self.cgroups.insert(cgroup, entry(class, 0), BPF_NOEXIST))
            .context("cannot mark a cgroup as the host's")
    }

    /// Gives a container's cgroup a budget of its own, or has it share the one of
    /// the cgroup `payer`.
    ///
    /// # Errors
    /// When the map is full; then it shares one with other unknown cgroups.
    pub fn budget(&mut self, cgroup: u64, payer: Option<u64>) -> Result<()> {
        let entry = entry(cgroup_class::OPEN, payer.unwrap_or_default());
        unless_there(self.cgroups.insert(cgroup, entry, BPF_NOEXIST))
            .context("cannot give a cgroup a budget")
    }

    /// Tells all tasks of a cgroup from now on, whose budget stays what it is.
    ///
    /// # Errors
    /// When the map is full.
    pub fn mix(&mut self, cgroup: u64) -> Result<()> {
        let before = self.cgroups.get(&cgroup, 0).map(|entry| entry.0).unwrap_or_default();
        let mixed = AyaCgroup(Cgroup { class: cgroup_class::MIXED, ..before });
        self.cgroups.insert(cgroup, mixed, 0).context("cannot mark a cgroup as shared")
    }

    /// Tells a cgroup's tasks in full until it is classed again.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn rouse(&mut self, cgroup: u64) -> Result<()> {
        let is_quiet = self
            .cgroups
            .get(&cgroup, 0)
            .is_ok_and(|entry| matches!(entry.0.class, cgroup_class::HOST | cgroup_class::SERVICE));
        if is_quiet {
            self.cgroups.remove(&cgroup).context("cannot take a cgroup's class away")?;
        }
        Ok(())
    }

    /// Lets the programs follow a process that is older than they are.
    ///
    /// # Errors
    /// When the map is full.
    pub fn follow(&mut self, pid: u32, home: u64, now: u64) -> Result<()> {
        let contained = AyaContained(Contained { home, now });
        unless_there(self.contained.insert(pid, contained, BPF_NOEXIST))
            .context("cannot follow a process")
    }

    /// Forgets a cgroup that is gone.
    pub fn forget_cgroup(&mut self, cgroup: u64) {
        // A program has removed it already, unless that was not run.
        drop(self.cgroups.remove(&cgroup));
    }

    /// Takes the counts of a UDP flow out of the kernel; `None` when it is not there.
    pub fn take_flow(&mut self, key: FlowKey) -> Option<Flow> {
        let flow = self.flows.get(&AyaFlowKey(key), 0).ok()?.0;
        drop(self.flows.remove(&AyaFlowKey(key)));
        Some(flow)
    }

    /// Forgets a UDP flow whose socket is gone without a word.
    pub fn forget_flow(&mut self, key: FlowKey) {
        drop(self.flows.remove(&AyaFlowKey(key)));
    }
}

/// Puts the marks of [`Maps::seal`] into maps that nobody has filled yet.
///
/// # Errors
/// When there are no such maps.
pub(super) fn seal_new(ebpf: &mut Ebpf) -> Result<()> {
    let none = "the eBPF object has no such map";
    let map = ebpf.map_mut("CGROUPS").context(none)?;
    HashMap::<_, u64, AyaCgroup>::try_from(map)?.insert(NO_CGROUP, OF_NO_CGROUP, 0)?;
    let map = ebpf.map_mut("CONTAINED").context(none)?;
    HashMap::<_, u32, AyaContained>::try_from(map)?.insert(NO_PROCESS, NOWHERE, 0)?;
    let map = ebpf.map_mut("FLOWS").context(none)?;
    HashMap::<_, AyaFlowKey, AyaFlow>::try_from(map)?.insert(NO_FLOW, OF_NO_FLOW, 0)?;
    Ok(())
}

fn entry(class: u32, payer: u64) -> AyaCgroup {
    AyaCgroup(Cgroup { class, payer, ..Cgroup::default() })
}

/// Where maps come from: the object, or what is pinned.
pub(super) type Source<'a> = &'a mut dyn FnMut(&str) -> Result<Map>;

/// All maps that the agent uses.
pub(super) const MAPS: [&str; 14] = [
    "RECORDS",
    "RESERVED",
    "LOSSES",
    "LOSSES_UNOWNED",
    "UNFOLLOWED",
    "SUPPRESSED",
    "SUPPRESSED_UNOWNED",
    "FIRST_SEEN",
    "CGROUPS",
    "CONTAINED",
    "FLOWS",
    "FLOW_SHARES",
    "TOLD",
    "PULSE",
];

/// What is there already is as it should be.
fn unless_there(outcome: Result<(), MapError>) -> Result<(), MapError> {
    match outcome {
        Err(MapError::SyscallError(error))
            if error.io_error.raw_os_error() == Some(libc::EEXIST) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}
