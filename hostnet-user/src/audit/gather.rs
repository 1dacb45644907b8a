//! Finds out what is the case: /proc, the cgroup tree, sock_diag, and what the
//! runtimes say meanwhile. The agent's own attribution says whose everything is.

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

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
        docker::{self, Census},
        procfs, sock_diag,
    },
    event::{Owner, OwnerKind, Process},
    format::ecs::Identity,
    kernel::{self, CannotObserve, CgroupRoot, Host},
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
    let answers = asked.join().map_err(|_panic| anyhow!("the thread that asks runtimes failed"))?;
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
    let mut witness = Witness::new(&runtimes);
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
        identity: Identity::read(host.network_namespace, Uuid::now_v7()),
        runtimes,
        present: present.into_iter().filter(is_there).collect(),
        sockets,
        gaps,
    })
}

fn place() -> Result<(Host, CgroupRoot)> {
    if !rustix::process::geteuid().is_root() {
        return Err(anyhow!(
            "not root: whose sockets and namespaces are whose is only shown to root; run it with \
             sudo"
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

/// Looks at single processes.
struct Witness {
    /// Places of the host that are there, each with the file as the host has it.
    places: Vec<(Place, fs::Metadata)>,
    /// By mount namespace: processes mostly share one.
    exposed: HashMap<u32, Vec<(Exposed, usize)>>,
}

impl Witness {
    fn new(runtimes: &[Census]) -> Self {
        // Process 1 sees what the host's processes see; kernel threads may not.
        let mountinfo = fs::read_to_string("/proc/1/mountinfo").unwrap_or_default();
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
            let file = fs::symlink_metadata(format!("/proc/1/root{path}")).ok()?;
            Some((Place::find(&mountinfo, path)?, file))
        });
        Self { places: places.collect(), exposed: HashMap::new() }
    }

    /// What else is to know of a process; `None` when it is gone.
    fn look(&mut self, process: Process, owner: Arc<Owner>) -> Option<Present> {
        let mount_namespace = procfs::namespace(process.pid, "mnt")?;
        let privileges = Privileges::read(process.pid)?;
        let places = &self.places;
        let found = self.exposed.entry(mount_namespace).or_insert_with(|| {
            let text = fs::read_to_string(format!("/proc/{}/mountinfo", process.pid));
            let text = text.unwrap_or_default();
            let places = places.iter().enumerate();
            places.filter_map(|(at, (place, _))| Some((place.in_container(&text)?, at))).collect()
        });
        let exposed = found.iter().filter(|_| !privileges.host_mounts).map(|(exposed, at)| {
            let usable = privileges.may_write(&places[*at].1);
            Exposed { usable, ..exposed.clone() }
        });
        let exposed = exposed.collect();
        Some(Present { process: Arc::new(process), owner, mount_namespace, privileges, exposed })
    }
}
