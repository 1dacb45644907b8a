//! A container runtime of the kernel alone, for machines without Docker: a
//! cgroup `/docker/ID`, namespaces, a root directory, and then the command. It
//! does what a container's kernel events come from in the order runc does:
//! the cgroup exists first, the process enters it, and only then it execs.
//!
//! `bare run ID ROOT PID_FILE [--network host|none|bridge] [--cap-drop NAME]… -- COMMAND…`
//! stays beside the container as a shim does, and ends as it ended.
//! `bare exec ID PID -- COMMAND…` runs another command in it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use hostnet_tests::loopback;

use rustix::{
    mount::{
        MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change, mount_move,
    },
    process::{Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal, waitpid},
    thread::{
        CapabilitySet, LinkNameSpaceType, UnshareFlags, move_into_link_name_space,
        remove_capability_from_bounding_set,
    },
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().expect("usage: bare run|exec ID …; see the source");
    let (order, id) = (next(), next());
    let id = id.into_string().expect("UTF-8");
    let status = match order.to_str() {
        Some("run") => {
            let (root, pid_file) = (PathBuf::from(next()), PathBuf::from(next()));
            run(&id, &root, &pid_file, &Options::parse(arguments))
        }
        Some("exec") => {
            let pid = next().to_str().and_then(|pid| pid.parse().ok()).expect("a process id");
            enter(&id, pid, &Options::parse(arguments))
        }
        _ => panic!("no such order: {}", order.display()),
    };
    // As a shell says it.
    let signal = status.terminating_signal().map(|signal| signal + 128);
    let code = status.exit_status().or(signal).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

struct Options {
    network: String,
    dropped: Vec<String>,
    command: Vec<OsString>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Self {
        let mut options = Self { network: "host".into(), dropped: Vec::new(), command: Vec::new() };
        while let Some(word) = arguments.next().filter(|word| word != "--") {
            let value = arguments.next().and_then(|value| value.into_string().ok());
            let value = value.unwrap_or_else(|| panic!("{} needs a value", word.display()));
            match word.to_str() {
                Some("--network") => options.network = value,
                Some("--cap-drop") => options.dropped.push(value),
                _ => panic!("no such option: {}", word.display()),
            }
        }
        options.command.extend(arguments);
        options
    }
}

fn run(id: &str, root: &Path, pid_file: &Path, options: &Options) -> WaitStatus {
    let cgroups = cgroups(id);
    for cgroup in &cgroups {
        fs::create_dir_all(cgroup).unwrap_or_else(|error| panic!("{}: {error}", cgroup.display()));
    }
    let mut namespaces =
        UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if options.network != "host" {
        namespaces |= UnshareFlags::NEWNET;
    }
    // SAFETY: there is one thread, and no file descriptor table is unshared.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }.expect("root may make namespaces");
    // Closed once the process id has been told: whoever hears the command knows it.
    let (told, teller) = rustix::pipe::pipe().expect("a pipe");
    let Some(child) = fork() else {
        drop(teller);
        set_parent_process_death_signal(Some(Signal::KILL)).expect("Linux 2.1.57 or newer");
        rustix::io::read(&told, &mut [0_u8; 1]).expect("a pipe");
        drop(told);
        join(&cgroups);
        if options.network != "host" {
            loopback::up().expect("a new namespace has a loopback interface");
        }
        change_root(root);
        exec(options)
    };
    let temporary = pid_file.with_extension("new");
    fs::write(&temporary, child.as_raw_nonzero().to_string())
        .and_then(|()| fs::rename(&temporary, pid_file))
        .unwrap_or_else(|error| panic!("{}: {error}", pid_file.display()));
    drop(teller);
    let status = wait(child);
    for cgroup in cgroups.iter().rev() {
        let _ = fs::remove_dir(cgroup);
    }
    status
}

fn enter(id: &str, pid: i32, options: &Options) -> WaitStatus {
    let cgroups = cgroups(id);
    let namespaces = PathBuf::from(format!("/proc/{pid}/ns"));
    let enter = |name: &str, kind| {
        let file = File::open(namespaces.join(name)).expect("the container runs");
        move_into_link_name_space(file.as_fd(), Some(kind))
            .unwrap_or_else(|error| panic!("{name} namespace: {error}"));
    };
    let mounts = File::open(namespaces.join("mnt")).expect("the container runs");
    // It is the children's; this process stays outside, as a shim does.
    enter("pid", LinkNameSpaceType::ProcessID);
    let Some(child) = fork() else {
        join(&cgroups);
        enter("net", LinkNameSpaceType::Network);
        move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
            .unwrap_or_else(|error| panic!("mount namespace: {error}"));
        rustix::process::chdir("/").expect("a root directory");
        exec(options)
    };
    wait(child)
}

/// The container's place in every hierarchy that is mounted, the v2 one last. In
/// a new cgroup of `cpuset`, no process may run.
fn cgroups(id: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let of_kind = |wanted: &str| -> Vec<PathBuf> {
        let lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        lines
            .filter(|words| words[2] == wanted && !words[3].split(',').any(|o| o == "cpuset"))
            .map(|words| Path::new(words[1]).join("docker").join(id))
            .collect()
    };
    let mut places = of_kind("cgroup");
    places.extend(of_kind("cgroup2").into_iter().take(1));
    assert!(!places.is_empty(), "no cgroup hierarchy is mounted");
    places
}

/// `0` is the process that writes it, whatever namespace it is in.
fn join(cgroups: &[PathBuf]) {
    for cgroup in cgroups {
        fs::write(cgroup.join("cgroup.procs"), "0")
            .unwrap_or_else(|error| panic!("{}: {error}", cgroup.display()));
    }
}

/// A process of the initial file system cannot pivot away from it, so the new
/// root is moved over the old one, as runc does with `--no-pivot`.
fn change_root(root: &Path) {
    let change = || -> io::Result<()> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount_bind_recursive(root, root)?;
        rustix::process::chdir(root)?;
        mount("proc", "proc", "proc", MountFlags::empty(), None)?;
        mount("tmpfs", "tmp", "tmpfs", MountFlags::empty(), Some(c"mode=1777"))?;
        mount_bind_recursive("/dev", "dev")?;
        mount_move(".", "/")?;
        rustix::process::chroot(".")?;
        rustix::process::chdir("/")?;
        Ok(())
    };
    change().unwrap_or_else(|error| panic!("{}: {error}", root.display()));
}

fn exec(options: &Options) -> ! {
    for name in &options.dropped {
        let capability = CapabilitySet::from_name(name);
        let capability = capability.unwrap_or_else(|| panic!("no such capability: {name}"));
        remove_capability_from_bounding_set(capability).expect("root may drop a capability");
    }
    let (program, arguments) = options.command.split_first().expect("a command");
    let error = Command::new(program).args(arguments).env_clear().env("PATH", "/bin").exec();
    panic!("{}: {error}", program.display());
}

/// `None` in the child.
fn fork() -> Option<Pid> {
    // SAFETY: there is one thread, so the child may run any code.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    Pid::from_raw(child)
}

fn wait(child: Pid) -> WaitStatus {
    let ended = rustix::io::retry_on_intr(|| waitpid(Some(child), WaitOptions::empty()));
    ended.expect("our child").expect("it has ended").1
}
