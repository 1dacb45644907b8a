//! A Docker daemon without privileges: a plain user's, in namespaces of its own. Its
//! network has loopback alone, where others have a tunnel through a process of the
//! user's: nothing it does can leave the machine.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{daemon::ISOLATED, skip, user::User, wait_for};

/// Its containers and its files are gone when it is dropped.
pub struct Rootless {
    directory: TempDir,
    kit: Child,
}

/// What becomes of the daemon's own root: `$1` is its directory, then come its options.
const DAEMON: &str = "
    ip link set lo up
    rm -f /run/docker /run/containerd /run/xtables.lock
    directory=$1
    shift
    exec dockerd --rootless --bridge=none --storage-driver=vfs \\
        --host=unix://$directory/docker.sock --data-root=$directory/data \\
        --exec-root=$directory/exec --pidfile=$directory/pid \"$@\"";

/// Ids for whom `nobody` makes, whatever ids this machine has for others, and then the
/// words after `$1`.
const WITH_IDS: &str = "
    set -e
    for file in subuid subgid; do
        echo nobody:200000:65536 >$1/$file
        mount --bind $1/$file /etc/$file
    done
    shift
    exec \"$@\"";

impl Rootless {
    /// Whether this machine can have one; says so when not.
    pub fn is_possible() -> bool {
        let kit = Command::new("rootlesskit").arg("--version").stdout(Stdio::null()).status();
        let is = kit.is_ok_and(|status| status.success()) && Path::new("/etc/subuid").exists();
        if !is {
            skip("no rootlesskit here (Debian: apt-get install rootlesskit uidmap)");
        }
        is
    }

    /// Returns once it answers.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let user = User::nobody();
        user.takes(directory.path());
        let path = directory.path().display().to_string();
        let kit = user.command("rootlesskit");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", WITH_IDS, "sh", &path]);
        command.arg(kit.get_program()).args(["--pdeathsig", "TERM"]).args(kit.get_args());
        command.args(["--net=host", "--copy-up=/etc", "--copy-up=/run"]);
        command.args(["--state-dir", &format!("{path}/kit")]);
        command.args(["unshare", "--net", "sh", "-c", DAEMON, "sh", &path]).args(ISOLATED);
        command.env("HOME", &path).env("XDG_RUNTIME_DIR", &path).current_dir(&path);
        let log = fs::File::create(directory.path().join("log")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let kit = command.spawn().expect("unshare can be started");
        let rootless = Self { directory, kit };
        let socket = rootless.directory.path().join("docker.sock");
        let is_up = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
        wait_for(&format!("rootless Docker, whose words are in {path}/log"), is_up);
        rootless
    }

    /// Its address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.directory.path().display())
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        // Its child ends with it, and whoever that child began.
        kill_process(Pid::from_child(&self.kit), Signal::TERM).expect("our own child");
        let _ = self.kit.wait();
    }
}
