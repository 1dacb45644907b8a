//! `hostnet generate-docs`: hidden; `cargo xtask docs` calls it.

use anyhow::Result;

use crate::{cli::exit_code::Exit, docs};

#[derive(clap::Args)]
pub struct Args {
    /// What to print.
    #[arg(long)]
    kind: Kind,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// docs/events.md
    Events,
    /// docs/hostnet-event.schema.json
    Schema,
    /// docs/formats.md
    Formats,
    /// docs/detections.md
    Detections,
}

#[expect(clippy::print_stdout, reason = "printing is what the command is for")]
pub fn run(args: &Args) -> Result<Exit> {
    match args.kind {
        Kind::Events => print!("{}", docs::events()?),
        Kind::Schema => print!("{}", docs::schema()?),
        Kind::Detections => print!("{}", docs::detections()?),
        Kind::Formats => print!("{}", docs::formats()?),
    }
    Ok(Exit::Ok)
}
