//! `cargo xtask test`: all tests, with what they need.
//!
//! The live tests go first. Their events can then be judged by somebody else's
//! validator before the pure tests run, and the last lines are cargo's own.
//! Every stage runs, whatever the one before it said.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{bench, packages, shell, static_build};

#[derive(clap::Args)]
pub struct Args {
    /// A program that judges the events which the live tests leave behind: it is
    /// given the NDJSON files, and fails when one event is not valid ECS.
    #[arg(long, value_name = "SCRIPT")]
    pub ecs_validator: Option<PathBuf>,
    /// The same for OCSF: it is given what `hostnet stream convert` makes of the files.
    #[arg(long, value_name = "SCRIPT")]
    pub ocsf_validator: Option<PathBuf>,
}

/// Where the live tests leave the events they saw.
pub fn live_events() -> PathBuf {
    shell::target_dir().join("live-events")
}

/// What an OCSF validator imports: whoever wrote one says so in its first lines.
const OCSF_VALIDATOR_NEEDS: [&str; 2] = ["ocsf-json-schema==1.2.0", "jsonschema"];

pub fn perform(args: &Args) -> Result<()> {
    let mut good = true;
    remove_file(&skipped())?;
    if shell::is_root() {
        packages::ensure("live tests", packages::LIVE_TESTS.iter().chain(packages::RECEIVERS))?;
        python_packages()?;
        let events = live_events();
        remove_dir(&events)?;
        good &= live(&events)?;
        good &= read_back(&events)?;
        good &= match &args.ecs_validator {
            Some(script) => validate(script, &events)?,
            None => true,
        };
        good &= match &args.ocsf_validator {
            Some(script) => validate_ocsf(script, &events)?,
            None => true,
        };
        good &= bench_smoke()?;
    } else {
        eprintln!(
            "live tests: skipped, because only root may load eBPF programs and start a Docker \
             daemon; for these too: sudo -E env \"PATH=$PATH\" cargo xtask test"
        );
    }
    // Cargo's summary is last: what the tests after this skip is in the list alone.
    report_skipped()?;
    good &= shell::succeeds(
        shell::cargo().args(["test", "--no-fail-fast"]).env("HOSTNET_SKIPPED", skipped()),
    )?;
    if !good {
        bail!("not all tests passed");
    }
    Ok(())
}

/// Definitions by which somebody else's code reads what we send. Without them the
/// tests that want them say so.
const PYTHON_PACKAGES: [&str; 1] = ["opentelemetry-proto==1.45.2"];

/// Puts them below `target`, where nothing else finds them.
fn python_packages() -> Result<()> {
    let to = shell::target_dir().join("python");
    if to.exists() {
        return Ok(());
    }
    let mut pip = shell::command("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--root-user-action=ignore", "--target"]).arg(&to).args(PYTHON_PACKAGES);
    if !shell::succeeds(&mut pip)? {
        eprintln!("live tests: no {}, because pip cannot install it", PYTHON_PACKAGES.join(", "));
    }
    Ok(())
}

/// The live tests observe the very file that users get. They are built like it:
/// their actors run in containers that hold nothing but them.
fn live(events: &Path) -> Result<bool> {
    let hostnet = static_build::hostnet()?;
    shell::succeeds(
        static_build::cargo("test", "hostnet-tests")?
            .args(["--features", "every-sink", "--no-fail-fast", "--", "--test-threads=1"])
            .env("HOSTNET_BIN", hostnet)
            .env("HOSTNET_SKIPPED", skipped())
            .env("HOSTNET_EVENTS_DIR", events),
    )
}

/// What the live tests were told is an event again when it is read, and the same
/// document when that is written.
fn read_back(events: &Path) -> Result<bool> {
    shell::succeeds(
        shell::cargo()
            .args(["test", "--package", "hostnet-user", "--lib", "--", "--ignored", "--exact"])
            .arg("format::ecs::parse::tests::what_live_tests_told_is_written_the_same")
            .env("HOSTNET_EVENTS_DIR", events),
    )
}

