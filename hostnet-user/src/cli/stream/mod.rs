//! `hostnet stream`: what can be done with lines that hostnet has written.

mod check;
mod convert;
mod findings;

use anyhow::Result;
use clap::Subcommand;

use crate::cli::exit_code::Exit;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet stream check events.ndjson                     is anything missing?
  hostnet stream convert --format ocsf events.ndjson")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say whether anything is missing.
    ///
    /// Exit codes: 0 every run is complete or, with --filtered, is not seen to be anything
    /// else; 4 something is missing, was lost, or is no event; 2 a file cannot be read.
    Check(check::Args),
    /// Print events in another format.
    Convert(convert::Args),
}

pub fn run(args: &Args) -> Result<Exit> {
    match &args.command {
        Command::Check(args) => check::run(args),
        Command::Convert(args) => convert::run(args),
    }
}
