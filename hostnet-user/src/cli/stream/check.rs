//! `hostnet stream check`: whether a stream is whole, from its lines alone.

use std::{io::Write, path::PathBuf};

use anyhow::Result;

use super::findings::{BadLine, Findings};
use crate::{
    cli::{exit_code::Exit, lines},
    completeness::{Check, Verdict},
    past::LONGEST_LINE,
    text::json,
};

/// Most lines listed as JSON that are no event; all are counted.
const MOST_BAD: usize = 100;

#[derive(clap::Args)]
pub struct Args {
    /// Files of events in ECS or OCSF, one JSON document per line, in any order; `-`
    /// is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The files are a sink's with `datasets` or `actions`: what is missing may be what
    /// they leave out. Lines that contradict each other are found all the same.
    #[arg(long)]
    filtered: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<Exit> {
    let mut check = Check::new(args.filtered);
    let mut findings = Findings::default();
    lines::each(&args.files, |place, line| {
        findings.lines += 1;
        let taken = if line.len() > LONGEST_LINE {
            Err(anyhow::anyhow!("longer than {LONGEST_LINE} bytes"))
        } else {
            check.take(line)
        };
        if let Err(error) = taken {
            findings.bad_lines += 1;
            if findings.bad.len() < MOST_BAD {
                let (file, line) = (place.name(), place.line);
                findings.bad.push(BadLine { file, line, reason: format!("{error:#}") });
            }
        }
        Ok(())
    })?;
    findings.runs = check.finish();
    let mut out = std::io::stdout().lock();
    if args.json {
        json::write(&mut out, &findings.as_json())?;
        writeln!(out)?;
    } else {
        findings.as_text(&mut out)?;
    }
    let is_whole = matches!(findings.verdict(), Some(Verdict::Complete | Verdict::Filtered))
        && findings.bad_lines == 0;
    Ok(if is_whole { Exit::Ok } else { Exit::Partial })
}
