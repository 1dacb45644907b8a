//! The Docker daemon tests use, through Docker's own command line.

use std::{
    env,
    ffi::OsStr,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    bare,
    daemon::Daemon,
    image::{self, IMAGE},
    rootless::Rootless,
};

/// The label that every container of this test program has, so that another
/// program's containers on the same host are told apart.
const LABEL: &str = "hostnet.test";

/// A daemon that answers. Clones are the same daemon.
#[derive(Clone)]
pub struct Docker(Arc<Inner>);

struct Inner {
    host: String,
    daemon: Option<Mutex<Daemon>>,
    _rootless: Option<Rootless>,
}

impl Docker {
    /// The daemon of this test program: `DOCKER_HOST` or the default socket when
    /// one answers there, else one of our own, which ends with this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Docker> = OnceLock::new();
        SHARED.get_or_init(|| {
            if bare::is_chosen() {
                return Self::of(bare::NO_DOCKER.to_owned(), None, None);
            }
            let host = env::var("DOCKER_HOST").unwrap_or("unix:///var/run/docker.sock".into());
            if host.starts_with("unix://") && answers(&host) {
                Self::at(host, None)
            } else {
                let mut daemon = Daemon::with_options(&["--with-bridge"]);
                daemon.start();
                Self::at(daemon.host(), Some(daemon))
            }
        })
    }

    /// A daemon of the test's own, started, that may be restarted while its
    /// containers run.
    pub fn restartable() -> Self {
        assert!(!bare::is_chosen(), "this needs Docker: say needs_docker!");
        Self::with_options(&["--live-restore"])
    }

    /// A daemon of the test's own with options of its own, started.
    pub fn with_options(options: &[&str]) -> Self {
        let mut daemon = Daemon::with_options(options);
        daemon.start();
        Self::at(daemon.host(), Some(daemon))
    }

    /// A daemon of the test's own, started, that serves published ports by docker-proxy.
    pub fn publishing() -> Self {
        assert!(!bare::is_chosen(), "this needs Docker: say needs_docker!");
        Self::with_options(&["--with-bridge", "--userland-proxy=true"])
    }

    /// A plain user's, started; [`Rootless::is_possible`] says whether there can be one.
    pub fn rootless() -> Self {
        let rootless = Rootless::start();
        let docker = Self::of(rootless.host(), None, Some(rootless));
        import(&docker);
        docker
    }

    fn of(host: String, daemon: Option<Daemon>, rootless: Option<Rootless>) -> Self {
        Self(Arc::new(Inner { host, daemon: daemon.map(Mutex::new), _rootless: rootless }))
    }

    /// Whether containers are started without Docker.
    pub(crate) fn is_bare(&self) -> bool {
        self.0.host == bare::NO_DOCKER
    }

    fn at(host: String, daemon: Option<Daemon>) -> Self {
        let docker = Self::of(host, daemon, None);
        import(&docker);
        docker
    }

    /// The daemon's address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The daemon behind it, when it is the tests' own.
    pub fn daemon(&self) -> MutexGuard<'_, Daemon> {
        let daemon = self.0.daemon.as_ref().expect("this daemon is not the tests' own");
        daemon.lock().expect("no test panicked while it held the daemon")
    }

    /// `docker …` against this daemon, with no configuration of the user's.
    pub fn command(&self) -> Command {
        assert!(!self.is_bare(), "this needs Docker: say needs_docker!");
        command_for(&self.0.host)
    }

    /// Runs `docker ARGUMENTS` to its end and returns its output, trimmed.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let output = self
            .command()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("docker can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker: {} {error}", output.status);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The label of this test program's containers.
    pub fn label() -> String {
        format!("{LABEL}={}", std::process::id())
    }

    /// A name no other container has.
    pub fn fresh_name(kind: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("hnt-{kind}-{}-{count}", std::process::id())
    }
}

fn import(docker: &Docker) {
    import_as(docker, IMAGE, &[]);
}

/// Imports it under another name, changed by these lines of a Dockerfile.
pub fn import_as(docker: &Docker, name: &str, changes: &[String]) {
    let root = tempfile::tempdir().expect("a temporary directory");
    image::fill(root.path());
    let mut tar = Command::new("tar")
        .args(["--owner=0", "--group=0", "-C"])
        .arg(root.path())
        .args(["-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .expect("tar can be started");
    let archive = tar.stdout.take().expect("piped");
    let output = docker
        .command()
        .args(["import", "--change", "ENV PATH=/bin"])
        .args(changes.iter().flat_map(|change| ["--change", change]))
        .args(["-", name])
        .stdin(archive)
        .output()
        .expect("docker can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(tar.wait().expect("tar ends").success(), "tar failed");
}

fn command_for(host: &str) -> Command {
    let mut command = Command::new("docker");
    command
        .env("DOCKER_HOST", host)
        .env("DOCKER_CONFIG", "/nonexistent")
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_TLS_VERIFY");
    command
}

fn answers(host: &str) -> bool {
    command_for(host)
        .args(["version", "--format", "{{.Server.Version}}"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
