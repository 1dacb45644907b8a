//! `hostnet stream`: what can be done with lines that hostnet has written.

mod convert;
mod lines;

use anyhow::Result;
use clap::Subcommand;

use crate::exit_code::Exit;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print events in another format.
    Convert(convert::Args),
}

pub fn run(args: &Args) -> Result<Exit> {
    match &args.command {
        Command::Convert(args) => convert::run(args),
    }
}
