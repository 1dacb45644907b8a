//! Loading: the object, the offsets, the settings, and the maps both sides touch.
//! What is attached and how is attach.rs's.

use std::{collections::BTreeSet, fs::File, io::Read as _, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf,
    programs::{ProgramType, links::FdLink, loaded_programs},
};
use hostnet_abi::{Hook, NAME_WORDS, Offsets, Sensitive, Settings};
use rustix::thread::CapabilitySet;
use thiserror::Error;
use zerocopy::IntoBytes;

use super::{
    BeyondIp, Btf, CgroupRoot, Coverage, Host, Losses, Maps, Meter, Rings, Told,
    alive::{self, Places},
    attach::{self, Attacher, Links, adopted, is_attached_by},
    btf_path,
    budget::{Budget, Suppressions, put_sensitive, sensitive_bytes},
    complaint::brief,
    diagnostics::Diagnostics,
    loader::loader,
    maps::{self, Source},
    meter,
    pins::Pins,
    release::{gives_current_task, running_release},
    room,
    running::{self, Running},
};
use crate::kernel::memory;

/// The built eBPF object; `cargo xtask ebpf` makes it from hostnet-ebpf's sources.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../hostnet-ebpf/dist/hostnet.bpf.o"
));

const NO_BTF: &str =
    "hostnet needs a kernel with CONFIG_DEBUG_INFO_BTF (Debian 11 and later have it)";

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
    /// Bytes of the ring for first acts of owners whose budget is spent; likewise.
    pub reserved_bytes: u32,
    /// How much each owner may tell.
    pub budget: Budget,
    /// What detections depend on: acts about it have a quota of their own.
    pub sensitive: Vec<Sensitive>,
    /// Tell host processes in full.
    pub all: bool,
    /// Let the programs log through aya-log.
    pub kernel_log: bool,
    /// How sockets beyond IP are seen.
    pub beyond_ip: BeyondIp,
    /// Hooks that are not attached.
    pub without: Vec<Hook>,
    /// Where the programs are pinned, so that they go on when the agent ends badly.
    pub pin: Option<PathBuf>,
    /// They go on when it ends well, too.
    pub keep: bool,
}

/// The attached programs. Dropping it detaches them and leaves nothing behind, unless
/// they are to be kept.
pub struct Programs {
    // Dropped in this order: what is pinned last.
    links: Links,
    /// Where it is looked whether they are attached still.
    places: Places,
    ebpf: Option<Ebpf>,
    pins: Option<Pins>,
    /// Whether they ran before this agent, and what became of the time between.
    pub adopted: Option<Adopted>,
    /// How much of what the counters say has been told.
    pub told: Told,
    /// The v2 root they are attached to.
    pub root: CgroupRoot,
    /// The host's namespaces.
    pub host: Host,
    /// The records.
    pub rings: Rings,
    /// What did not fit.
    pub losses: Losses,
    /// What was beyond its owner's budget.
    pub suppressions: Suppressions,
    /// What was attached; the canary turns it into proof.
    pub coverage: Coverage,
    /// The programs' own log, when asked for.
    pub diagnostics: Option<Diagnostics>,
    /// What the kernel says of programs and maps; taken by whoever asks regularly.
    pub meter: Option<Meter>,
    /// What the agent tells the programs, and fetches from them, while they run.
    pub maps: Maps,
}

impl Programs {
    /// Hooks whose program somebody has detached.
    ///
    /// # Errors
    /// When the links cannot be looked at.
    pub fn detached(&mut self) -> Result<BTreeSet<Hook>> {
        alive::detached(&self.links, &mut self.places)
    }

    /// Attaches these anew; says which the kernel has taken.
    pub fn attach_again(&mut self, hooks: &BTreeSet<Hook>) -> BTreeSet<Hook> {
        let mut attached = BTreeSet::new();
        for hook in hooks {
            // One that is not attached is not looked at again.
            self.links.remove(hook);
            match self.once_more(*hook) {
                Ok(link) => {
                    self.links.insert(*hook, link);
                    attached.insert(*hook);
                }
                Err(error) => tracing::error!("{error:#}"),
            }
        }
        attached
    }

