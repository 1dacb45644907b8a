//! `hostnet advise`: did a container need host networking?

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    Usage, lines,
    progress::{self, Progress},
    source,
};
use crate::{
    advise::{
        Advice, Cases, Meant,
        show::{self, Form},
    },
    cli::exit_code::Exit,
    event::Action,
    format::ecs::parse::{self, NotOurs},
    judge::{surface::Network, surface_of},
    past::{Past, Span, Unread},
    query::{Filter, History, Time},
    record::{Choice, Reader},
    text::for_terminal,
};

/// Did a container need host networking? What was observed of it, what a bridge network
/// would make of that, and the change in its docker run command or Compose file.
///
/// Asks the history of an agent, or a file of its events. Without a container: all that
/// were seen, a line each. docs/advise.md explains the verdicts.
///
/// Exits with 4 when something is missing from the record of that time: the output
/// says what.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hostnet advise                       every container, a line each\n  \
    hostnet advise web                   the evidence, the verdict and the change\n  \
    hostnet advise web --since 7d        by what the last seven days have shown\n  \
    hostnet advise --file events.ndjson  by what was delivered elsewhere")]
pub struct Args {
    /// A container: its name, one that it had, its id or the beginning of its id; or a
    /// Compose or Swarm service.
    container: Option<String>,
    /// From when on: RFC 3339, a date (UTC), seconds since 1970, or how long ago, such as
    /// 90m or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The history of an agent [default: the configured one].
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    history: Option<PathBuf>,
    /// Events as hostnet writes them in ECS, one JSON document per line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Form,
}

pub fn run(args: &Args) -> Result<Exit> {
    let span = span(args).map_err(Usage)?;
    let wanted = args.container.as_deref();
    let (cases, unread) = cases(args.history.as_deref(), args.file.as_deref(), span, wanted)?;
    let (advice, is_one) = match &args.container {
        None => (cases.advice(), false),
        Some(wanted) => (found(&cases, wanted).map_err(Usage)?, true),
    };
    let to: Box<dyn Write> = match args.format {
        Form::Table => Box::new(anstream::stdout()),
        Form::Json => Box::new(std::io::stdout().lock()),
    };
    if is_one {
        show::each(&advice, args.format, to)?;
    } else {
        show::all(&advice, args.format, to)?;
    }
    if unread > 0 {
        tracing::warn!("{unread} events could not be read, and were left out");
    }
    if cases.beyond() > 0 {
        let beyond = cases.beyond();
        tracing::warn!(
            "{beyond} events are of containers beyond the first 10000, and were left out"
        );
    }
    let is_whole = advice.iter().all(|one| one.observed.is_whole());
    Ok(if is_whole && unread == 0 && cases.beyond() == 0 { Exit::Ok } else { Exit::Partial })
}

/// What a file of events, or else a history, has of a time, of one container or of all;
/// and how many of its events could not be read.
pub fn cases(
    history: Option<&Path>,
    file: Option<&Path>,
    span: Span,
    wanted: Option<&str>,
) -> Result<(Cases, u64)> {
    let mut cases = Cases::default();
    let past = match file {
        Some(file) => Past::of_lines(lines::open(file)?, span),
        None => of_history(history, span, wanted, &mut cases)?,
    };
    let unread = read(past, &mut cases)?;
    Ok((cases, unread))
}

fn of_history(
    path: Option<&Path>,
    span: Span,
    wanted: Option<&str>,
    cases: &mut Cases,
) -> Result<Past> {
    let path = source::history(path)?;
    let shown = path.display();
    let reader = Reader::open(&path).with_context(|| format!("cannot open {shown}"));
    let reader = reader.map_err(Usage)?;
    // What the agent that ran at the beginning had said of its coverage holds.
    if let Some(start) = reader.last_before(Action::AgentStarted, span.from_ns)?
        && let Ok(start) = parse::event(&start)
    {
        cases.began_before(&start);
    }
    if !reader.counts_owners()? {
        return Ok(Past::of_history(reader, span));
    }
    let owners = match wanted {
        Some(wanted) => match Filter::namesakes(&History::open(&path)?, wanted)? {
            Some(owners) => Some(owners),
            // All of it, to say who is there instead.
            None => return Ok(Past::of_history(reader, span)),
        },
        None => None,
    };
    let span_ns = (span.from_ns, span.until_ns);
    let telling: Vec<_> = Action::that(Action::is_of_observation).map(Action::name).collect();
    reader.choose(&Choice { owners: owners.as_ref(), actions: &telling, span: span_ns })?;
    Ok(Past::of_chosen(reader, span))
}

