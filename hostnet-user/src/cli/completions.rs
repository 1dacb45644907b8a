//! `hostnet completions`: scripts for shells, generated from the command line's own definition.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::exit_code::Exit;

#[derive(clap::Args)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

pub fn run(args: &Args) -> Result<Exit> {
    clap_complete::generate(args.shell, &mut Cli::command(), "hostnet", &mut std::io::stdout());
    Ok(Exit::Ok)
}
