//! A Podman of the test's own, in a directory of its own: root's, or a plain user's.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Gid, Pid, Signal, Uid, kill_process};
use tempfile::TempDir;

use crate::{actor::Actor, docker::Docker, image, skip, wait_for};

/// The image of [`crate::IMAGE`], as this Podman has it.
pub const PODMAN_IMAGE: &str = "localhost/hostnet-test/box:1";

/// Its containers, its API and its files are gone when it is dropped.
pub struct Podman {
    directory: TempDir,
    user: Option<User>,
    service: Option<Child>,
}

/// Whose Podman it is, when it is not root's.
pub struct User {
    pub uid: u32,
    gid: u32,
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

impl User {
    /// One who has ids to give to containers, where there is one; else `nobody`,
    /// whose containers have a single one.
    fn plain() -> Self {
        let passwd = fs::read_to_string("/etc/passwd").expect("every machine has users");
        let with_ids = fs::read_to_string("/etc/subuid").unwrap_or_default();
        let has_tool = Path::new("/usr/bin/newuidmap").exists();
        let owners = with_ids.lines().filter_map(|line| line.split(':').next());
        let names = owners.filter(|_| has_tool).chain(["nobody"]);
        let of = |name: &str| {
            let is = |line: &&str| line.split(':').next() == Some(name);
            let mut words = passwd.lines().find(is)?.split(':').skip(2).map(str::parse);
            Some(Self { uid: words.next()?.ok()?, gid: words.next()?.ok()? })
        };
        let mut users = names.filter_map(of).filter(|user| user.uid != 0);
        users.next().expect("every machine has nobody")
    }

    /// `program …` as this user, without any capability and without other groups.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &self.uid.to_string(), "--regid", &self.gid.to_string()]);
        command.args(["--clear-groups", "--", program]);
        command
    }

    fn takes(&self, directory: &Path) {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::fs::chown(directory, Some(uid), Some(gid)).expect("root may give it away");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("chmod");
    }
}
