//! Which tests run on which kernel, and what came of it.

use std::collections::BTreeSet;
use std::iter;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

use super::kernel::{self, Kernel};
use super::machine::{Machine, Program};
use super::outcome::Outcome;
use super::programs::Programs;
use super::report::Report;
use super::run::Run;
use super::verdicts::{self, DOCTOR, EVENTS, SAMPLES, STATEMENT};

/// How the cgroup hierarchies are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Cgroups {
    V2,
    Hybrid,
    V1,
}

impl Cgroups {
    const fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
            Self::V1 => "v1",
        }
    }
}

/// What there is beside the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// Containers by `bare`.
    Nothing,
    /// Containers by this machine's Docker, from a disk.
    Docker,
    /// The same where systemd is the first process and makes containers' cgroups.
    DockerAndSystemd,
    /// The same as nothing, and the kernel does not describe its types.
    HiddenBtf,
}

/// A kernel in one of its circumstances.
pub struct Variant {
    series: String,
    cgroups: Cgroups,
    beside: Beside,
    /// Test programs; all when empty.
    only: Vec<String>,
}

/// Debian 11, 12, 13, and what its backports have of later ones.
pub const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.3"];

/// Where Docker runs too. A container takes it half a minute there, so these
/// tests alone: what Docker tells of a container, and how it starts one.
const DOCKER_KERNELS: [&str; 2] = ["6.1", "6.12"];
const DOCKER_TESTS: [(&str, &[&str]); 6] = [
    ("connect", &["a_connect_that_succeeds"]),
    ("exec", &["docker_exec_is_the_containers_too", "the_runtimes_own_set_up_is_not_told"]),
    (
        "migration",
        &[
            "e24_a_cgroup_within_its_own",
            "e25_a_cgroup_named_after_another_container",
            "e25_a_cgroup_beside_it_named_after_another_container",
            "e26_born_in_the_hosts",
            "e26_into_another_containers_cgroup",
            "e26_into_the_hosts",
            "e26_into_the_root",
            "e26_there_and_back",
            "e27_a_container_in_a_cgroup_namespace_of_its_own",
        ],
    ),
    (
        "namespaces",
        &["e22_joined_to_a_container_of_the_hosts_network", "e22_setns_from_a_bridge_container"],
    ),
    ("nested_docker", &["e28_docker_in_docker"]),
    (
        "owner",
        &[
            "a_container_comes_and_goes",
            "a_container_that_joins_anothers_network",
            "labels_and_settings_of_the_container",
            "not_one_event_of_a_bridge_container",
        ],
    ),
];

/// Room for Docker, the tests, and what is theirs in neither `/tmp` nor `/run`.
const DISK_MEGABYTES: u32 = 1024;

/// What a kernel would load by itself when a test, `ss` or hostnet asks for it.
const TEST_MODULES: [&str; 13] = [
    "tcp_diag",
    "udp_diag",
    "raw_diag",
    "unix_diag",
    "af_packet_diag",
    "netlink_diag",
    "mptcp_diag",
    "sctp",
    "sctp_diag",
    "vsock_loopback",
    "vsock_diag",
    "algif_hash",
    "xsk_diag",
];

/// What Docker needs of a kernel beside that; cloud kernels have it as modules.
const DOCKER_MODULES: [&str; 5] = ["virtio_pci", "virtio_blk", "overlay", "bridge", "veth"];

/// Seconds for one test program: without hardware virtualisation it is ten times
/// as slow as on the host.
const DEADLINE: u64 = 900;

/// What a test waits for takes longer in a VM, and longer yet for Docker's.
const PATIENCE: &str = "3";
const PATIENCE_WITH_DOCKER: &str = "9";

/// Everything that is covered.
pub fn all() -> Vec<Variant> {
    let mut variants: Vec<Variant> =
        KERNELS.iter().map(|series| Variant::new(series, Cgroups::V2)).collect();
    variants.push(Variant::new("6.12", Cgroups::Hybrid));
    variants.push(Variant::new("6.12", Cgroups::V1));
    variants.extend(DOCKER_KERNELS.iter().map(|series| Variant::with_docker(series)));
    variants.push(Variant::with_systemd("6.12"));
    variants.push(Variant::without_btf("6.1"));
    variants
}

