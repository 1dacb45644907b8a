//! `hostnet verify`: whether a history is what the agent wrote.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{Usage, source};
use crate::{
    cli::exit_code::Exit,
    event::Checkpoint,
    record::{self, Bad, Good, StoreError, chain::from_hex, checkpoint::ACTION},
    text::for_terminal,
};

/// Checks every row against the hash chain, and every checkpoint against the rows.
///
/// Exits with 1 when a record is not what was kept; the first such is named.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet verify                                the configured history
  hostnet verify --history case/history.db --against siem.ndjson

What was cut off at the end, or written anew by who has the key, only --against can show.")]
pub struct Args {
    /// The history [default: the configured one].
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The agent's public key: 64 hexadecimal digits, or a file that holds them.
    /// With it, a history whose last rows no checkpoint of that key covers is bad.
    /// Without it, any key will do, as long as it is one.
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
    /// Events that were delivered elsewhere, as NDJSON: the checkpoints among them
    /// show what was cut off or written anew here.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<Exit> {
    let history = source::history(args.history.as_deref())?;
    let key = args.key.as_deref().map(public_key).transpose().map_err(Usage)?;
    let elsewhere = match &args.against {
        Some(path) => checkpoints(path).map_err(Usage)?,
        None => Vec::new(),
    };
    let mut out = anstream::stdout();
    let shown = for_terminal(&history.display().to_string()).into_owned();
    match record::verify(&history, key.as_deref(), &elsewhere) {
        Ok(Ok(good)) => {
            writeln!(out, "{shown}: {}", sentence(&good, key.is_some()))?;
            Ok(Exit::Ok)
        }
        Ok(Err(Bad { row, run, sequence, why })) => {
            let of = if run.is_empty() {
                String::new()
            } else {
                format!(" (run {}, sequence {sequence})", for_terminal(&run))
            };
            writeln!(out, "{shown}: row {row}{of} is bad: {}", for_terminal(&why))?;
            Ok(Exit::Findings)
        }
        Err(StoreError::Damaged(why)) => {
            writeln!(out, "{shown}: no row can be read: {}", for_terminal(&why))?;
            Ok(Exit::Findings)
        }
        Err(error) => {
            Err(anyhow::Error::new(error).context(format!("cannot read {}", history.display())))
        }
    }
}

fn sentence(good: &Good, has_key: bool) -> String {
    let (first, last) = good.range;
    let mut text = format!(
        "{} rows ({first} to {last}) of {} runs are unchanged since they were written; {} checkpoints match",
        good.rows, good.runs, good.checkpoints
    );
    let signatures = match &good.key {
        Some(key) if has_key => format!(", signed with {key} up to row {}", good.signed_to),
        Some(key) => format!(
            ", signed up to row {} with {key}, which anybody may have made: give --key to compare",
            good.signed_to
        ),
        None => ", and none is signed".to_owned(),
    };
    text.push_str(&signatures);
    if good.unsigned > 0 {
        text.push_str(&format!("; {} rows after that are not signed", good.unsigned));
    }
    for (first, last) in &good.never_kept {
        text.push_str(&format!("\nrows {first} to {last} were never kept"));
    }
    text
}

fn public_key(given: &str) -> Result<String> {
    let is_key = |text: &str| from_hex::<32>(text).is_some();
    if is_key(given) {
        return Ok(given.to_ascii_lowercase());
    }
    let text = std::fs::read_to_string(given)
        .with_context(|| format!("--key is neither 64 hexadecimal digits nor a file: {given}"))?;
    let text = text.trim();
    if !is_key(text) {
        bail!("{given} does not hold a key of 64 hexadecimal digits");
    }
    Ok(text.to_ascii_lowercase())
}

fn checkpoints(path: &Path) -> Result<Vec<Checkpoint>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut found = Vec::new();
    for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        // Most lines are something else, and parsing is what takes the time.
        if !line.windows(ACTION.len()).any(|part| part == ACTION.as_bytes()) {
            continue;
        }
        let checkpoint = Checkpoint::of_document(&line)
            .with_context(|| format!("{}, line {}", path.display(), number + 1))?;
        found.extend(checkpoint);
    }
    if found.is_empty() {
        bail!("{} has no {ACTION} in it", path.display());
    }
    Ok(found)
}
