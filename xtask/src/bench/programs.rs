//! What is measured and what measures, built as users get it: static releases.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::size::Size;
use crate::{ebpf, shell, static_build};

/// The programs of a benchmark.
pub struct Programs {
    pub hostnet: PathBuf,
    /// The live tests' programs, `load` among them, which runs in the container.
    harness: PathBuf,
    /// hostnet-user's programs that need no kernel.
    examples: PathBuf,
    /// `None` without a toolchain for eBPF.
    pub floor: Option<Floor>,
}

/// The least that can watch: a loader and the object it loads.
pub struct Floor {
    pub consumer: PathBuf,
    pub object: PathBuf,
}

const FLOOR: &str = "hostnet-floor";

impl Programs {
    /// Built for this; `hostnet` may be another one. A smoke takes what the tests built.
    pub fn find(size: Size, hostnet: Option<&Path>) -> Result<Self> {
        if size == Size::Smoke { Self::of_tests(hostnet) } else { Self::build(hostnet) }
    }

    fn build(hostnet: Option<&Path>) -> Result<Self> {
        let hostnet = match hostnet {
            Some(path) => path
                .canonicalize()
                .with_context(|| format!("{} cannot be measured", path.display()))?,
            None => static_build::hostnet()?,
        };
        // Some of them start others of them.
        shell::run(static_build::cargo("build", "hostnet-tests")?.arg("--bins"))?;
        shell::run(static_build::cargo("build", "hostnet-user")?.arg("--examples"))?;
        let release = static_build::directory()?;
        let mut consumer = static_build::cargo("build", FLOOR)?;
        let floor = floor(consumer.arg("--bins"), release.join(FLOOR))?;
        Ok(Self { hostnet, examples: release.join("examples"), harness: release, floor })
    }

    /// The live tests' programs are beside hostnet (the static release), the examples
    /// where `cargo test` puts them.
    fn of_tests(hostnet: Option<&Path>) -> Result<Self> {
        let hostnet = match hostnet {
            Some(path) => path.to_owned(),
            None => static_build::directory()?.join("hostnet"),
        };
        let harness = hostnet.parent().map(Path::to_owned).unwrap_or_default();
        let target = env::var_os("CARGO_BUILD_TARGET").unwrap_or_default();
        let debug = shell::target_dir().join(target).join("debug");
        let examples = debug.join("examples");
        for program in [&hostnet, &harness.join("load"), &examples.join("record_rate")] {
            if !program.exists() {
                bail!("{} is not built; cargo xtask test builds it", program.display());
            }
        }
        // With the features that `cargo test` builds with, so that only this is new.
        let mut consumer = shell::cargo();
        consumer.args(["build", "--quiet", "--bin", FLOOR]);
        for package in ["hostnet-ebpf", "hostnet-user", "xtask", FLOOR] {
            consumer.args(["--package", package]);
        }
        let floor = floor(&mut consumer, debug.join(FLOOR))?;
        Ok(Self { hostnet, harness, examples, floor })
    }

    /// A program of the live tests' harness.
    pub fn harness(&self, name: &str) -> PathBuf {
        self.harness.join(name)
    }

    /// Asks a program of the harness, which starts agents by itself.
    pub fn ask<T: DeserializeOwned>(&self, name: &str, words: &[&str]) -> Result<T> {
        let mut command = shell::command(self.harness(name));
        command.args(words).env("HOSTNET_BIN", &self.hostnet);
        // A million events may be a while on their way.
        answer(command.env("HOSTNET_TESTS_PATIENCE", "5"))
    }

    /// Asks a program of the record.
    pub fn ask_example<T: DeserializeOwned>(&self, name: &str, words: &[&str]) -> Result<T> {
        answer(shell::command(self.examples.join(name)).args(words))
    }
}

/// What a program says in its last line, as JSON; what else it says may be seen.
fn answer<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let shown = shell::shown(command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("`{shown}` could not be started"))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}", output.status);
    }
    let line = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default();
    serde_json::from_slice(line)
        .with_context(|| format!("`{shown}` said \"{}\"", line.escape_ascii()))
}

fn floor(build: &mut Command, consumer: PathBuf) -> Result<Option<Floor>> {
    let Some(toolchain) = ebpf::find_toolchain()? else {
        eprintln!("no eBPF toolchain for the floor; cargo xtask ebpf --install gets one");
        return Ok(None);
    };
    let object = ebpf::throwaway(FLOOR, &toolchain)?;
    shell::run(build)?;
    Ok(Some(Floor { consumer, object }))
}
