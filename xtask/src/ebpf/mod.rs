//! `cargo xtask ebpf`: build the eBPF object that hostnet carries.
//!
//! The object is committed, so that building hostnet takes stable Rust and
//! nothing else. Beside it stands what it was built from; a test compares.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::shell;

mod build;
mod elf;
mod install;
mod sources;
mod toolchain;

pub use build::{cargo_for_bpf, throwaway};
pub use toolchain::{Toolchain, Versions};

#[derive(clap::Args)]
pub struct Args {
    /// Rebuild and compare with the committed object, byte for byte, instead of writing it.
    #[arg(long)]
    pub check: bool,
    /// First install what the build needs and this machine lacks.
    #[arg(long)]
    pub install: bool,
}

/// What the committed object was built from, and by what.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provenance {
    sources_sha256: String,
    object_sha256: String,
    #[serde(flatten)]
    versions: Versions,
    target: String,
}

pub fn perform(args: &Args) -> Result<()> {
    if args.install {
        ensure_toolchain()?;
    }
    if args.check { check() } else { write() }
}

/// Installs what is missing of the toolchain, and fails when something still is.
pub fn ensure_toolchain() -> Result<()> {
    if let Err(missing) = toolchain::find()? {
        install::install(&missing)?;
        if let Err(missing) = toolchain::find()? {
            bail!("{missing}");
        }
    }
    Ok(())
}

/// The toolchain, if there is a whole one.
pub fn find_toolchain() -> Result<Option<Toolchain>> {
    Ok(toolchain::find()?.ok())
}

fn write() -> Result<()> {
    let toolchain = match toolchain::find()? {
        Ok(toolchain) => toolchain,
        Err(missing) => bail!("{missing}"),
    };
    let object = build::object(&toolchain, false)?;
    let root = shell::root();
    let provenance = Provenance {
        sources_sha256: hash_sources(&root)?,
        object_sha256: sources::sha256_hex(&object),
        versions: toolchain.versions()?,
        target: toolchain::TARGET.to_owned(),
    };
    let mut json = serde_json::to_string_pretty(&provenance)?;
    json.push('\n');

    write_file(&root.join(sources::OBJECT), &object)?;
    write_file(&root.join(sources::PROVENANCE), json.as_bytes())?;
    eprintln!("wrote {} ({} bytes) and {}", sources::OBJECT, object.len(), sources::PROVENANCE);
    Ok(())
}

fn check() -> Result<()> {
    let root = shell::root();
    let recorded = recorded(&root)?;
    if recorded.sources_sha256 != hash_sources(&root)? {
        bail!(
            "{} was built from other sources than these; run cargo xtask ebpf and commit the result",
            sources::OBJECT
        );
    }
    let toolchain = match toolchain::find()? {
        Ok(toolchain) => toolchain,
        Err(missing) => {
            eprintln!("could not compare {} with a rebuild: {missing}", sources::OBJECT);
            return Ok(());
        }
    };
    let built = build::object(&toolchain, true)?;
    let committed = read_file(&root.join(sources::OBJECT))?;
    if built == committed {
        eprintln!("{} is what these sources build to, byte for byte", sources::OBJECT);
        return Ok(());
    }
    let versions = toolchain.versions()?;
    if versions == recorded.versions {
        bail!(
            "{} differs from what these sources and the recorded toolchain build to \
             (sha256 {}, rebuilt {}); run cargo xtask ebpf and commit the result",
            sources::OBJECT,
            sources::sha256_hex(&committed),
            sources::sha256_hex(&built)
        );
    }
    eprintln!(
        "could not compare {} with a rebuild: it was built by {}; here is {}",
        sources::OBJECT,
        recorded.versions,
        versions
    );
    Ok(())
}

fn recorded(root: &Path) -> Result<Provenance> {
    let bytes = read_file(&root.join(sources::PROVENANCE))
        .context("there is nothing to compare with; run cargo xtask ebpf")?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not as written by cargo xtask ebpf", sources::PROVENANCE))
}

fn hash_sources(root: &Path) -> Result<String> {
    sources::sources_sha256(root).context("the sources of the eBPF programs could not be hashed")
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} could not be read", path.display()))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("{} could not be made", dir.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("{} could not be written", path.display()))
}
