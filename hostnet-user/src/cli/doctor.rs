//! `hostnet doctor`: what can be observed here, and what to do about the rest.

use anyhow::Result;

use crate::exit_code::Exit;

#[derive(clap::Args)]
pub struct Args {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub fn run(_args: &Args) -> Result<Exit> {
    Ok(Exit::Ok)
}
