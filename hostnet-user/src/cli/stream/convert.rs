//! `hostnet stream convert`: lines in another format, as a sink would send them.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

use anyhow::Result;

use crate::{
    cli::{
        exit_code::Exit,
        lines::{self, BadLines},
    },
    format::{Format, Renderer},
};

#[derive(clap::Args)]
pub struct Args {
    /// What to print.
    #[arg(long, value_enum)]
    format: Choice,
    /// Files of events, one JSON document per line; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Choice {
    /// OCSF 1.8.0.
    Ocsf,
    /// OCSF 1.1.0.
    #[value(name = "ocsf-1.1.0")]
    Ocsf1_1,
    /// CEF:0.
    Cef,
}

/// A line that is no event is named and left out.
pub fn run(args: &Args) -> Result<Exit> {
    let mut renderer = Renderer::new(match args.format {
        Choice::Ocsf => Format::Ocsf,
        Choice::Ocsf1_1 => Format::Ocsf1_1,
        Choice::Cef => Format::Cef,
    });
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut converted = Vec::new();
    let mut bad = BadLines::default();
    lines::each(&args.files, |place, line| {
        converted.clear();
        match renderer.render(line, &mut converted) {
            Ok(()) => {
                converted.push(b'\n');
                out.write_all(&converted)?;
            }
            Err(error) => {
                bad.say(&format!("{place}: {error:#}"))?;
            }
        }
        Ok(())
    })?;
    out.flush()?;
    bad.finish()
}