    fn once_more(&mut self, hook: Hook) -> Result<FdLink> {
        // An agent that has taken over what was pinned has no object of its own.
        if let Some(pins) = &self.pins {
            let link = attach::again(&mut pins.program(hook)?, &self.root, hook)?;
            return pins.pin_again(hook, link);
        }
        let program = self.ebpf.as_mut().and_then(|ebpf| ebpf.program_mut(hook.program()));
        attach::again(program.context("the eBPF object has no such program")?, &self.root, hook)
    }
}

/// Programs that went on without an agent.
#[derive(Clone, Copy, Debug)]
pub struct Adopted {
    /// When records were last read, `CLOCK_BOOTTIME` nanoseconds, up to a second too early.
    pub since_ns: u64,
    /// They were another version's: records that nobody will read. `None` when these
    /// very programs went on.
    pub unread: Option<u64>,
}

/// Loads the object for the running kernel and attaches both sets, or takes over the
/// same programs where they are pinned.
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
    let mut created = prepare(options)?.create(options, &[])?;
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
        let links = Links::new();
        Attacher { ebpf, root, btf, kernel, others_rewrite, missing, links }
    }
}

/// What the programs are told of this kernel and this host, before they are there.
struct Prepared {
    /// The kernel's type information, as much as aya needs of it: parsed whole it takes 35 MB.
    types: Vec<u8>,
    missing: Vec<(&'static str, String)>,
    offsets: Offsets,
    settings: Settings,
    /// Processes that there can be.
    processes: u32,
    host: Host,
    root: CgroupRoot,
}

fn prepare(options: &LoadOptions) -> Result<Prepared> {
    let btf = Btf::read(&btf_path()).context(NO_BTF)?;
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
    let types = btf.only_named(is_attached_by);
    drop(btf);
    let host = Host::read()?;
    let root = CgroupRoot::open()?;
    let settings = Settings {
        host_netns: host.network_namespace,
        all: options.all.into(),
        host_mount_namespace: host.mount_namespace,
        current_task: gives_current_task(running_release()).into(),
        ..options.budget.settings()
    };
    let processes = room::of_processes();
    Ok(Prepared { types, missing, offsets, settings, processes, host, root })
}

impl Prepared {
    /// Puts the object into the kernel; `ours` are programs of another version of it.
    fn create(self, options: &LoadOptions, ours: &[u32]) -> Result<Created> {
        let Self { types, missing, offsets, settings, processes, host, root } = self;
        let mut loader = loader();
        let btf = aya::Btf::parse(&types, aya::Endianness::default()).context(NO_BTF)?;
        drop(types);
        // Not among what tells pinned programs apart: those that go on keep their own.
        let settings = Settings { name_keys: random_keys()?, ..settings };
        let log_level: u8 = if options.kernel_log { aya_log::Level::Debug as u8 } else { 0 };
        let mut ebpf = loader
            .btf(Some(&btf))
            .override_global("SETTINGS", settings.as_bytes(), true)
            .override_global("OFFSETS", offsets.as_bytes(), true)
            .override_global(aya_log::LEVEL, &log_level, false)
            .map_max_entries("RECORDS", options.ring_bytes)
            .map_max_entries("RESERVED", options.reserved_bytes)
            .map_max_entries("CONTAINED", processes)
            .load(OBJECT)
            .context("cannot create the eBPF maps (CAP_BPF is needed)")?;
        drop(loader);
        put_sensitive(&mut ebpf, &options.sensitive)?;
        let others_rewrite = others_rewrite(ours);
        Ok(Created { ebpf, btf, missing, others_rewrite, host, root })
    }

    /// Takes the directory for pins, where that is wanted.
    fn pins(&self, options: &LoadOptions) -> Result<Option<Pins>> {
        let Some(directory) = &options.pin else { return Ok(None) };
        let LoadOptions { ring_bytes, reserved_bytes, beyond_ip, without, .. } = options;
        let rooms = (ring_bytes, reserved_bytes, self.processes);
        let choices = format!("{rooms:?} {beyond_ip:?} {without:?}");
        let (settings, offsets) = (self.settings.as_bytes(), self.offsets.as_bytes());
        let sensitive = sensitive_bytes(&options.sensitive);
        let parts: [&[u8]; 5] = [OBJECT, settings, offsets, choices.as_bytes(), &sensitive];
        Pins::open(directory, options.keep, &parts).map(Some)
    }
}

/// Keys that nobody knows.
fn random_keys() -> Result<[u64; NAME_WORDS]> {
    let mut keys = [0; NAME_WORDS];
    let source =
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(keys.as_mut_bytes()));
    source.context("cannot read /dev/urandom")?;
    Ok(keys)
}

