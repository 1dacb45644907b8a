//! What runs in a VM: hostnet, the live test programs that the host runs too,
//! and what these need of an operating system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::tree::Tree;
use crate::{shell, static_build};

/// Static programs, by name.
pub struct Programs {
    hostnet: PathBuf,
    /// `actor`, `init` and the like.
    helpers: BTreeMap<String, PathBuf>,
    /// The live tests, by the name of their source file.
    pub tests: BTreeMap<String, PathBuf>,
}

/// Where tests look for programs: in the directory above their own.
const HELPERS: &str = "/hostnet";
const TESTS: &str = "/hostnet/deps";

/// What tests start by name and busybox does not have, or not with the options
/// they use.
const TOOLS: &[&str] = &["bash", "nsenter", "setpriv", "ss", "unshare"];

/// What busybox is asked for by tests, and by Docker's set-up.
const APPLETS: &[&str] = &[
    "awk", "cat", "chmod", "env", "grep", "head", "ip", "kill", "mkdir", "mount", "rm", "sh",
    "sleep", "tar", "timeout", "umount", "xargs",
];

/// Docker, what tests make its image with, and what may be the first process.
const DOCKER: &[&str] =
    &["containerd", "containerd-shim-runc-v2", "docker", "dockerd", "runc", "systemd", "tar"];

#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Target,
    profile: Profile,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Programs {
    /// Builds them all, exactly as `cargo xtask test` does.
    pub fn build() -> Result<Self> {
        let mut programs = Self {
            hostnet: static_build::hostnet()?,
            helpers: BTreeMap::new(),
            tests: BTreeMap::new(),
        };
        let mut cargo = static_build::cargo("test", "hostnet-tests")?;
        cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
        eprintln!("$ {}", shell::shown(&cargo));
        let output = cargo.stderr(Stdio::inherit()).output().context("cargo cannot be started")?;
        if !output.status.success() {
            bail!("`{}` failed", shell::shown(&cargo));
        }
        for line in output.stdout.split(|byte| *byte == b'\n') {
            // Cargo tells of many things; only programs have all of these.
            let Ok(artifact) = serde_json::from_slice::<Artifact>(line) else { continue };
            let Some(executable) = artifact.executable else { continue };
            let is = |kind: &str| artifact.target.kind.iter().any(|found| found == kind);
            if is("test") {
                programs.tests.insert(artifact.target.name, executable);
            } else if is("bin") && !artifact.profile.test {
                programs.helpers.insert(artifact.target.name, executable);
            }
        }
        if programs.tests.is_empty() || !programs.helpers.contains_key("init") {
            bail!("cargo has built no live tests");
        }
        Ok(programs)
    }

    /// Where a live test is in the VM.
    pub fn path(test: &str) -> String {
        format!("{TESTS}/{test}")
    }

    /// Where hostnet and the tests' helpers are in the VM.
    pub fn helper_path(name: &str) -> String {
        format!("{HELPERS}/{name}")
    }

    /// A first root that boots: init and busybox.
    pub fn minimal(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        for path in ["/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/etc"] {
            tree.directory(path);
        }
        tree.copy(self.helper("init")?, "/init");
        tree.program("busybox")?;
        for applet in APPLETS {
            tree.link(&format!("/bin/{applet}"), "busybox");
        }
        Ok(tree)
    }

    /// The same with hostnet, the tests, and what they start.
    pub fn with_tests(&self) -> Result<Tree> {
        let mut tree = self.minimal()?;
        for tool in TOOLS {
            tree.program(tool)?;
        }
        tree.copy(&self.hostnet, &format!("{HELPERS}/hostnet"));
        for (name, path) in &self.helpers {
            tree.copy(path, &format!("{HELPERS}/{name}"));
        }
        for (name, path) in &self.tests {
            tree.copy(path, &Self::path(name));
        }
        Ok(tree)
    }

    /// The same with this machine's Docker, for a disk.
    pub fn with_docker(&self) -> Result<Tree> {
        let mut tree = self.with_tests()?;
        for program in DOCKER {
            tree.program(program)?;
        }
        tree.directory("/var/lib");
        tree.link("/var/run", "/run");
        Ok(tree)
    }

    fn helper(&self, name: &str) -> Result<&Path> {
        self.helpers.get(name).map(PathBuf::as_path).with_context(|| format!("no program {name}"))
    }
}