impl Variant {
    /// A VM in which all tests run, but for those that need Docker.
    pub fn new(series: &str, cgroups: Cgroups) -> Self {
        Self { series: series.to_owned(), cgroups, beside: Beside::Nothing, only: Vec::new() }
    }

    /// A VM with Docker.
    pub fn with_docker(series: &str) -> Self {
        Self { beside: Beside::Docker, ..Self::new(series, Cgroups::V2) }
    }

    /// A VM with Docker under systemd.
    pub fn with_systemd(series: &str) -> Self {
        Self { beside: Beside::DockerAndSystemd, ..Self::new(series, Cgroups::V2) }
    }

    /// A VM whose kernel does not describe its types.
    pub fn without_btf(series: &str) -> Self {
        let only = vec!["kernel_without_btf".to_owned()];
        Self { beside: Beside::HiddenBtf, only, ..Self::new(series, Cgroups::V2) }
    }

    /// Runs these test programs alone.
    pub fn choose(&mut self, only: &[String]) {
        only.clone_into(&mut self.only);
    }

    pub fn has_docker(&self) -> bool {
        matches!(self.beside, Beside::Docker | Beside::DockerAndSystemd)
    }

    fn name(&self) -> String {
        format!("{} {}", self.series, self.circumstances())
    }

    fn circumstances(&self) -> String {
        let beside = match self.beside {
            Beside::Nothing => "",
            Beside::Docker => " docker",
            Beside::DockerAndSystemd => " docker systemd",
            Beside::HiddenBtf => " no-btf",
        };
        format!("{}{beside}", self.cgroups.name())
    }

    fn plan(&self, programs: &Programs) -> Result<Vec<Program>> {
        if let Some(unknown) = self.only.iter().find(|name| !programs.tests.contains_key(*name)) {
            bail!("tests/tests has no {unknown}.rs");
        }
        let chosen = |name: &str| self.only.is_empty() || self.only.iter().any(|n| n == name);
        let mut plan = vec![hostnet(DOCTOR), hostnet(STATEMENT)];
        if self.has_docker() {
            for (name, tests) in DOCKER_TESTS.iter().filter(|(name, _)| chosen(name)) {
                plan.push(test_program(name, tests, "docker", PATIENCE_WITH_DOCKER));
            }
        } else {
            for name in programs.tests.keys().filter(|name| chosen(name)) {
                plan.push(test_program(name, &[], "bare", PATIENCE));
            }
        }
        plan.push(hostnet(SAMPLES));
        Ok(plan)
    }

    fn run(
        &self,
        kernel: &Kernel,
        programs: &Programs,
        disk: &Path,
        logs: &Path,
    ) -> Result<Report> {
        let with_docker = self.has_docker();
        let mut parameters = vec![format!("hostnet.cgroup={}", self.cgroups.name())];
        match self.beside {
            Beside::Nothing => {}
            // Debian's kernel has AppArmor on, and the disk none of its tools.
            Beside::Docker | Beside::DockerAndSystemd => {
                parameters.extend(["hostnet.root=/dev/vda", "apparmor=0"].map(str::to_owned));
            }
            Beside::HiddenBtf => parameters.push("hostnet.btf=hidden".to_owned()),
        }
        if self.beside == Beside::DockerAndSystemd {
            parameters.push("hostnet.first=/bin/systemd".to_owned());
        }
        let mut modules = TEST_MODULES.to_vec();
        if with_docker {
            modules.extend(DOCKER_MODULES);
        }
        let machine = Machine {
            kernel,
            tree: if with_docker { programs.minimal()? } else { programs.with_tests()? },
            modules: &modules,
            parameters,
            disk: with_docker.then(|| disk.to_owned()),
            size: if with_docker { (2, 3072) } else { (2, 1536) },
            // With a thread per processor, QEMU 7.2 lets one see half of an
            // instruction that another patches, and the kernel panics.
            qemu: &["-accel", "tcg,thread=single"],
            logs: logs.to_owned(),
        };
        machine.run(&self.plan(programs)?)
    }
}

