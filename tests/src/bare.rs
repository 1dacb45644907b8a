//! Containers without Docker, by `bare`: known to the kernel, and to nobody else.
//!
//! For test machines that have no Docker (`HOSTNET_TESTS_RUNTIME=bare`). hostnet
//! knows such a container by its cgroup's path alone: no name, no image.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{actor::Actor, image, paths::program, wait_for};

/// Where no Docker daemon is.
pub const NO_DOCKER: &str = "unix:///nonexistent/docker.sock";

/// Whether this test program starts its containers without Docker.
pub fn is_chosen() -> bool {
    match std::env::var("HOSTNET_TESTS_RUNTIME").as_deref() {
        Err(_) | Ok("docker") => false,
        Ok("bare") => true,
        Ok(other) => panic!("HOSTNET_TESTS_RUNTIME is docker or bare, not {other}"),
    }
}

/// A running container; ended when dropped.
pub struct Bare {
    /// Full id.
    pub id: String,
    pid: Option<u32>,
    /// Stays beside the container; none when that is an actor's own child.
    shim: Option<Child>,
    directory: TempDir,
}

impl Bare {
    fn new() -> Self {
        let mut random = [0; 32];
        let mut source = fs::File::open("/dev/urandom").expect("every Linux has it");
        source.read_exact(&mut random).expect("it never ends");
        let mut id = String::new();
        for byte in random {
            let _ = write!(id, "{byte:02x}");
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { id, pid: None, shim: None, directory }
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.path().join("pid")
    }

    fn command(&self, network: &str, options: &[String], words: &[&str]) -> Command {
        let mut command = Command::new(program("bare"));
        command.args(["run", &self.id]).arg(root()).arg(self.pid_file());
        command.args(["--network", network]);
        // It has every capability and no filter of system calls to begin with.
        let more = |option: &&String| {
            option.starts_with("--cap-add=") || *option == "--security-opt=seccomp=unconfined"
        };
        for option in options.iter().filter(|option| !more(option)) {
            let name = option.strip_prefix("--cap-drop=");
            let name = name.unwrap_or_else(|| panic!("{option} needs Docker: say needs_docker!"));
            command.args(["--cap-drop", name]);
        }
        command.arg("--").args(words);
        command
    }

    /// Starts it in the background.
    pub fn start(network: &str, options: &[String], words: &[&str]) -> Self {
        let mut bare = Self::new();
        let shim = bare.command(network, options, words).stdin(Stdio::null()).spawn();
        bare.shim = Some(shim.expect("bare can be started"));
        bare
    }

    /// Starts it with an actor as its first process.
    pub fn actor(network: &str, options: &[String], words: &[&str]) -> (Actor, Self) {
        let bare = Self::new();
        let actor = Actor::started(bare.command(network, options, words));
        (actor, bare)
    }

    /// Runs it to its end and returns its output.
    pub fn to_end(network: &str, options: &[String], words: &[&str]) -> String {
        output(Self::new().command(network, options, words))
    }

    /// Runs another command in it to its end and returns its output.
    pub fn exec(&self, words: &[&str]) -> String {
        let mut command = Command::new(program("bare"));
        let pid = self.pid.expect("it has been asked for").to_string();
        command.args(["exec", &self.id, &pid, "--"]).args(words);
        output(command)
    }

    /// Process id of its first process, on the host. That runs the container's own
    /// program: until then it is not where another could join it.
    pub fn pid(&mut self) -> u32 {
        wait_for("the container's process id", || self.pid_file().exists());
        let text = fs::read_to_string(self.pid_file()).expect("a file");
        let pid = text.parse().expect("a process id");
        let bare = fs::metadata(program("bare")).expect("a program");
        wait_for("the container's program", || {
            // One that has ended has none.
            let runs = fs::metadata(format!("/proc/{pid}/exe"));
            runs.map_or(true, |runs| (runs.dev(), runs.ino()) != (bare.dev(), bare.ino()))
        });
        self.pid = Some(pid);
        pid
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let Some(mut shim) = self.shim.take() else { return };
        if let Ok(None) = shim.try_wait()
            && let Some(pid) = self.pid.and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = shim.wait();
    }
}

fn output(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("bare can be started");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bare: {} {error}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The root directory of every container: read-only by convention, as nobody
/// takes changes back.
fn root() -> &'static OsStr {
    static ROOT: OnceLock<TempDir> = OnceLock::new();
    let make = || {
        let root = tempfile::tempdir().expect("a temporary directory");
        image::fill(root.path());
        root
    };
    ROOT.get_or_init(make).path().as_os_str()
}