/// Every part of the benchmark still runs: with what the live tests built, and with examples
/// that the tests after this build, too.
fn bench_smoke() -> Result<bool> {
    if !shell::succeeds(shell::cargo().args(["test", "--no-run"]))? {
        return Ok(false);
    }
    match bench::smoke(&static_build::hostnet()?) {
        Ok(left_out) => {
            left_out.iter().try_for_each(|why| note_skipped(why))?;
            Ok(true)
        }
        Err(error) => {
            eprintln!("error: the benchmark does not run: {error:#}");
            Ok(false)
        }
    }
}

fn validate(script: &Path, events: &Path) -> Result<bool> {
    let files = ndjson_files(events)?;
    if files.is_empty() {
        eprintln!("error: no events to validate: the live tests left none in {}", events.display());
        return Ok(false);
    }
    shell::succeeds(shell::command("python3").arg(script).args(files))
}

/// The events as OCSF, made by the very file that users get, one file per file.
fn validate_ocsf(script: &Path, events: &Path) -> Result<bool> {
    let hostnet = static_build::hostnet()?;
    let converted = shell::target_dir().join("live-events-ocsf");
    remove_dir(&converted)?;
    fs::create_dir_all(&converted)
        .with_context(|| format!("{} could not be made", converted.display()))?;
    for file in ndjson_files(events)? {
        let to = converted.join(file.file_name().unwrap_or_default());
        let out = fs::File::create(&to)
            .with_context(|| format!("{} could not be written", to.display()))?;
        let mut command = shell::command(&hostnet);
        command.args(["stream", "convert", "--format", "ocsf"]).arg(&file).stdout(out);
        if !shell::succeeds(&mut command)? {
            return Ok(false);
        }
    }
    let files = ndjson_files(&converted)?;
    let modules = python_modules()?;
    let mut command = shell::command("python3");
    shell::succeeds(command.arg(script).args(files).env("PYTHONPATH", modules))
}

/// Where the OCSF validator's modules are; they are fetched once.
fn python_modules() -> Result<PathBuf> {
    // Apart from what the tests' own receivers import, which may be there already.
    let modules = shell::target_dir().join("python-ocsf");
    if !modules.exists() {
        packages::ensure("the OCSF validator", packages::PYTHON_MODULES)?;
        let mut pip = shell::command("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&modules);
        if let Err(error) = shell::run(pip.args(OCSF_VALIDATOR_NEEDS)) {
            remove_dir(&modules)?;
            return Err(error.context("the OCSF validator's modules could not be installed"));
        }
    }
    Ok(modules)
}

fn ndjson_files(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let context = || format!("{} could not be listed", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Where every test that does not run here leaves a line (tests/src/skip.rs).
fn skipped() -> PathBuf {
    shell::target_dir().join("skipped-tests")
}

/// Adds a line to the list, as `skip` of the live tests does.
fn note_skipped(why: &str) -> Result<()> {
    let list = OpenOptions::new().create(true).append(true).open(skipped());
    list.and_then(|mut list| writeln!(list, "{why}")).context("the list of skipped tests")
}

/// How many live tests did not run, and why: a skipped one counts as passed with cargo.
fn report_skipped() -> Result<()> {
    let list = skipped();
    if !list.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(&list)
        .with_context(|| format!("{} could not be read", list.display()))?;
    let mut counts = BTreeMap::<&str, usize>::new();
    text.lines().for_each(|line| *counts.entry(line).or_default() += 1);
    eprintln!("\n{} live tests were skipped:", text.lines().count());
    counts.iter().for_each(|(line, count)| eprintln!("  {count} × {line}"));
    Ok(())
}

fn remove_file(file: &Path) -> Result<()> {
    if file.exists() {
        fs::remove_file(file)
            .with_context(|| format!("{} could not be removed", file.display()))?;
    }
    Ok(())
}

fn remove_dir(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)
            .with_context(|| format!("{} could not be removed", dir.display()))?;
    }
    Ok(())
}
