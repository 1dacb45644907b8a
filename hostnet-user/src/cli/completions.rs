//! `hostnet completions`: scripts for shells, generated from the command line's own definition.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::cli::exit_code::Exit;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet completions bash > /etc/bash_completion.d/hostnet
  hostnet completions zsh > /usr/local/share/zsh/site-functions/_hostnet")]
pub struct Args {
    /// The shell.
    shell: Shell,
}

pub fn run(args: &Args) -> Result<Exit> {
    clap_complete::generate(args.shell, &mut Cli::command(), "hostnet", &mut std::io::stdout());
    Ok(Exit::Ok)
}