/// Gives every event to the cases; returns how many could not be read.
fn read(past: Past, cases: &mut Cases) -> Result<u64> {
    let network = Network::default();
    let mut progress = Progress::new();
    let mut unread = 0;
    for (index, told) in past.enumerate() {
        match told {
            Ok(told) => {
                let mut event = told.record.event;
                if event.surface.is_none() {
                    // It is of a version that did not tell it: the address alone says it.
                    event.surface = surface_of(&event, &network);
                }
                cases.take(&event);
            }
            // A later version's, or a judgement: neither is what a container did.
            Err(Unread::One { why: NotOurs::UnknownKind { .. }, .. }) => {}
            Err(Unread::One { place, why }) => {
                if unread == 0 {
                    tracing::warn!("{}", for_terminal(&format!("{place}: {why}")));
                }
                unread += 1;
            }
            Err(Unread::Rest(error)) => return Err(error),
        }
        if index.is_multiple_of(1024) {
            progress.at(|_| format!("{index} events read"));
        }
    }
    progress::done();
    Ok(unread)
}

/// The advice for the containers that are meant, or who else was seen.
fn found(cases: &Cases, wanted: &str) -> Result<Vec<Advice>> {
    match cases.advice_for(wanted) {
        Meant::These(found) => return Ok(found),
        Meant::OneOf(labels) => {
            let names: Vec<String> =
                labels.iter().take(MOST_NAMED).map(|one| for_terminal(one).into_owned()).collect();
            bail!(
                "the ids of {} containers begin with {:?} ({}): give more of the id, or a name",
                labels.len(),
                for_terminal(wanted),
                names.join(", ")
            );
        }
        Meant::Nobody => {}
    }
    let mut labels = cases.labels();
    labels.sort_by_key(|label| distance(label, wanted));
    let shown = for_terminal(wanted).into_owned();
    if labels.is_empty() {
        bail!(
            "no container was seen in the host's network namespace in that time, so not {shown:?} either"
        );
    }
    let more = labels.len().saturating_sub(MOST_NAMED);
    labels.truncate(MOST_NAMED);
    let names: Vec<String> = labels.iter().map(|label| for_terminal(label).into_owned()).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} others") };
    bail!(
        "no container {shown:?} was seen in the host's network namespace in that time, but {}{more}",
        names.join(", ")
    )
}

/// Most names in an error.
const MOST_NAMED: usize = 8;

/// How many letters two names differ by (Levenshtein's distance), their beginnings
/// looked at alone.
fn distance(one: &str, other: &str) -> usize {
    const LONGEST: usize = 64;
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().take(LONGEST).enumerate() {
        let mut corner = row[0];
        row[0] = index + 1;
        for (at, wanted) in other.iter().enumerate() {
            let same = corner + usize::from(letter != *wanted);
            corner = row[at + 1];
            row[at + 1] = same.min(corner + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

fn span(args: &Args) -> Result<Span> {
    let now = Time::now();
    let moment = |text: &Option<String>, name: &str| {
        let moment = text.as_deref().map(|text| Time::parse(text, now));
        let moment = moment.transpose().with_context(|| format!("--{name}"));
        moment.map(|moment| moment.map(|time| time.0.max(0).cast_unsigned()))
    };
    let from_ns = moment(&args.since, "since")?.unwrap_or(Span::ALL.from_ns);
    let until_ns = moment(&args.until, "until")?.unwrap_or(Span::ALL.until_ns);
    if from_ns >= until_ns {
        bail!("--until is not after --since");
    }
    Ok(Span { from_ns, until_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_near() {
        assert_eq!(distance("web", "web"), 0);
        assert_eq!(distance("web-1", "web"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
