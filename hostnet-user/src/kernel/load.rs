//! Loading: the object, the offsets, the settings, and the maps both sides touch.
//! What is attached and how is attach.rs's.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, Map, MapData, MapError, PerCpuArray},
    programs::{Program, ProgramType, loaded_programs},
};
use hostnet_abi::{Contained, Flow, FlowKey, Hook, LossKey, Offsets, Settings, cgroup_class};
use rustix::thread::CapabilitySet;
use thiserror::Error;
use zerocopy::IntoBytes;

use super::{
    BeyondIp, Btf, CgroupRoot, Coverage, Host, Losses, Meter, Ring,
    attach::{Attacher, is_attached_by},
    btf_path,
    complaint::brief,
    diagnostics::Diagnostics,
    release::running_release,
};

/// The built eBPF object; `cargo xtask ebpf` makes it from hostnet-ebpf's sources.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../hostnet-ebpf/dist/hostnet.bpf.o"
));

/// Why nothing can be observed here. The process ends with exit code 3.
#[derive(Debug, Error)]
#[error("cannot observe: {0}; `hostnet doctor` says more")]
pub struct CannotObserve(String);

impl From<anyhow::Error> for CannotObserve {
    fn from(error: anyhow::Error) -> Self {
        Self(brief(&format!("{error:#}")))
    }
}

/// What the caller chooses.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Bytes of the ring; a power of two, at least a page.
    pub ring_bytes: u32,
    /// Tell host processes in full.
    pub all: bool,
    /// Let the programs log through aya-log.
    pub kernel_log: bool,
    /// How sockets beyond IP are seen.
    pub beyond_ip: BeyondIp,
    /// Hooks that are not attached.
    pub without: Vec<Hook>,
}

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

/// Flag of an update that leaves what is there as it is.
const BPF_NOEXIST: u64 = 1;

/// The attached programs. Dropping it detaches them and leaves nothing behind.
pub struct Programs {
    _ebpf: Ebpf,
    /// The v2 root they are attached to.
    pub root: CgroupRoot,
    /// The host's namespaces.
    pub host: Host,
    /// The records.
    pub ring: Ring,
    /// What did not fit.
    pub losses: Losses,
    /// What was attached; the canary turns it into proof.
    pub coverage: Coverage,
    /// The programs' own log, when asked for.
    pub diagnostics: Option<Diagnostics>,
    /// What the kernel says of programs and maps; taken by whoever asks regularly.
    pub meter: Option<Meter>,
    /// What the agent tells the programs, and fetches from them, while they run.
    pub maps: Maps,
}

/// The maps both sides touch.
pub struct Maps {
    host_cgroups: HashMap<MapData, u64, u8>,
    contained: HashMap<MapData, u32, AyaContained>,
    flows: HashMap<MapData, AyaFlowKey, AyaFlow>,
}

impl Maps {
    /// Classes a cgroup's tasks as host processes, of which only the listeners are
    /// told, unless a program has found a container's process there. In the
    /// cgroups of services, mounts of their own do not tell processes apart.
    ///
    /// # Errors
    /// When the map is full; then that cgroup is told in full, which costs but loses nothing.
    pub fn quieten(&mut self, cgroup: u64, is_service: bool) -> Result<()> {
        let class = if is_service { cgroup_class::SERVICE } else { cgroup_class::HOST };
        unless_there(self.host_cgroups.insert(cgroup, class, BPF_NOEXIST))
            .context("cannot class a cgroup as the host's")
    }

    /// Tells all tasks of a cgroup from now on.
    ///
    /// # Errors
    /// When the map is full.
    pub fn mix(&mut self, cgroup: u64) -> Result<()> {
        self.host_cgroups
            .insert(cgroup, cgroup_class::MIXED, 0)
            .context("cannot tell all of a cgroup")
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
        // Not there when it was a container's.
        drop(self.host_cgroups.remove(&cgroup));
    }

    /// Takes the counts of a UDP flow out of the kernel; `None` when it is not there.
    pub fn take_flow(&mut self, key: FlowKey) -> Option<Flow> {
        let flow = self.flows.get(&AyaFlowKey(key), 0).ok()?.0;
        drop(self.flows.remove(&AyaFlowKey(key)));
        Some(flow)
    }
}

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

/// Loads the object for the running kernel and attaches both sets.
///
/// # Errors
/// [`CannotObserve`] with the first reason met: kernel type information,
/// privileges, cgroups, or the verifier's refusal of a program.
pub fn load(options: &LoadOptions) -> Result<Programs, CannotObserve> {
    let effective = rustix::thread::capabilities(None).map(|sets| sets.effective);
    let may_load = CapabilitySet::BPF | CapabilitySet::SYS_ADMIN;
    if !effective.is_ok_and(|effective| effective.intersects(may_load)) {
        return Err(anyhow::anyhow!(
            "not root: loading eBPF programs needs root or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; \
             run it with sudo"
        )
        .into());
    }
    Ok(load_programs(options)?)
}

/// Attaches every hook on its own and then detaches them all: which the kernel
/// refuses and why, for `doctor` to tell when [`load`] fails. None is proven by it.
///
/// # Errors
/// [`CannotObserve`] when no hook can even be tried.
pub fn attach_each(options: &LoadOptions) -> Result<Coverage, CannotObserve> {
    let mut created = create(options)?;
    Ok(created.attacher().each())
}

