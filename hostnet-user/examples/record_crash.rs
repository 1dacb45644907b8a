//! Kills of a process that keeps and delivers as fast as it can: `record_crash KILLS`, which
//! `cargo xtask bench --only crash` calls. It says what was kept as one line of JSON, and fails
//! when something was delivered and not kept, or a gap was not reported.

use anyhow::{Context as _, Result};

#[path = "../tests/record/crash.rs"]
mod crash;
#[path = "../tests/record/support.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod support;

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    crash::be_victim();
    let kills = std::env::args().nth(1).context("usage: record_crash KILLS")?;
    println!("{}", crash::kill(kills.parse().context("KILLS is a number")?));
    Ok(())
}
