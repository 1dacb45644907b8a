//! A host service as a plain process, in the cgroup that systemd would have made
//! for it.

use std::{
    fs,
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{net, skip, wait_for};

/// A service that answers on a port of loopback; ended when dropped.
pub struct Service {
    child: Child,
    cgroup: PathBuf,
    _directory: TempDir,
    /// The unit its cgroup is named after.
    pub unit: String,
    /// The port it listens on.
    pub port: u16,
}

impl Service {
    /// Whether this machine has all of them; says so when not.
    pub fn are_installed() -> bool {
        let programs = ["/usr/bin/redis-server", "/usr/lib/postgresql", "/usr/sbin/sshd"];
        let missing = programs.into_iter().find(|program| !Path::new(program).exists());
        if let Some(program) = missing {
            skip(&format!("no {program} on this machine"));
        }
        missing.is_none()
    }

    /// Debian's redis-server.
    pub fn redis() -> Self {
        Self::start("redis-server", |_, port| {
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--port", port, "--save", ""]);
            command
        })
    }

    /// Debian's PostgreSQL, a cluster of its own.
    pub fn postgres() -> Self {
        let programs = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let newest = programs.map(|entry| entry.path().join("bin")).max();
        let programs = newest.expect("apt-get install postgresql");
        Self::start("postgresql", |directory, port| {
            rustix::fs::chown(directory, uid("postgres"), None).expect("root may give it away");
            let cluster = directory.join("cluster");
            let mut make = as_postgres(&programs.join("initdb"));
            make.arg("--no-sync").arg("--pgdata").arg(&cluster).current_dir(directory);
            let made = make.stdout(Stdio::null()).status().expect("initdb can be started");
            assert!(made.success(), "initdb: {made}");
            let mut command = as_postgres(&programs.join("postgres"));
            command.arg("-D").arg(&cluster).args(["-p", port, "-h", "127.0.0.1", "-k", ""]);
            command
        })
    }

    /// Debian's sshd, with a key of its own.
    pub fn sshd() -> Self {
        Self::start("ssh", |directory, port| {
            fs::create_dir_all("/run/sshd").expect("sshd's own directory");
            let key = directory.join("key");
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
            assert!(make.status().expect("ssh-keygen can be started").success());
            let mut command = Command::new("/usr/sbin/sshd");
            command.args(["-D", "-e", "-f", "/dev/null", "-o", "ListenAddress=127.0.0.1"]);
            command.args(["-p", port, "-h"]).arg(&key);
            command
        })
    }

    /// `command` gets a directory and the port; it must not go to the background.
    fn start(name: &str, command: impl FnOnce(&Path, &str) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = net::free_port();
        let unit = format!("{name}@hostnet-{}-{port}.service", std::process::id());
        let cgroup = v2_root().join("system.slice").join(&unit);
        fs::create_dir_all(&cgroup).expect("root may make a cgroup");
        let mut command = command(directory.path(), &port.to_string());
        let processes = fs::File::options().write(true).open(cgroup.join("cgroup.procs"));
        let processes = processes.expect("a cgroup");
        // SAFETY: write is async-signal-safe, and nothing else runs in the child.
        unsafe {
            command.pre_exec(move || {
                rustix::io::write(&processes, b"0")?;
                Ok(())
            });
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let service = Self { child, cgroup, _directory: directory, unit, port };
        wait_for(&service.unit, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        service
    }

    /// Process id of the process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = fs::write(self.cgroup.join("cgroup.kill"), "1");
        let _ = self.child.kill();
        let _ = self.child.wait();
        let cgroup = &self.cgroup;
        wait_for("the end of the service's processes", || fs::remove_dir(cgroup).is_ok());
    }
}

fn v2_root() -> &'static Path {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let is_v2 = |root: &&Path| root.join("cgroup.procs").exists();
    roots.into_iter().find(is_v2).expect("cgroup v2 is mounted")
}

fn uid(user: &str) -> Option<rustix::process::Uid> {
    let output = Command::new("id").args(["-u", user]).output().expect("id can be started");
    let text = String::from_utf8(output.stdout).expect("a number");
    text.trim().parse().ok().map(rustix::process::Uid::from_raw)
}

fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
    command
}
