//! Owns a Docker daemon for a test process, and outlives it just long enough to
//! take the daemon away: when standard input ends, whatever the reason, the
//! daemon, its containers, its mounts, its bridge and its directory are gone.
//!
//! `guard DIR [--with-bridge] [DOCKERD OPTIONS…]`, then one of `start`, `stop`, `kill` per line;
//! each is answered by one line, `ok` or what went wrong.

use std::{
    fs,
    io::{self, BufRead as _, Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process};

/// How long a daemon may take to come or to go.
fn longest() -> Duration {
    3 * hostnet_tests::patience()
}

fn main() {
    // What dies with the daemon is ours to bury: the next one takes a dead
    // containerd for a living one until somebody has.
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).expect("Linux 3.4 or newer");
    let mut arguments = std::env::args_os().skip(1);
    let directory = PathBuf::from(arguments.next().expect("usage: guard DIR [OPTIONS…]"));
    let mut options: Vec<String> =
        arguments.map(|option| option.into_string().expect("UTF-8")).collect();
    let with_bridge = options.iter().position(|option| option == "--with-bridge");
    let bridge = with_bridge.map(|at| {
        options.remove(at);
        Bridge::make()
    });
    options.push(format!("--bridge={}", bridge.as_ref().map_or("none", |bridge| &bridge.0)));
    let mut daemon = Daemon { options, directory, bridge, child: None };
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let result = match line.as_str() {
            "start" => daemon.start(),
            "stop" => daemon.end(Signal::TERM),
            "kill" => daemon.end(Signal::KILL),
            other => Err(format!("no such order: {other}")),
        };
        let mut answer = result.err().map_or("ok".to_owned(), |error| error.replace('\n', " | "));
        answer.push('\n');
        if io::stdout().write_all(answer.as_bytes()).and_then(|()| io::stdout().flush()).is_err() {
            break;
        }
    }
    daemon.remove();
}

/// A bridge of our own: `docker0` may be another daemon's, or one that is being
/// taken away by the guard before us.
struct Bridge(String);

impl Bridge {
    fn make() -> Self {
        let own = std::process::id();
        let name = format!("hnt{own}");
        let address = format!("10.213.{}.1/24", own % 251);
        ip(&["link", "add", &name, "type", "bridge"]);
        ip(&["address", "add", &address, "dev", &name]);
        ip(&["link", "set", &name, "up"]);
        Self(name)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        ip(&["link", "delete", &self.0]);
    }
}

fn ip(words: &[&str]) {
    let status = Command::new("busybox").arg("ip").args(words).stdin(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("busybox: {error}"));
    assert!(status.success(), "ip {words:?}: {status}");
}

struct Daemon {
    directory: PathBuf,
    options: Vec<String>,
    bridge: Option<Bridge>,
    child: Option<Child>,
}

impl Daemon {
    fn socket(&self) -> PathBuf {
        self.directory.join("docker.sock")
    }

    fn start(&mut self) -> Result<(), String> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("dockerd.log"))
            .map_err(|error| format!("dockerd.log: {error}"))?;
        let path = |name: &str| self.directory.join(name);
        let child = Command::new("dockerd")
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("docker.pid"))
            .arg(format!("--host=unix://{}", self.socket().display()))
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("dockerd: {error} (Debian: apt-get install docker.io)"))?;
        self.child = Some(child);
        let deadline = Instant::now() + longest();
        while !self.answers() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || Instant::now() > deadline {
                return Err(format!("dockerd did not come up; {}", self.end_of_log()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = UnixStream::connect(self.socket()) else { return false };
        let mut answer = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains("200 OK")
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.directory.join("dockerd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn end(&mut self, signal: Signal) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Err("no daemon runs".into()) };
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).map_err(|error| error.to_string())?;
        let deadline = Instant::now() + longest();
        loop {
            match child.try_wait() {
                Ok(Some(_)) => return self.bury_containerd(deadline),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                Ok(None) => {
                    let _ = child.kill();
                    return Err("dockerd did not end".into());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn bury_containerd(&self, deadline: Instant) -> Result<(), String> {
        let file = self.directory.join("exec/containerd/containerd.pid");
        let Ok(pid) = fs::read_to_string(file) else { return Ok(()) };
        let process = Path::new("/proc").join(pid.trim());
        while process.exists() {
            while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
            if Instant::now() > deadline {
                return Err("containerd did not end".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Everything the daemon left behind, shims and containers first.
    fn remove(mut self) {
        let _ = self.end(Signal::TERM);
        for pid in self.leftovers() {
            let _ = kill_process(pid, Signal::KILL);
        }
        for mount in self.mounts() {
            let _ = rustix::mount::unmount(mount, rustix::mount::UnmountFlags::DETACH);
        }
        self.bridge = None;
        let _ = fs::remove_dir_all(&self.directory);
    }

    /// Processes whose command line names this daemon's own directory (shims and
    /// containerd), and the children of those (containers).
    fn leftovers(&self) -> Vec<Pid> {
        let mine = self.directory.as_os_str().as_bytes();
        let own = std::process::id();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let command_line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if pid == own || !command_line.windows(mine.len()).any(|window| window == mine) {
                continue;
            }
            let program = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
            let program = String::from_utf8_lossy(program);
            let program = program.rsplit('/').next().unwrap_or_default();
            let shim = program.starts_with("containerd-shim");
            let children = entry.path().join(format!("task/{pid}/children"));
            let children = fs::read_to_string(children).unwrap_or_default();
            if shim {
                found.extend(
                    children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()),
                );
            }
            if shim || program == "containerd" {
                found.push(pid as i32);
            }
        }
        found.into_iter().filter_map(Pid::from_raw).collect()
    }

    fn mounts(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let mine = self.directory.to_string_lossy();
        let mut points: Vec<String> = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|point| point.starts_with(&*mine))
            .map(str::to_owned)
            .collect();
        points.reverse();
        points
    }
}
