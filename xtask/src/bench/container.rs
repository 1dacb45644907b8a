//! A Docker daemon of our own, and on it one host-network container that is
//! the load and nothing else.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio, id},
};

use anyhow::{Context, Result, bail};

use super::{Load, Programs};
use crate::shell;

const IMAGE: &str = "hostnet-bench/load:1";
const NAME: &str = "hostnet-bench";

/// Leaves the host's packet filter, forwarding and bridges alone.
const ISOLATED: &[&str] = &[
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    "--shutdown-timeout=1",
];

/// The container; gone with its daemon when dropped, and when this process dies.
pub struct Container {
    /// Full id.
    pub id: String,
    pub load: Load,
    daemon: Daemon,
}

impl Container {
    pub fn start(programs: &Programs) -> Result<Self> {
        let daemon = Daemon::start(programs)?;
        daemon.import(programs)?;
        let mut run = daemon.docker();
        // Among the host's processes, so that the load can say its process id.
        run.args(["run", "--rm", "--interactive", "--network=host", "--pid=host"]);
        run.args(["--name", NAME, IMAGE, "/load"]);
        let load = Load::start(run).context("the load did not start in its container")?;
        let id = shell::capture(daemon.docker().args(["inspect", "--format={{.Id}}", NAME]))?;
        Ok(Self { id, load, daemon })
    }

    /// The daemon's address, as hostnet's configuration has it.
    pub fn docker_host(&self) -> String {
        self.daemon.host()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // At once, also in the middle of a load, which hears no orders then.
        let _gone_already = shell::capture(self.daemon.docker().args(["kill", NAME]));
    }
}

struct Daemon {
    directory: PathBuf,
    guard: Child,
    orders: Option<ChildStdin>,
}

impl Daemon {
    fn start(programs: &Programs) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("hostnet-bench-{}", id()));
        fs::create_dir_all(&directory)
            .with_context(|| format!("{} could not be made", directory.display()))?;
        let mut guard = shell::command(programs.harness("guard"))
            .arg(&directory)
            .args(ISOLATED)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C on the terminal must not reach it before it has cleaned up.
            .process_group(0)
            .spawn()
            .context("the guard of the Docker daemon could not be started")?;
        let orders = guard.stdin.take();
        let answers = guard.stdout.take().context("the guard has no output")?;
        let mut daemon = Self { directory, guard, orders };
        let mut answer = String::new();
        if let Some(orders) = &mut daemon.orders {
            orders.write_all(b"start\n")?;
        }
        BufReader::new(answers).read_line(&mut answer)?;
        if answer.trim() != "ok" {
            bail!("the Docker daemon did not start: {}", answer.trim());
        }
        Ok(daemon)
    }

    fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.directory.display())
    }

    /// `docker` against this daemon, with no configuration of the user's.
    fn docker(&self) -> Command {
        let mut docker = shell::command("docker");
        docker
            .env("DOCKER_HOST", self.host())
            .env("DOCKER_CONFIG", self.directory.join("no-configuration"))
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY");
        docker
    }

    fn import(&self, programs: &Programs) -> Result<()> {
        let image = self.directory.join("image");
        for directory in ["dev", "proc", "sys"] {
            fs::create_dir_all(image.join(directory))?;
        }
        fs::copy(programs.harness("load"), image.join("load"))?;
        let mut tar = shell::command("tar")
            .args(["--owner=0", "--group=0", "--create", "--directory"])
            .arg(&image)
            .arg(".")
            .stdout(Stdio::piped())
            .spawn()
            .context("tar could not be started")?;
        let archive = tar.stdout.take().context("tar has no output")?;
        shell::capture(self.docker().args(["import", "-", IMAGE]).stdin(archive))?;
        if !tar.wait()?.success() {
            bail!("tar failed");
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The guard takes everything away when nobody gives it orders any more.
        self.orders = None;
        let _gone = self.guard.wait();
    }
}
