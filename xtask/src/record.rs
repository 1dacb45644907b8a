//! `cargo xtask record`: a new recording of a run in which every kind of event
//! happens, which the golden test and docs/events.md are made from.

use anyhow::Result;

use crate::{packages, shell, static_build};

/// The recording, from the repository's root.
const RECORDING: &str = "hostnet-user/tests/data/every-kind.hostnet";

pub fn perform() -> Result<()> {
    packages::ensure("the recording", packages::LIVE_TESTS)?;
    let hostnet = static_build::hostnet()?;
    shell::run(static_build::cargo("build", "hostnet-tests")?.arg("--bins"))?;
    let recorder = hostnet.with_file_name("record");
    shell::run(
        shell::command(recorder).env("HOSTNET_BIN", hostnet).arg(shell::root().join(RECORDING)),
    )?;
    eprintln!("wrote {RECORDING}; now: cargo insta review, cargo xtask docs");
    Ok(())
}
