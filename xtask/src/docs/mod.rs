//! `cargo xtask docs`: the documents that hostnet writes about itself, and the one
//! about what the tests found and the benchmarks measured.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{bench, coverage, shell};

mod quotes;

#[derive(clap::Args)]
pub struct Args {
    /// Compare with the committed documents instead of writing them.
    #[arg(long)]
    pub check: bool,
}

/// A document and the kind by which `hostnet generate-docs` knows it.
const DOCUMENTS: &[(&str, &str)] = &[
    ("docs/events.md", "events"),
    ("docs/hostnet-event.schema.json", "schema"),
    ("docs/formats.md", "formats"),
    ("docs/detections.md", "detections"),
];

/// The exit code with which hostnet refuses a subcommand it does not know.
const USAGE: i32 = 2;

pub fn perform(args: &Args) -> Result<()> {
    let stale = generate(args.check)?;
    if !stale.is_empty() {
        bail!("{} differ from what the code says; run cargo xtask docs", stale.join(", "));
    }
    Ok(())
}

/// Generates every document; writes it, or tells which committed one differs.
pub fn generate(check: bool) -> Result<Vec<String>> {
    let hostnet = hostnet()?;
    let mut stale = Vec::new();

    for &(path, kind) in DOCUMENTS {
        let mut command = shell::command(&hostnet);
        command.args(["generate-docs", "--kind", kind]);
        let Some(text) = output(&mut command)? else {
            if shell::root().join(path).exists() {
                bail!("{path} is committed, but this hostnet cannot generate it");
            }
            eprintln!("{path}: this hostnet does not generate documents yet");
            continue;
        };
        if !settle(path, &text, check)? {
            stale.push(path.to_owned());
        }
    }
    if !settle(coverage::PAGE, coverage::text()?.as_bytes(), check)? {
        stale.push(coverage::PAGE.to_owned());
    }
    stale.extend(settle_benchmarks(check)?);
    Ok(stale)
}

/// Builds the hostnet that generates, and returns its path.
pub fn hostnet() -> Result<PathBuf> {
    shell::run(shell::cargo().args(["build", "--quiet", "--package", "hostnet-user", "--bins"]))?;
    let target = std::env::var_os("CARGO_BUILD_TARGET").unwrap_or_default();
    Ok(shell::target_dir().join(target).join("debug/hostnet"))
}

/// The page of the benchmarks, and what documents quote of it and of docs/cost. Fails when one
/// quotes a figure that is in neither, or has one without quoting it.
pub fn settle_benchmarks(check: bool) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    if !settle(bench::PAGE, bench::text()?.as_bytes(), check)? {
        stale.push(bench::PAGE.to_owned());
    }
    let generated = DOCUMENTS.iter().map(|(path, _)| *path).chain([coverage::PAGE, bench::PAGE]);
    let generated: Vec<&str> = generated.collect();
    for (path, text) in quotes::filled(&generated)? {
        if !settle(&path, text.as_bytes(), check)? {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Whether the committed document has this text; if not to be checked only, it has
/// afterwards.
pub fn settle(path: &str, text: &[u8], check: bool) -> Result<bool> {
    let file = shell::root().join(path);
    let is_current = fs::read(&file).is_ok_and(|committed| committed == text);
    if is_current || check {
        return Ok(is_current);
    }
    fs::create_dir_all(file.parent().unwrap_or(&file))
        .and_then(|()| fs::write(&file, text))
        .with_context(|| format!("{path} could not be written"))?;
    eprintln!("wrote {path}");
    Ok(true)
}

/// What the command prints; `None` when it does not know the subcommand.
fn output(command: &mut Command) -> Result<Option<Vec<u8>>> {
    let shown = shell::shown(command);
    let output = command.output().with_context(|| format!("`{shown}` could not be started"))?;
    if output.status.code() == Some(USAGE) || output.status.success() && output.stdout.is_empty() {
        return Ok(None);
    }
    if !output.status.success() {
        bail!("`{shown}` failed: {}", output.stderr.escape_ascii());
    }
    Ok(Some(output.stdout))
}
