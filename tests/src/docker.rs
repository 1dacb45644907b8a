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
    container::{ActorBox, Launch},
    daemon::Daemon,
    events::LABEL,
    image,
    rootless::Rootless,
};

/// A daemon that answers. Clones are the same daemon.
#[derive(Clone)]
pub struct Docker(Arc<Inner>);

struct Inner {
    host: String,
    // Dropped before the daemon it lives on.
    marker: OnceLock<Mutex<ActorBox>>,
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
                return Self::without_daemon(bare::NO_DOCKER);
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
        image::import(&docker);
        docker
    }

    fn without_daemon(host: &str) -> Self {
        Self::of(host.to_owned(), None, None)
    }

    fn of(host: String, daemon: Option<Daemon>, rootless: Option<Rootless>) -> Self {
        let (marker, daemon) = (OnceLock::new(), daemon.map(Mutex::new));
        Self(Arc::new(Inner { host, marker, daemon, _rootless: rootless }))
    }

    /// Whether containers are started without Docker.
    pub(crate) fn is_bare(&self) -> bool {
        self.0.host == bare::NO_DOCKER
    }

    fn at(host: String, daemon: Option<Daemon>) -> Self {
        let docker = Self::of(host, daemon, None);
        image::import(&docker);
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

    /// A container on `network`, to be described and started.
    pub fn launch(&self, network: &str) -> Launch {
        Launch::new(self.clone(), network)
    }

    /// A host-network container that lives as long as the test program, for
    /// operations that only mark a moment.
    pub fn marker(&self) -> &Mutex<ActorBox> {
        self.0.marker.get_or_init(|| {
            // The clone must not keep the daemon alive through its own container.
            let weak = Self::without_daemon(&self.0.host);
            Mutex::new(weak.launch("host").actor())
        })
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
