//! The `hostnet` process: its arguments, its log, what it says when it fails, and how
//! it ends.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use super::{Cli, exit_code, log::Log};
use crate::{output::is_broken_pipe, text::for_terminal};

/// All of a program's `main`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = cli.log_level();
    let filter = EnvFilter::try_from_env("HOSTNET_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Log(std::io::stderr()))
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .init();
    match cli.run() {
        Ok(exit) => exit.into(),
        // Nobody reads on, as in `| head`: not a failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let message = format!("{error:#}");
            // When nobody reads standard error either, the exit code still tells.
            drop(writeln!(std::io::stderr(), "hostnet: {}", for_terminal(&message)));
            exit_code(&error).into()
        }
    }
}
