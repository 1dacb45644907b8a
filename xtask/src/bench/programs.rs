//! What is measured and what measures, built as users get it: static releases.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{ebpf, shell, static_build};

/// The programs of a benchmark.
pub struct Programs {
    pub hostnet: PathBuf,
    /// Runs in the container. Beside it are the harness's other programs.
    pub load: PathBuf,
    /// Owns the Docker daemon.
    pub guard: PathBuf,
    /// `None` without a toolchain for eBPF: then nothing is compared.
    pub floor: Option<Floor>,
}

/// The least that can watch: a loader and the object it loads.
pub struct Floor {
    pub consumer: PathBuf,
    pub object: PathBuf,
}

impl Programs {
    pub fn build(hostnet: Option<&Path>) -> Result<Self> {
        let hostnet = match hostnet {
            Some(path) => path
                .canonicalize()
                .with_context(|| format!("{} cannot be measured", path.display()))?,
            None => static_build::hostnet()?,
        };
        // Some of them start others of them.
        shell::run(static_build::cargo("build", "hostnet-tests")?.arg("--bins"))?;
        let release = shell::target_dir().join(shell::host_triple()?).join("release");
        Ok(Self {
            hostnet,
            load: release.join("load"),
            guard: release.join("guard"),
            floor: floor(&release)?,
        })
    }
}

fn floor(release: &Path) -> Result<Option<Floor>> {
    const PACKAGE: &str = "hostnet-floor";
    let Some(toolchain) = ebpf::find_toolchain()? else {
        eprintln!(
            "the floor is not measured: no eBPF toolchain; cargo xtask ebpf --install gets one"
        );
        return Ok(None);
    };
    let object = ebpf::throwaway(PACKAGE, &toolchain)?;
    shell::run(static_build::cargo("build", PACKAGE)?.arg("--bins"))?;
    Ok(Some(Floor { consumer: release.join(PACKAGE), object }))
}
