//! Finds out what is the case: /proc, the cgroup tree, sock_diag, and what the
//! runtimes say meanwhile. The agent's own attribution says whose everything is.
//! Nothing is waited for without a limit, and what does not answer is a gap.

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use uuid::Uuid;

use super::{
    each_process::{ask_each, gap},
    facts::{Facts, Held, Present},
    mounts::{Exposed, Place},
    privileges::Privileges,
};
use crate::{
    ask::in_time,
    attribute::{Attribution, Policy, RuntimeNews},
    event::{Owner, OwnerKind, Process},
    format::ecs::Identity,
    kernel::{self, CannotObserve, CgroupRoot, Host},
    sources::{
        docker::{self, Census},
        identity,
        network::HostNetwork,
        procfs, sock_diag,
    },
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
    // The runtimes have their own time, and a little more for saying that it is over.
    let limit = options.request_timeout + in_time::PATIENCE / 4;
    let asked = in_time::begin("ask-runtimes", move || ask_runtimes(&options));
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
    let mut gaps = Vec::new();
    let processes = processes(&host, &root, &mut gaps);
    for process in &processes {
        stage.process(process.clone());
        if root.is_private()
            && let Some((start_ns, path)) = procfs::v1_place(process.pid)
        {
            stage.owners().v1_place(process.pid, start_ns, &path);
        }
    }
    for apart in procfs::apart(&host, root.path()) {
        stage.owners().apart(&apart);
    }
    let (sockets, not_shown) = sock_diag::once(host.network_namespace, root.path());
    gaps.extend(not_shown);
    let chosen_ports = kernel::in_network_namespace(host.network_namespace, || {
        Ok(HostNetwork::open()?.chosen_ports())
    })?;
    let answers =
        asked.answer(limit).unwrap_or_else(|unanswered| vec![Err(unanswered.to_string())]);
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
        let (owner, process) = stage.owners().holder_of_present(&found, boot_ns);
        Held { found, owner, process }
    });
    let sockets = sockets.collect();
    let endpoints = runtimes.iter().map(|census| census.endpoint.clone()).collect();
    let witness = in_time::ask("ask-files", in_time::PATIENCE, move || {
        Witness::new(&host, endpoints).context("/proc/1/root is not readable")
    });
    let witness = witness.map_err(anyhow::Error::from).flatten().unwrap_or_else(|error| {
        gaps.push(format!("cannot tell which of the host's files containers can use: {error:#}"));
        Witness(Vec::new())
    });
    let not_hosts = processes.into_iter().filter_map(|process| {
        let owner = stage.owners().owner_of_present(&process, boot_ns);
        (owner.kind != OwnerKind::Host).then_some((process, owner))
    });
    let present = present(not_hosts.collect(), witness, &mut gaps);
    // A runtime that sets a container up is in its cgroup before it has entered
    // namespaces; by now it has.
    let is_there = |one: &Present| procfs::is_still_in(&one.process, host.network_namespace);
    let network_namespace = host.network_namespace;
    let run = Uuid::now_v7();
    let identity = in_time::ask("ask-identity", in_time::PATIENCE, move || {
        identity::identity(network_namespace, run, identity::Keep::No)
    });
    let identity = identity.unwrap_or_else(|unanswered| {
        gaps.push(format!("cannot tell which host this is: its files gave {unanswered}"));
        Identity { network_namespace, run, ..Identity::default() }
    });
    Ok(Facts {
        wall_ns: wall_clock(),
        identity,
        runtimes,
        silent_runtime,
        present: present.into_iter().filter(is_there).collect(),
        sockets,
        chosen_ports,
        gaps,
    })
}

/// The processes in the host's network namespace, without their arguments, in the order in
/// which they began: so parents come before those they made.
fn processes(host: &Host, root: &CgroupRoot, gaps: &mut Vec<String>) -> Vec<Process> {
    let cgroups = root.path().to_owned();
    let ask = move |pid| procfs::process_but_arguments(pid, &cgroups);
    let (found, missing) = ask_each(procfs::pids_in(host.network_namespace), ask);
    gaps.extend(gap("processes that use the host's network may be missing here", &missing));
    let mut processes: Vec<Process> = found.into_iter().flatten().collect();
    processes.sort_by_key(|process| (process.start_ns, process.pid));
    processes
}

/// What else is to know of these.
fn present(
    processes: Vec<(Process, Arc<Owner>)>,
    witness: Witness,
    gaps: &mut Vec<String>,
) -> Vec<Present> {
    let pids: Vec<u32> = processes.iter().map(|(process, _)| process.pid).collect();
    let (seen, missing) = ask_each(pids.clone(), move |pid| (pid, witness.look(pid)));
    gaps.extend(gap("what processes may do is not known, and they are not shown", &missing));
    let mut seen: HashMap<u32, Seen> =
        seen.into_iter().filter_map(|(pid, seen)| Some((pid, seen?))).collect();
    let unread: HashMap<u32, Process> =
        processes.iter().map(|(process, _)| (process.pid, process.clone())).collect();
    // Last: it may hang.
    let (read, missing) =
        ask_each(pids, move |pid| unread.get(&pid).cloned().map(procfs::with_arguments));
    gaps.extend(gap("command lines are not known", &missing));
    let mut read: HashMap<u32, Process> =
        read.into_iter().flatten().map(|process| (process.pid, process)).collect();
    let known = processes.into_iter().filter_map(|(process, owner)| {
        let Seen { mount_namespace, privileges, exposed } = seen.remove(&process.pid)?;
        let process =
            read.remove(&process.pid).unwrap_or(Process { arguments_truncated: true, ..process });
        Some(Present { process: Arc::new(process), owner, mount_namespace, privileges, exposed })
    });
    known.collect()
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
        Ok(runtime) => {
            let answers = runtime.block_on(docker::census(options));
            // A resolver, or the path of a socket, may hold up whoever asks it for ever.
            runtime.shutdown_background();
            answers
        }
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

/// What a witness sees of a process.
struct Seen {
    mount_namespace: u32,
    privileges: Privileges,
    exposed: Vec<Exposed>,
}

/// Looks at single processes, with the places of the host that are to be looked for,
/// each with the file as the host has it.
struct Witness(Vec<(Place, fs::Metadata)>);

impl Witness {
    /// `None` when it cannot be seen what the host's files are.
    fn new(host: &Host, endpoints: Vec<String>) -> Option<Self> {
        // Process 1 sees what the host's processes see; kernel threads may not.
        let is_inside = host.own_mount_namespace == host.mount_namespace;
        let (process, root) = if is_inside { ("self", "") } else { ("1", "/proc/1/root") };
        let mountinfo = fs::read_to_string(format!("/proc/{process}/mountinfo")).ok()?;
        fs::metadata(format!("{root}/")).ok()?;
        let asked = endpoints.iter().filter_map(|endpoint| {
            let path = endpoint.strip_prefix("unix://")?;
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
    fn look(&self, pid: u32) -> Option<Seen> {
        let mount_namespace = procfs::namespace(pid, "mnt")?;
        let privileges = Privileges::read(pid)?;
        let exposed =
            if privileges.host_mounts { Vec::new() } else { self.exposed(pid, &privileges) };
        Some(Seen { mount_namespace, privileges, exposed })
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
