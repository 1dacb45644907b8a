//! `hostnet uninstall`: removes what an agent has left in the kernel.

use std::{io::Write as _, path::PathBuf};

use anyhow::Result;

use super::Usage;
use crate::{
    cli::exit_code::Exit,
    config::{Config, DEFAULT_PIN},
    kernel,
};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet uninstall     remove what an agent that was killed left in /sys/fs/bpf/hostnet

The history and the configuration stay.")]
pub struct Args {
    /// Configuration file that says where programs are pinned [default:
    /// /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
    /// Where programs are pinned [default: the configuration's, else /sys/fs/bpf/hostnet].
    #[arg(long, value_name = "DIRECTORY")]
    pin: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Exit> {
    let directory = match args.pin {
        Some(directory) => directory,
        None => {
            let config = Config::read(args.config.as_deref()).map_err(Usage)?;
            config.observe.pin.unwrap_or_else(|| DEFAULT_PIN.into())
        }
    };
    let removed = kernel::uninstall(&directory)?;
    let mut out = anstream::stdout();
    if removed {
        writeln!(out, "removed {}, and with it the programs", directory.display())?;
    } else {
        writeln!(out, "nothing is pinned at {}", directory.display())?;
    }
    Ok(Exit::Ok)
}
