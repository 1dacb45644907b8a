//! hostnet as users run it: `hostnet agent` with a file for a sink.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio, id},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    Bench,
    lines::{Lines, Seen},
    machine::{self, MEMORY, WATCHER_CPU},
};
use crate::shell;

/// How long anything may take that the agent does in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The agent writes at least this often when there is something to write.
const LONGEST_PAUSE: Duration = Duration::from_millis(70);

/// An agent that runs; killed when dropped.
pub struct Agent {
    child: Child,
    messages: PathBuf,
    /// What it wrote.
    pub lines: Lines,
    pub began: Instant,
    /// Removed when dropped: until then the sink looks there for its file.
    _directory: Directory,
}

/// Memory of the agent's process, KiB, as /proc tells it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// `VmRSS`
    pub resident_kib: u64,
    /// `RssAnon`
    pub anonymous_kib: u64,
    /// `RssFile`: the program, and what is mapped of the ring.
    pub file_kib: u64,
    /// `VmHWM`: the most that was ever resident.
    pub peak_kib: u64,
}

impl Agent {
    /// Returns once the agent observes, can name containers, and has calmed down.
    pub fn start(bench: &Bench) -> Result<Self> {
        let mut agent = Self::begin(bench)?;
        agent.wait_for("did not say that it observes", |seen| seen.started && seen.can_name)?;
        // Processes and cgroups of the host are looked at now.
        sleep(Duration::from_millis(200));
        agent.settle()?;
        Ok(agent)
    }

    /// Returns as soon as the agent is a process.
    pub fn begin(bench: &Bench) -> Result<Self> {
        let directory = Directory::make()?;
        let (config, events, messages) =
            (directory.file("agent.toml"), directory.file("events"), directory.file("messages"));
        let second = bench.second_sink.map(|format| {
            format!("[[sink]]\ntype = \"file\"\npath = \"/dev/null\"\nformat = \"{format}\"\n")
        });
        fs::write(
            &config,
            format!(
                "[observe]\nevents_per_second = 0\n[history]\nenabled = false\n[[sink]]\ntype = \"file\"\npath = \"{}\"\n{}[docker]\nhost = \"{}\"\n",
                events.display(),
                second.unwrap_or_default(),
                bench.container.docker_host()
            ),
        )?;
        // Its sink appends to the file that is there.
        let file = File::options().read(true).write(true).create_new(true).open(&events)?;
        let lines = Lines::of(file, &bench.container.id);
        let mut command = shell::command(&bench.programs.hostnet);
        command.arg("agent").arg("--config").arg(config);
        command.stdin(Stdio::null()).stderr(File::create(&messages)?);
        let began = Instant::now();
        let child = machine::on_cpu(WATCHER_CPU, || command.spawn())?
            .with_context(|| format!("{} cannot be started", bench.programs.hostnet.display()))?;
        Ok(Self { child, messages, lines, began, _directory: directory })
    }

    /// Waits until the agent has told something.
    pub fn wait_for(&mut self, otherwise: &str, told: impl Fn(&Seen) -> bool) -> Result<()> {
        loop {
            self.lines.poll()?;
            if told(&self.lines.seen) {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() || self.began.elapsed() > PATIENCE {
                bail!("hostnet agent {otherwise}: {}", self.said());
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Waits until everything that happened has been written: nothing comes, and the agent does
    /// nothing either.
    pub fn settle(&mut self) -> Result<()> {
        let (mut quiet, mut spent, began) = (0, self.cpu()?, Instant::now());
        while quiet < 2 {
            if began.elapsed() > PATIENCE {
                bail!("hostnet agent did not come to rest: {}", self.said());
            }
            sleep(LONGEST_PAUSE);
            let now = self.cpu()?;
            let is_busy = self.lines.poll()? > 0 || now - spent > LONGEST_PAUSE / 4;
            quiet = if is_busy { 0 } else { quiet + 1 };
            spent = now;
        }
        Ok(())
    }

    /// Ends it as a service manager does, and returns all it has told.
    pub fn stop(mut self) -> Result<Seen> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            self.lines.poll()?;
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                bail!("hostnet agent did not end within {PATIENCE:?}");
            }
            sleep(Duration::from_millis(5));
        };
        if !status.success() {
            bail!("hostnet agent ended with {status}: {}", self.said());
        }
        self.lines.poll()?;
        Ok(std::mem::take(&mut self.lines.seen))
    }

    /// Its messages.
    fn said(&self) -> String {
        fs::read_to_string(&self.messages).unwrap_or_default().trim().to_owned()
    }

    /// CPU time of all its threads so far.
    pub fn cpu(&self) -> Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = thread?.path().join("schedstat");
            let text = fs::read_to_string(&path).unwrap_or_default();
            total += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
        if total == 0 {
            bail!("this kernel keeps no /proc/PID/schedstat (CONFIG_SCHED_INFO)");
        }
        Ok(Duration::from_nanos(total))
    }

    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
        };
        Ok(Memory {
            resident_kib: field("VmRSS"),
            anonymous_kib: field("RssAnon"),
            file_kib: field("RssFile"),
            peak_kib: field("VmHWM"),
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Where an agent's files are, in memory.
struct Directory(PathBuf);

const PREFIX: &str = "hostnet-bench-";

impl Directory {
    fn make() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        if count == 0 {
            remove_left()?;
        }
        let path = PathBuf::from(MEMORY).join(format!("{PREFIX}{}-{count}", id()));
        fs::create_dir(&path).with_context(|| format!("{} could not be made", path.display()))?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

/// Removes what benchmarks left that were interrupted.
fn remove_left() -> Result<()> {
    for entry in fs::read_dir(MEMORY)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _gone_already = fs::remove_dir_all(path);
        }
    }
    Ok(())
}