/// Whether the kernel has a program, not of ours yet, that may change the address
/// of a connect (a socket load balancer) or refuse it; so where that cannot be told.
fn others_rewrite(ours: &[u32]) -> bool {
    let rewrites = ProgramType::CgroupSockAddr.into();
    loaded_programs().any(|program| {
        !program
            .is_ok_and(|program| program.program_type() != rewrites || ours.contains(&program.id()))
    })
}

fn load_programs(options: &LoadOptions) -> Result<Programs> {
    let prepared = prepare(options)?;
    let mut pins = prepared.pins(options)?;
    if let Some(pins) = pins.take_if(|pins| pins.is_whole()) {
        return adopt(prepared, pins, options);
    }
    let ours = pins.as_ref().map(Pins::programs).unwrap_or_default();
    let mut created = prepared.create(options, &ours)?;
    maps::seal_new(&mut created.ebpf)?;
    let mut attacher = created.attacher();
    let coverage = attacher.sets(options.beyond_ip, &options.without)?;
    let mut links = attacher.links;
    let Created { mut ebpf, btf, host, root, .. } = created;
    drop(btf);
    memory::give_back();
    let mut adopted = None;
    if let Some(pins) = &mut pins {
        links = pins.pin(&mut ebpf, links)?;
        let since_ns = pins.others_read_ns();
        // New first, then old: what is seen by both is told once, by these.
        let unread = pins.remove_others()?;
        adopted = since_ns.map(|since_ns| Adopted { since_ns, unread: Some(unread) });
    }
    let diagnostics = options.kernel_log.then(|| Diagnostics::new(&mut ebpf)).transpose()?;
    let programs: Arc<[Running]> = running::programs(&links)?.into();
    let meter = meter_of(&programs, &mut |name| meter::twin(ebpf.map(name), name));
    let source = &mut |name: &str| {
        ebpf.take_map(name).with_context(|| format!("the eBPF object has no map {name}"))
    };
    Ok(Programs {
        rings: Rings::from(source)?,
        losses: Losses::from(source, programs)?,
        suppressions: Suppressions::from(source)?,
        maps: Maps::from(source)?,
        told: Told::from(source)?,
        adopted,
        diagnostics,
        meter,
        links,
        places: Places::default(),
        ebpf: Some(ebpf),
        pins,
        root,
        host,
        coverage,
    })
}

/// Takes over programs that went on without an agent.
fn adopt(prepared: Prepared, pins: Pins, options: &LoadOptions) -> Result<Programs> {
    let Prepared { host, root, types, .. } = prepared;
    drop(types);
    memory::give_back();
    let links = pins.links()?;
    let coverage = adopted(&links, options.beyond_ip, &options.without);
    let programs: Arc<[Running]> = running::programs(&links)?.into();
    let source = &mut |name: &str| pins.map(name);
    let told = Told::from(source)?;
    let adopted = Some(Adopted { since_ns: told.last_read_ns(), unread: None });
    Ok(Programs {
        rings: Rings::from(source)?,
        meter: meter_of(&programs, source),
        losses: Losses::from(source, programs)?,
        suppressions: Suppressions::from(source)?,
        maps: Maps::from(source)?,
        told,
        adopted,
        diagnostics: None,
        links,
        places: Places::default(),
        ebpf: None,
        pins: Some(pins),
        root,
        host,
        coverage,
    })
}

/// Numbers are worth less than what they are about.
fn meter_of(programs: &Arc<[Running]>, source: Source<'_>) -> Option<Meter> {
    let meter = Meter::new(Arc::clone(programs), source);
    meter
        .inspect_err(|error| {
            tracing::warn!("the run times of programs are not measured: {error:#}")
        })
        .ok()
}
