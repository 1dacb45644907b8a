//! `hostnet report`: a page about what the history has, for who was not there.

use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};

use super::{Usage, advise, origin, progress, source};
use crate::{
    cli::exit_code::Exit,
    past::Span,
    query::{Filter, Time},
    report::{self, Facts, Verdicts},
};

/// Write one HTML page about what the history has.
///
/// The page is one file. It has no script, fetches nothing, and shows every name as
/// text, so that it can be opened, printed and sent on. It has findings, a timeline,
/// who talked to whom, listeners, processes, what the record lacks, and what it was made
/// of. Long lists are cut and say so.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet report -o incident.html --since 2h
  hostnet report --since 2026-11-28T10:00Z --until 2026-11-28T11:30Z > morning.html
  hostnet report --file events.ndjson --container web -o web.html

Times are RFC 3339, a date (UTC), seconds since 1970, or how long ago: 10m, 1h30m.")]
pub struct Args {
    /// Where the page goes [default: standard output, unless that is a terminal].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The history [default: the configured one].
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Make it of a file of events (ECS, one JSON document per line; `-` for standard
    /// input) instead of a history.
    #[arg(long, value_name = "FILE", conflicts_with = "history")]
    file: Option<PathBuf>,
    /// Only this container: its name, its id or the beginning of its id; or `host`.
    #[arg(long, value_name = "NAME|ID")]
    container: Option<String>,
    /// Only containers of this image, with its tag or without.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// From this moment on [default: the first event].
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to this moment [default: the last event].
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Do not check the hash chain first, which reads the whole history; the page then
    /// says that it was not checked.
    #[arg(long)]
    no_verify: bool,
}

pub fn run(args: &Args) -> Result<Exit> {
    if args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Usage(anyhow!(
            "a page is not for a terminal: name a file with -o, or redirect standard output"
        ))
        .into());
    }
    let now = Time::now();
    let time = |text: &Option<String>| {
        text.as_deref().map(|text| Time::parse(text, now)).transpose().map_err(Usage)
    };
    let filter = Filter {
        container: args.container.clone(),
        image: args.image.clone(),
        since: time(&args.since)?,
        until: time(&args.until)?,
        ..Filter::default()
    };
    if filter.from() > filter.to() {
        return Err(Usage(anyhow!("--since is after --until: nothing is in between")).into());
    }
    let (path, verified) = match &args.file {
        Some(file) => (file.clone(), None),
        None => {
            let path = source::history(args.history.as_deref())?;
            let verified = (!args.no_verify).then(|| origin::verified(&path));
            (path, verified)
        }
    };
    let history = source::open(Some(&path), args.file.as_deref())?;
    filter.owners(&history).map_err(Usage)?;
    let origin = report::Origin { verified, ..origin::now(&path) };
    let mut facts = report::gather(&history, &filter, origin)?;
    progress::done();
    facts.verdicts = verdicts(&facts, &path, args.file.as_deref())?;
    write(&report::page::html(&facts), args.output.as_deref())?;
    let is_bad = matches!(facts.origin.verified, Some(Err(_)));
    Ok(if is_bad { Exit::Partial } else { Exit::Ok })
}

/// Events of which advice is given: it is made of every one of them.
const ADVISED: u64 = 2_000_000;

/// Who needed the host's network, of those on the page.
pub fn verdicts(facts: &Facts, history: &Path, file: Option<&Path>) -> Result<Verdicts> {
    let why_not = |why: &str| Ok(Verdicts { why_not: Some(why.to_owned()), ..Verdicts::default() });
    if facts.events > ADVISED {
        return why_not("there are too many events: ask with a shorter time");
    }
    if file == Some(Path::new("-")) {
        return why_not("standard input can be read once only");
    }
    let (from, to) = facts.window;
    let span =
        Span { from_ns: from.0.max(0).cast_unsigned(), until_ns: to.after(1).0.cast_unsigned() };
    let (cases, _) = advise::cases(Some(history), file, span, None)?;
    let mut advice = cases.advice();
    // By id: who is on the page was narrowed down there.
    advice
        .retain(|one| facts.containers.shown.iter().any(|row| one.ids.contains(&row.container_id)));
    Ok(Verdicts { advice, why_not: None })
}

/// Only for its owner: a page has what the history has.
fn write(page: &str, to: Option<&Path>) -> Result<()> {
    let Some(path) = to else {
        return Ok(std::io::stdout().write_all(page.as_bytes())?);
    };
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(page.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
