//! A Podman of the test's own, in a directory of its own: root's, or a plain user's.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{actor::Actor, docker::Docker, image, skip, user::User, wait_for};

/// The image of [`crate::IMAGE`], as this Podman has it.
pub const PODMAN_IMAGE: &str = "localhost/hostnet-test/box:1";

/// Its containers, its API and its files are gone when it is dropped.
pub struct Podman {
    directory: TempDir,
    user: Option<User>,
    service: Option<Child>,
}

impl Podman {
    /// Whether this machine has Podman; says so when not.
    pub fn is_installed() -> bool {
        let installed = Command::new("podman").arg("--version").stdout(Stdio::null()).status();
        let is = installed.is_ok_and(|status| status.success());
        if !is {
            skip("no podman here (Debian: apt-get install podman runc)");
        }
        is
    }

    /// Root's, with its API.
    pub fn start() -> Self {
        Self::begin(None)
    }

    /// A plain user's, with its API: without any privilege on the host.
    pub fn rootless() -> Self {
        Self::begin(Some(User::plain()))
    }

    fn begin(user: Option<User>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut podman = Self { directory, user, service: None };
        let limits =
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        std::fs::write(podman.path("containers.conf"), limits).expect("a file");
        let root = tempfile::tempdir().expect("a temporary directory");
        image::fill(root.path());
        let archive = podman.path("image.tar");
        let status = Command::new("tar")
            .args(["-c", "-f", &archive, "-C"])
            .arg(root.path())
            .arg(".")
            .status()
            .expect("tar can be started");
        assert!(status.success(), "tar: {status}");
        if let Some(user) = &podman.user {
            user.takes(podman.directory.path());
        }
        podman.run(&["import", "--change", "ENV PATH=/bin", &archive, PODMAN_IMAGE]);
        let mut command = podman.command();
        command.args(["system", "service", "--time=0", &podman.host()]).stderr(Stdio::null());
        podman.service = Some(command.spawn().expect("podman can be started"));
        wait_for("Podman's socket", || Path::new(&podman.path("podman.sock")).exists());
        podman
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// The address of its API, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path("podman.sock"))
    }

    /// Whose it is, when it is not root's.
    pub fn user(&self) -> &User {
        self.user.as_ref().expect("it is a plain user's")
    }

    /// `podman …` with nothing of the machine's: no storage driver to choose, no
    /// systemd to ask for cgroups.
    pub fn command(&self) -> Command {
        let mut command = match &self.user {
            None => Command::new("podman"),
            Some(user) => user.command("podman"),
        };
        command.env("HOME", self.path("")).env("XDG_RUNTIME_DIR", self.path(""));
        // A pod's infra container takes no options.
        command.env("CONTAINERS_CONF", self.path("containers.conf"));
        // Somebody else's directory is none that it can go back to.
        command.current_dir(self.directory.path());
        for (option, name) in [("--root", "storage"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.args([option, &self.path(name)]);
        }
        command
            .args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"])
            // Of the two it knows, crun refuses hybrid hierarchies.
            .args(["--runtime", "runc"])
            .stdin(Stdio::null());
        command
    }

    /// Runs `podman WORDS` to its end and returns its output, trimmed.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.command().args(words).output().expect("podman can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {words:?}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// An actor in a host-network container of this name.
    pub fn actor(&self, name: &str) -> Actor {
        let mut command = self.command();
        command.args(["run", "--rm", "--interactive", "--network=host", "--name", name]);
        command.args(LIMITS).args(["--label", "team=blue", "--label", &Docker::label()]);
        command.args([PODMAN_IMAGE, "/actor", "repl"]);
        Actor::started(command)
    }

    /// A pod in the host's network; the id of its infra container.
    pub fn pod(&self, name: &str) -> String {
        let infra = ["--infra-image", PODMAN_IMAGE, "--infra-command", "/bin/sleep 1000"];
        let how = ["pod", "create", "--network=host", "--name", name];
        self.run(&[how.as_slice(), &infra].concat());
        self.run(&["pod", "start", name]);
        self.run(&["pod", "inspect", "--format", "{{.InfraContainerID}}", name])
    }

    /// An actor in a container of a pod.
    pub fn actor_in(&self, pod: &str, name: &str) -> Actor {
        let mut command = self.command();
        command.args(["run", "--rm", "--interactive", "--pod", pod, "--name", name]);
        command.args(LIMITS).args(["--label", &Docker::label(), PODMAN_IMAGE, "/actor", "repl"]);
        Actor::started(command)
    }

    /// Builds an image of a directory with a Dockerfile, its steps in the host's network.
    pub fn build(&self, isolation: &str, directory: &Path) {
        let directory = directory.to_str().expect("UTF-8");
        let [files, processes] = LIMITS;
        let how = ["build", "--network=host", "--isolation", isolation, files, processes];
        self.run(&[how.as_slice(), &[directory]].concat());
    }
}

/// Podman's defaults are more than this machine may have.
const LIMITS: [&str; 2] = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["pod", "rm", "--force", "--all", "--time=0"]).output();
        let _ = self.command().args(["rm", "--force", "--all", "--time=0"]).output();
        if let Some(service) = &mut self.service {
            kill_process(Pid::from_child(service), Signal::TERM).expect("our own child");
            let _ = service.wait();
        }
        if self.user.is_some() {
            // A process of its own keeps its namespaces until it is told not to.
            let _ = self.command().args(["system", "migrate"]).output();
        }
    }
}
