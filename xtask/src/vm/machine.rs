//! A VM: a kernel, its first root, and a plan of programs to run in it.
//!
//! This is what everything that needs another kernel is built on; it knows
//! nothing of tests. `tests/src/bin/init` is the other half: it runs the plan
//! inside and reports on the second serial port.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::kernel::Kernel;
use super::modules::Modules;
use super::report::Report;
use super::tree::Tree;
use crate::shell;

/// Until the first program runs, and after the last, on a busy machine without
/// hardware virtualisation.
const BOOT: Duration = Duration::from_secs(300);

/// A program to run in a VM.
#[derive(Serialize)]
pub struct Program {
    /// What the report calls it.
    pub name: String,
    /// Its words, the first a path in the VM.
    pub command: Vec<String>,
    /// What it has in its environment, beside what init has.
    pub environment: std::collections::BTreeMap<String, String>,
    /// Seconds after which it is killed.
    pub deadline: u64,
}

/// A VM before it is booted.
pub struct Machine<'a> {
    pub kernel: &'a Kernel,
    /// Its files, but for init's plan and the modules. `/init` must be among them.
    pub tree: Tree,
    /// Modules to load, by name; those built in are passed over.
    pub modules: &'a [&'a str],
    /// Further words of the kernel's command line.
    pub parameters: Vec<String>,
    /// A file system that `hostnet.root` names as `/dev/vda`; changes are forgotten.
    pub disk: Option<PathBuf>,
    /// How many processors, and megabytes of memory.
    pub size: (u32, u32),
    /// The accelerator and whatever else QEMU is to be told.
    pub qemu: &'a [&'a str],
    /// Where `console.log` and `report.log` are left.
    pub logs: PathBuf,
}

#[derive(Serialize)]
struct Plan<'a> {
    modules: Vec<String>,
    programs: &'a [Program],
}

impl Machine<'_> {
    /// Boots it, lets it run its programs, and reads its report once it is off.
    pub fn run(&self, programs: &[Program]) -> Result<Report> {
        let _ = fs::remove_dir_all(&self.logs);
        fs::create_dir_all(&self.logs)
            .with_context(|| format!("cannot create {}", self.logs.display()))?;
        let mut tree = self.tree.clone();
        let modules = Modules::of(self.kernel)?.add_to(&mut tree, self.modules)?;
        tree.file("/plan.json", serde_json::to_vec(&Plan { modules, programs })?);
        let archive = self.logs.join("initramfs.cpio");
        tree.write_archive(&archive)?;
        let deadline = BOOT + Duration::from_secs(programs.iter().map(|p| p.deadline).sum());
        let ended = self.boot(&archive, deadline);
        // It is large, and made anew each time.
        fs::remove_file(&archive)?;
        ended?;
        Report::read(&self.logs.join("report.log"))
    }

    fn boot(&self, archive: &Path, deadline: Duration) -> Result<()> {
        let serial = |name: &str| format!("file:{}", self.logs.join(name).display());
        let (processors, megabytes) = self.size;
        // A kernel that panics restarts, which ends QEMU.
        let line = format!("console=ttyS0 panic=-1 {}", self.parameters.join(" "));
        let mut qemu = shell::command("qemu-system-x86_64");
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-smp", &processors.to_string(), "-m", &megabytes.to_string()])
            .args(["-serial", &serial("console.log"), "-serial", &serial("report.log")])
            .args(self.qemu)
            .arg("-kernel")
            .arg(&self.kernel.image)
            .arg("-initrd")
            .arg(archive)
            .args(["-append", &line]);
        if let Some(disk) = &self.disk {
            let drive = format!("file={},format=raw,if=virtio,snapshot=on", disk.display());
            qemu.args(["-drive", &drive]);
        }
        let errors = fs::File::create(self.logs.join("qemu.log"))?;
        let mut child = qemu
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("qemu-system-x86_64 cannot be started")?;
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("QEMU ended with {status}; its messages are in {}", self.logs.display());
            }
            if began.elapsed() > deadline {
                child.kill()?;
                child.wait()?;
                // What it has reported until then still counts.
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
    }
}
