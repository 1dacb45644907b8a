//! A receiver of somebody else's, as a plain process on a port of loopback, with a
//! directory of its own for what it keeps.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{net, patience, skip, wait_for};

/// A server; killed when dropped.
pub struct Server {
    name: String,
    command: Command,
    child: Option<Child>,
    directory: TempDir,
    /// The port it listens on.
    pub port: u16,
}

impl Server {
    /// Whether this machine has all of these programs; says so when not.
    pub fn are_installed(programs: &[(&str, &str)]) -> bool {
        let has = |program: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
            directories.push("/usr/sbin".into());
            directories.iter().any(|directory| directory.join(program).exists())
        };
        let missing = programs.iter().find(|(program, _)| !has(program));
        if let Some((program, package)) = missing {
            skip(&format!("no {program} here (Debian: apt-get install {package})"));
        }
        missing.is_none()
    }

    /// Starts `command`, which is made with the directory and the port, and waits
    /// until it listens. It must not go to the background.
    pub fn start(name: &str, command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let mut server = Self::prepare(name, command);
        server.resume();
        server
    }

    /// The same, not started yet.
    pub fn prepare(name: &str, command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = net::closed_port();
        let mut command = command(directory.path(), port);
        command.current_dir(directory.path());
        Self { name: name.to_owned(), command, child: None, directory, port }
    }

    /// Kills it: what it had in memory is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        wait_for(&format!("the end of {}", self.name), || gone(pid));
        let _ = child.wait();
    }

    /// Starts a server that chooses its port itself, and says it on standard error.
    pub fn start_where_it_likes(
        name: &str,
        command: impl FnOnce(&Path) -> Command,
        port_in: impl Fn(&str) -> Option<u16>,
    ) -> Self {
        let mut server = Self::prepare(name, |directory, _| command(directory));
        server.spawn();
        let said = || port_in(&fs::read_to_string(server.file("stderr")).unwrap_or_default());
        wait_for(&format!("the port of {name}"), || said().is_some());
        server.port = said().expect("it was there");
        server
    }

    /// Starts it (again), on the same port and with the same directory.
    pub fn resume(&mut self) {
        self.spawn();
        let port = self.port;
        wait_for(&self.name, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    fn spawn(&mut self) {
        let [out, err] =
            ["stdout", "stderr"].map(|name| fs::File::create(self.file(name)).expect("a log"));
        self.command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = self.command.spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{:?}: {error}", self.command)));
    }

    /// A file in its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The lines of one of its files, once there are at least so many.
    pub fn lines(&self, name: &str, count: usize) -> Vec<Vec<u8>> {
        let path = self.file(name);
        let read = || lines_of(&fs::read(&path).unwrap_or_default());
        let deadline = std::time::Instant::now() + patience();
        while read().len() < count && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let lines = read();
        let log = fs::read_to_string(self.file("stderr")).unwrap_or_default();
        assert!(lines.len() >= count, "{} has {} of {count} lines\n{log}", self.name, lines.len());
        lines
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lines that are complete, without what ends them.
pub fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    // What follows the last newline.
    lines.pop();
    lines
}

/// Whether a child has ended, though nobody has waited for it.
fn gone(pid: rustix::process::Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    status.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

/// An authority, and certificates of a server at 127.0.0.1 and of a client by it:
/// `ca.pem`, `server.pem`, `server-key.pem`, `client.pem`, `client-key.pem`.
pub fn certificates(directory: &Path) {
    fs::create_dir_all(directory).expect("a directory");
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).current_dir(directory).output();
        let output = output.expect("openssl can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words:?}: {error}");
    };
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
    let ca = ["/CN=hostnet-test", "-keyout", "ca-key.pem", "-out", "ca.pem"];
    openssl(&[&new[..], &ca].concat());
    for (name, uses) in [("server", "serverAuth"), ("client", "clientAuth")] {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}-key.pem"));
        let (name, uses) = (format!("/CN={name}"), format!("extendedKeyUsage={uses}"));
        let by =
            ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "subjectAltName=IP:127.0.0.1"];
        let of = [&name, "-keyout", &key, "-out", &certificate, "-addext", &uses];
        let no_authority = ["-addext", "basicConstraints=critical,CA:FALSE"];
        openssl(&[&new[..], &of, &by, &no_authority].concat());
    }
}
