//! `cargo xtask record`: a new recording of a run with many kinds of events, which the golden
//! test is made from, and new samples of the others, from what live tests have left.

use std::fs;

use anyhow::{Context, Result};

use crate::{docs, packages, shell, static_build, test, vm};

#[derive(clap::Args)]
pub struct Args {
    /// Record nothing; pick the samples of actions that the recording has not: the best of the
    /// events that `cargo xtask test` and `cargo xtask vm` have left below `target`, and of the
    /// samples there are.
    #[arg(long)]
    samples: bool,
}

/// The recording, from the repository's root, the lines that it is replayed as, and the names
/// that have changed since.
const RECORDING: &str = "hostnet-user/tests/data/every-kind.hostnet";
const REPLAYED: &str = "hostnet-user/tests/data/every-kind.ndjson.gz";
const RENAMES: &str = "hostnet-user/tests/data/renames.tsv";

/// The samples, from the repository's root.
const SAMPLES: &str = "hostnet-user/tests/data/samples.ndjson";

pub fn perform(args: &Args) -> Result<()> {
    if args.samples {
        return pick_samples();
    }
    packages::ensure("the recording", packages::LIVE_TESTS)?;
    let hostnet = static_build::hostnet()?;
    shell::run(static_build::cargo("build", "hostnet-tests")?.arg("--bins"))?;
    let recorder = hostnet.with_file_name("record");
    shell::run(
        shell::command(recorder).env("HOSTNET_BIN", &hostnet).arg(shell::root().join(RECORDING)),
    )?;
    // A pipe would hide that the replay failed.
    let replay = "lines=$(mktemp) && \"$0\" replay --json \"$1\" >\"$lines\" && gzip -9nc \"$lines\" >\"$2\"; \
                  result=$?; rm -f \"$lines\"; exit $result";
    shell::run(shell::command("sh").args(["-c", replay]).arg(hostnet).args([RECORDING, REPLAYED]))?;
    let renames = shell::root().join(RENAMES);
    let heading = fs::read_to_string(&renames).context(RENAMES)?;
    fs::write(renames, heading.split_inclusive('\n').next().unwrap_or_default())?;
    eprintln!("wrote {RECORDING}; now: cargo insta review, cargo xtask docs");
    Ok(())
}

fn pick_samples() -> Result<()> {
    let mut from = vec![test::live_events()];
    // What the VMs said, the samples of each among it.
    let logs = vm::directory().join("logs");
    if let Ok(entries) = fs::read_dir(&logs) {
        for entry in entries {
            from.push(
                entry.with_context(|| format!("{}", logs.display()))?.path().join("report.log"),
            );
        }
    }
    from.retain(|path| path.exists());
    let mut command = shell::command(docs::hostnet()?);
    let samples = shell::capture(command.args(["generate-docs", "--kind", "samples"]).args(from))?;
    fs::write(shell::root().join(SAMPLES), samples + "\n")
        .with_context(|| format!("{SAMPLES} could not be written"))?;
    eprintln!("wrote {SAMPLES}; read what has changed, then: cargo xtask docs");
    Ok(())
}
