//! Finds out what is the case: /proc, the cgroup tree, sock_diag, and what the
//! runtimes say meanwhile. The agent's own attribution says whose everything is.

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use uuid::Uuid;

use super::{
    facts::{Facts, Held, Present},
    mounts::{Exposed, Place},
    privileges::Privileges,
};
use crate::{
    attribute::{
        Attribution, Policy, RuntimeNews,
        fetch::{
            docker::{self, Census},
            network::HostNetwork,
            procfs, sock_diag,
        },
    },
    event::{Owner, OwnerKind, Process},
    kernel::{self, CannotObserve, CgroupRoot, Host},
    this_host,
};

/// Whoever has one of these has all containers, and with them the host.
const RUNTIME_SOCKETS: [&str; 5] = [
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
];

/// Looks at everything once.
///
/// # Errors
/// [`CannotObserve`] when the host's namespaces or cgroups cannot be seen.
pub fn gather(options: docker::Options) -> Result<Facts> {
    let (host, root) = place().map_err(CannotObserve::from)?;
    // The runtimes have their own time.
    let asked = std::thread::spawn(move || ask_runtimes(&options));
    let policy = Policy {
        v1_only: root.is_private(),
        host_mount_namespace: host.mount_namespace,
        own_mount_namespace: host.own_mount_namespace,
        ..Policy::default()
    };
    let mut stage = Attribution::new(policy);
    for (id, path) in procfs::cgroups(root.path()) {
        stage.cgroup(id, path);
    }
    let processes = procfs::processes(host.network_namespace, root.path());
    for process in &processes {
        stage.process(process.clone());
        if root.is_private()
            && let Some((start_ns, path)) = procfs::v1_place(process.pid)
        {
            stage.v1_place(process.pid, start_ns, &path);
        }
    }
    for apart in procfs::apart(&host, root.path()) {
        stage.apart(&apart);
    }
    let (sockets, mut gaps) = sock_diag::once(host.network_namespace, root.path());
    let chosen_ports = kernel::in_network_namespace(host.network_namespace, || {
        Ok(HostNetwork::open()?.chosen_ports())
    })?;
    let answers = asked.join().map_err(|_panic| anyhow!("the thread that asks runtimes failed"))?;
    let silent_runtime = answers.iter().any(Result::is_err);
    let mut runtimes = Vec::new();
    for answer in answers {
        match answer {
            Ok(census) => runtimes.push(census),
            Err(reason) => gaps.push(format!("a container runtime does not answer: {reason}")),
        }
    }
    let boot_ns = kernel::boot_clock();
    for census in &runtimes {
        gaps.extend(census.gaps.iter().cloned());
        for counted in census.containers.iter().filter(|counted| counted.is_alive()) {
            let container = Box::new(counted.container.clone());
            stage.runtime(RuntimeNews::Container(container), boot_ns);
        }
    }
    let sockets = sockets.into_iter().map(|found| {
        let (owner, process) = stage.holder_of_present(&found, boot_ns);
        Held { found, owner, process }
    });
    let sockets = sockets.collect();
    let witness = Witness::new(&host, &runtimes).unwrap_or_else(|| {
        gaps.push(
            "cannot tell which of the host's files containers can use: /proc/1/root is not readable"
                .to_owned(),
        );
        Witness(Vec::new())
    });
    let present = processes.into_iter().filter_map(|process| {
        let owner = stage.owner_of_present(&process, boot_ns);
        (owner.kind != OwnerKind::Host).then(|| witness.look(process, owner)).flatten()
    });
    let present: Vec<Present> = present.collect();
    // A runtime that sets a container up is in its cgroup before it has entered
    // namespaces; by now it has.
    let is_there = |one: &Present| procfs::is_still_in(&one.process, host.network_namespace);
    Ok(Facts {
        wall_ns: wall_clock(),
        identity: this_host::identity(host.network_namespace, Uuid::now_v7(), this_host::Keep::No),
        runtimes,
        silent_runtime,
        present: present.into_iter().filter(is_there).collect(),
        sockets,
        chosen_ports,
        gaps,
    })
}

fn place() -> Result<(Host, CgroupRoot)> {
    if !rustix::process::geteuid().is_root() {
        return Err(anyhow!(
            "not root: the kernel shows sockets and namespaces of other users' processes to root alone; \
             run it with sudo"
        ));
    }
    Ok((Host::read()?, CgroupRoot::open()?))
}

fn ask_runtimes(options: &docker::Options) -> Vec<Result<Census, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.context("cannot start the asynchronous runtime") {
        Ok(runtime) => runtime.block_on(docker::census(options)),
        Err(error) => vec![Err(format!("{error:#}"))],
    }
}

/// Longer than this no runtime is waited for, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// `CLOCK_REALTIME`, nanoseconds.
fn wall_clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Looks at single processes, with the places of the host that are to be looked for,
/// each with the file as the host has it.
struct Witness(Vec<(Place, fs::Metadata)>);

impl Witness {
    /// `None` when it cannot be seen what the host's files are.
    fn new(host: &Host, runtimes: &[Census]) -> Option<Self> {
        // Process 1 sees what the host's processes see; kernel threads may not.
        let is_inside = host.own_mount_namespace == host.mount_namespace;
        let (process, root) = if is_inside { ("self", "") } else { ("1", "/proc/1/root") };
        let mountinfo = fs::read_to_string(format!("/proc/{process}/mountinfo")).ok()?;
        fs::metadata(format!("{root}/")).ok()?;
        let asked = runtimes.iter().filter_map(|census| {
            let path = census.endpoint.strip_prefix("unix://")?;
            let real = fs::canonicalize(path).ok()?;
            real.to_str().map(str::to_owned)
        });
        let mut paths: Vec<String> = RUNTIME_SOCKETS.map(str::to_owned).into();
        paths.extend(asked);
        paths.push("/".to_owned());
        paths.sort_unstable();
        paths.dedup();
        let places = paths.iter().filter_map(|path| {
            let file = fs::symlink_metadata(format!("{root}{path}")).ok()?;
            Some((Place::find(&mountinfo, path)?, file))
        });
        Some(Self(places.collect()))
    }

    /// What else is to know of a process; `None` when it is gone.
    fn look(&self, process: Process, owner: Arc<Owner>) -> Option<Present> {
        let mount_namespace = procfs::namespace(process.pid, "mnt")?;
        let privileges = Privileges::read(process.pid)?;
        let exposed = if privileges.host_mounts {
            Vec::new()
        } else {
            self.exposed(process.pid, &privileges)
        };
        Some(Present { process: Arc::new(process), owner, mount_namespace, privileges, exposed })
    }

    /// What a process has of the host. Even in one mount namespace, what it sees is
    /// what is below its own root.
    fn exposed(&self, pid: u32, privileges: &Privileges) -> Vec<Exposed> {
        let mountinfo = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        let found = self.0.iter().filter_map(|(place, file)| {
            let exposed = place.in_container(&mountinfo)?;
            Some(Exposed { usable: privileges.may_write(file), ..exposed })
        });
        found.collect()
    }
}
