//! A Docker daemon of our own, in a directory of its own, held by `guard`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::paths::program;

/// Started and stopped at will; removed without trace when dropped, and also
/// when the test process dies.
pub struct Daemon {
    directory: PathBuf,
    guard: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Never touches the host's packet filter or forwarding: containers on the
/// bridge reach each other and the host, nothing else.
pub(crate) const ISOLATED: [&str; 6] = [
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    "--userland-proxy=false",
    "--shutdown-timeout=1",
];

impl Daemon {
    /// A daemon with options of dockerd, and `--with-bridge` if it is to have one;
    /// not yet started.
    pub fn with_options(options: &[&str]) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("hostnet-dockerd-")
            .tempdir()
            .expect("a temporary directory");
        let mut guard = Command::new(program("guard"))
            .arg(directory.path())
            .args(ISOLATED)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C on the terminal must not reach it before it has cleaned up.
            .process_group(0)
            .spawn()
            .expect("guard can be started");
        // From here on the guard removes it.
        let directory = directory.keep();
        let orders = guard.stdin.take();
        let answers = BufReader::new(guard.stdout.take().expect("piped"));
        Self { directory, guard, orders, answers }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("docker.sock")
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns once the daemon answers.
    pub fn start(&mut self) {
        self.order("start");
    }

    /// Returns once the daemon has ended, asked politely.
    pub fn stop(&mut self) {
        self.order("stop");
    }

    /// Returns once the daemon has ended, without warning.
    pub fn kill(&mut self) {
        self.order("kill");
    }

    fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("open until dropped");
        writeln!(orders, "{order}").expect("guard runs");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("guard runs");
        assert_eq!(answer.trim(), "ok", "docker daemon, {order}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.guard.wait();
    }
}