/// The object in the kernel, with nothing attached yet.
struct Created {
    ebpf: Ebpf,
    btf: aya::Btf,
    missing: Vec<(&'static str, String)>,
    others_rewrite: bool,
    host: Host,
    root: CgroupRoot,
}

impl Created {
    fn attacher(&mut self) -> Attacher<'_> {
        let Self { ebpf, btf, missing, others_rewrite, root, .. } = self;
        let (kernel, others_rewrite) = (running_release(), *others_rewrite);
        Attacher { ebpf, root, btf, kernel, others_rewrite, missing }
    }
}

fn create(options: &LoadOptions) -> Result<Created> {
    let hint = "hostnet needs a kernel with CONFIG_DEBUG_INFO_BTF (Debian 11 and later have it)";
    let btf = Btf::read(&btf_path()).context(hint)?;
    let mut missing = Vec::new();
    let offsets =
        Offsets::resolve(|of, member, older| match btf.offset_of_row((of, member, older)) {
            Ok(offset) => Some(offset),
            Err(error) => {
                missing.push((of, error.to_string()));
                None
            }
        });
    let is_optional = |of| Hook::ALL.iter().any(|hook| hook.reads().contains(of));
    if let Some((_, what)) = missing.iter().find(|(of, _)| !is_optional(of)) {
        bail!("this kernel is not one hostnet knows: {what}");
    }
    // As much as aya needs of it: parsed whole it takes 35 MB.
    let reduced = btf.only_named(is_attached_by);
    drop(btf);
    give_back_memory();
    let btf = aya::Btf::parse(&reduced, aya::Endianness::default()).context(hint)?;
    drop(reduced);
    let host = Host::read()?;
    let root = CgroupRoot::open()?;
    let settings = Settings {
        host_netns: host.network_namespace,
        all: options.all.into(),
        host_mount_namespace: host.mount_namespace,
    };
    let log_level: u8 = if options.kernel_log { aya_log::Level::Debug as u8 } else { 0 };
    let ebpf = EbpfLoader::new()
        .btf(Some(&btf))
        .override_global("SETTINGS", settings.as_bytes(), true)
        .override_global("OFFSETS", offsets.as_bytes(), true)
        .override_global(aya_log::LEVEL, &log_level, false)
        .map_max_entries("RECORDS", options.ring_bytes)
        .load(OBJECT)
        .context("cannot create the eBPF maps (CAP_BPF is needed)")?;
    let others_rewrite = others_rewrite();
    Ok(Created { ebpf, btf, missing, others_rewrite, host, root })
}

/// Whether the kernel has a program, not of ours yet, that may change the address
/// of a connect (a socket load balancer) or refuse it; so where that cannot be told.
fn others_rewrite() -> bool {
    let rewrites = ProgramType::CgroupSockAddr.into();
    loaded_programs()
        .any(|program| !program.is_ok_and(|program| program.program_type() != rewrites))
}

fn load_programs(options: &LoadOptions) -> Result<Programs> {
    let mut created = create(options)?;
    let coverage = created.attacher().sets(options.beyond_ip, &options.without)?;
    let Created { mut ebpf, btf, host, root, .. } = created;
    drop(btf);
    give_back_memory();
    let programs = tracing_programs(&ebpf)?;
    // Numbers are worth less than what they are about.
    let meter = Meter::new(&ebpf);
    let meter = meter.inspect_err(|error| tracing::warn!("no numbers of programs: {error:#}")).ok();
    let mut map = |name: &str| {
        ebpf.take_map(name).with_context(|| format!("the eBPF object has no map {name}"))
    };
    Ok(Programs {
        meter,
        ring: ring(map("RECORDS")?, options.ring_bytes)?,
        losses: Losses::new(
            HashMap::try_from(map("LOSSES")?)?,
            PerCpuArray::try_from(map("LOSSES_UNOWNED")?)?,
            PerCpuArray::try_from(map("UNFOLLOWED")?)?,
            programs,
        ),
        maps: Maps {
            host_cgroups: HashMap::try_from(map("HOST_CGROUPS")?)?,
            contained: HashMap::try_from(map("CONTAINED")?)?,
            flows: HashMap::try_from(map("FLOWS")?)?,
        },
        diagnostics: options.kernel_log.then(|| Diagnostics::new(&mut ebpf)).transpose()?,
        _ebpf: ebpf,
        root,
        host,
        coverage,
    })
}

fn ring(map: Map, bytes: u32) -> Result<Ring> {
    let Map::RingBuf(data) = map else { anyhow::bail!("RECORDS is not a ring buffer") };
    Ring::new(data.fd().as_fd().try_clone_to_owned()?, bytes)
}

/// The programs that the kernel may skip when they interrupt themselves.
fn tracing_programs(ebpf: &Ebpf) -> Result<Vec<(&'static str, OwnedFd)>> {
    let mut programs = Vec::new();
    for hook in Hook::ALL {
        let traces = |program: &&Program| {
            !matches!(program, Program::CgroupSockAddr(_) | Program::CgroupSock(_))
        };
        let Some(program) = ebpf.program(hook.program()).filter(traces) else { continue };
        // A program that is not loaded cannot be skipped either.
        if let Ok(fd) = program.fd() {
            programs.push((hook.program(), fd.as_fd().try_clone_to_owned()?));
        }
    }
    Ok(programs)
}

/// Kernel type information is parsed once and is many small allocations; glibc
/// keeps them unless told otherwise.
fn give_back_memory() {
    // SAFETY: takes no pointer and is safe to call at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
