//! `hostnet generate-docs`: hidden; `cargo xtask docs` and `cargo xtask record` call it.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{cli::exit_code::Exit, docs};

#[derive(clap::Args)]
pub struct Args {
    /// What to print.
    #[arg(long)]
    kind: Kind,
    /// Of samples: files, and directories of such, among whose lines are events of live agents.
    from: Vec<PathBuf>,
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
    /// hostnet-user/tests/data/samples.ndjson
    Samples,
}

#[expect(clippy::print_stdout, reason = "printing is what the command is for")]
pub fn run(args: &Args) -> Result<Exit> {
    match args.kind {
        Kind::Events => print!("{}", docs::events()?),
        Kind::Schema => print!("{}", docs::schema()?),
        Kind::Detections => print!("{}", docs::detections()?),
        Kind::Formats => print!("{}", docs::formats()?),
        Kind::Samples => print!("{}", docs::pick(&told(&args.from)?)?),
    }
    Ok(Exit::Ok)
}

fn told(from: &[PathBuf]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for path in from {
        let context = || format!("cannot read {}", path.display());
        if path.is_dir() {
            let files = fs::read_dir(path).and_then(|entries| {
                entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
            });
            lines.extend(told(&files.with_context(context)?)?);
        } else {
            lines.extend(fs::read(path).with_context(context)?);
            lines.push(b'\n');
        }
    }
    Ok(lines)
}