/// All tests of a test program, or those named.
fn test_program(name: &str, tests: &[&str], runtime: &str, patience: &str) -> Program {
    let mut command = vec![Programs::path(name)];
    command.extend(verdicts::OPTIONS.map(str::to_owned));
    if !tests.is_empty() {
        command.push("--exact".to_owned());
        command.extend(tests.iter().map(|test| (*test).to_owned()));
    }
    let environment = [
        ("HOSTNET_TESTS_RUNTIME", runtime),
        ("HOSTNET_TESTS_PATIENCE", patience),
        ("HOSTNET_EVENTS_DIR", EVENTS),
        // Nobody else reads its clock.
        ("HOSTNET_TESTS_MAY_SET_CLOCK", "1"),
        ("PATH", "/bin"),
        ("RUST_BACKTRACE", "0"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Program { name: name.to_owned(), command, environment: environment.into(), deadline: DEADLINE }
}

/// A subcommand of hostnet, which is called after it.
fn hostnet(words: &str) -> Program {
    let path = Programs::helper_path("hostnet");
    Program {
        name: words.to_owned(),
        command: iter::once(path).chain(words.split(' ').map(str::to_owned)).collect(),
        environment: [("NO_COLOR".to_owned(), "1".to_owned())].into(),
        deadline: 120,
    }
}

/// How variants are run.
pub struct Running<'a> {
    /// How many at the same time.
    pub jobs: usize,
    /// Kernels, disks and logs.
    pub directory: &'a Path,
    /// Whether to look for newer kernels.
    pub fresh: bool,
    /// Whether what a VM found is kept.
    pub keep: bool,
}

/// Runs every variant.
pub fn run(variants: &[Variant], how: &Running<'_>) -> Result<Outcome> {
    let Running { jobs, directory, fresh, keep } = *how;
    let series: BTreeSet<&str> = variants.iter().map(|variant| &*variant.series).collect();
    let series: Vec<String> = series.into_iter().map(str::to_owned).collect();
    let kernels = kernel::fetch(&series, directory, fresh)?;
    let programs = Programs::build()?;
    let disk = directory.join("docker.ext4");
    if variants.iter().any(Variant::has_docker) {
        programs.with_docker()?.write_disk(&disk, DISK_MEGABYTES)?;
    }
    let logs = directory.join("logs");
    let (waiting, outcome) = (Mutex::new(variants.iter()), Mutex::new(Outcome::default()));
    let work = || -> Result<()> {
        loop {
            let Some(variant) = locked(&waiting).next() else { return Ok(()) };
            let kernel = kernels.iter().find(|kernel| kernel.series == variant.series);
            let kernel = kernel.with_context(|| format!("no kernel {}", variant.series))?;
            let logs = logs.join(variant.name().replace(' ', "-"));
            eprintln!("{}: booting {}", variant.name(), kernel.release);
            let report = variant.run(kernel, &programs, &disk, &logs)?;
            let summary = locked(&outcome).add(&variant.name(), &report, &logs);
            eprintln!("{}: {summary}", variant.name());
            if keep {
                // As soon as it is there: the others may take another hour.
                match Run::of(&variant.series, &variant.circumstances(), &report)? {
                    Some(run) => eprintln!("{}: wrote {}", variant.name(), run.keep()?),
                    None => eprintln!(
                        "{}: not kept, because it did not come to its end",
                        variant.name()
                    ),
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(_panic) => bail!("a VM's thread panicked; its message is above"),
        })
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    // In the order of the matrix, whichever VM was done first.
    outcome.sort_by_key(|vm| variants.iter().position(|variant| variant.name() == vm));
    Ok(outcome)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
