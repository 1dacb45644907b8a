//! `hostnet query`: what the history answers, long after the containers are gone.

mod ask;
mod output;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use super::{Usage, source};
use crate::{
    cli::exit_code::Exit,
    query::{Filter, Time},
    record::Mark,
};

/// Ask the history: who held a port, who talked to whom, what happened when.
///
/// Times are RFC 3339, a date (UTC), seconds since 1970, or how long ago: 10m, 1h30m.
/// Answers are of the history alone: containers may be long gone, and the agent may be
/// running or not. An empty answer says so on standard error and exits with 0.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet query who-had-port 8080 --at 2026-11-28T10:00Z
  hostnet query peers web --since 1d
  hostnet query tree web
  hostnet query around 2026-11-28T10:00Z --within 30s --container web
  hostnet query first-seen 169.254.169.254
  hostnet query findings --format csv
  hostnet query sql \"SELECT container, count(*) FROM flows GROUP BY 1\"")]
pub struct Args {
    #[command(subcommand)]
    question: Question,
    #[command(flatten)]
    common: Common,
}

/// What every question takes.
#[derive(clap::Args)]
struct Common {
    /// The history [default: the configured one].
    #[arg(long, global = true, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Ask a file of events (ECS, one JSON document per line; `-` for standard input)
    /// instead of a history.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "history")]
    file: Option<PathBuf>,
    /// How answers are printed.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Only this container: its name, its id or the beginning of its id; or `host`.
    #[arg(long, global = true, value_name = "NAME|ID")]
    container: Option<String>,
    /// Only containers of this image, with its tag or without.
    #[arg(long, global = true, value_name = "IMAGE")]
    image: Option<String>,
    /// Only events with this event.action; may be repeated.
    #[arg(long, global = true, value_name = "ACTION")]
    action: Vec<String>,
    /// Only this process: its name, path, process id or entity id.
    #[arg(long, global = true, value_name = "PROCESS")]
    process: Option<String>,
    /// From this moment on.
    #[arg(long, global = true, value_name = "TIME")]
    since: Option<String>,
    /// Up to this moment.
    #[arg(long, global = true, value_name = "TIME")]
    until: Option<String>,
    /// At most so many rows.
    #[arg(long, global = true, value_name = "ROWS")]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for a person.
    #[default]
    Table,
    /// One JSON object per line; of `events` and `around`, the ECS documents.
    Json,
    /// Comma-separated values with a header, RFC 4180.
    Csv,
    /// Lines for Timesketch (JSONL): message, datetime, timestamp, timestamp_desc.
    Timesketch,
}

#[derive(Subcommand)]
enum Question {
    /// Events, in the order in which they happened.
    Events,
    /// Who listened: when, where, who could reach it, until when.
    Listeners,
    /// Who talked to whom, with counts, the first and the last time.
    Peers(Peers),
    /// Connections, with the columns of Zeek's conn.log.
    Flows(Peers),
    /// Which containers there were.
    Containers,
    /// Which processes there were.
    Processes,
    /// What should not have been.
    Findings,
    /// Who held a local port.
    ///
    /// With --at, who held it at that moment: `held`, `perhaps`, `nobody`, or `unknown`
    /// where the record has a gap, which is named.
    WhoHadPort(WhoHadPort),
    /// The processes of containers as trees, down from the first one.
    Tree(Containers),
    /// What happened around a moment.
    Around(Around),
    /// When an address, a port or an image was first seen, and by whom.
    FirstSeen(FirstSeen),
    /// Answer a SELECT over the views events, listeners, flows, peers, processes,
    /// containers and findings; docs/query.md has their columns.
    Sql(Sql),
}

#[derive(clap::Args)]
struct Containers {
    /// The same as --container.
    #[arg(value_name = "CONTAINER")]
    name: Option<String>,
}

#[derive(clap::Args)]
struct Peers {
    /// The same as --container.
    #[arg(value_name = "CONTAINER")]
    name: Option<String>,
    /// Only with this address, or this name of a unix socket.
    #[arg(long, value_name = "IP|NAME")]
    ip: Option<String>,
    /// Only at this port.
    #[arg(long)]
    port: Option<u16>,
}

#[derive(clap::Args)]
struct WhoHadPort {
    /// The local port.
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// At this moment [default: at any time].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Only this protocol: tcp, udp, ….
    #[arg(long)]
    protocol: Option<String>,
}

#[derive(clap::Args)]
struct Around {
    /// The moment.
    time: String,
    /// How long before and after it.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    within: String,
}

#[derive(clap::Args)]
struct FirstSeen {
    /// An IP address, a port, the name of a unix socket (@… or /…), or an image.
    #[arg(value_name = "IP|PORT|NAME|IMAGE")]
    what: String,
}

#[derive(clap::Args)]
struct Sql {
    /// The statement.
    statement: String,
    /// Seconds after which it is given up.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

impl WhoHadPort {
    /// The moment that is asked about.
    fn at(&self, now: Time) -> Result<Option<Time>> {
        self.at.as_deref().map(|at| Time::parse(at, now)).transpose()
    }
}

impl Common {
    fn filter(&self, container: Option<&String>, now: Time) -> Result<Filter> {
        let time =
            |text: &Option<String>| text.as_deref().map(|text| Time::parse(text, now)).transpose();
        Ok(Filter {
            container: container.cloned().or_else(|| self.container.clone()),
            image: self.image.clone(),
            actions: self.action.clone(),
            process: self.process.clone(),
            since: time(&self.since)?,
            until: time(&self.until)?,
            limit: self.limit,
        })
    }
}

pub fn run(args: &Args) -> Result<Exit> {
    let (now, common) = (Time::now(), &args.common);
    if let Question::WhoHadPort(of) = &args.question
        && common.file.is_none()
        && let Some(at) = of.at(now).map_err(Usage)?.filter(|at| *at <= now)
    {
        // An agent that runs says within a second or two what there was until then.
        let path = source::history(common.history.as_deref())?;
        Mark::wait(&path, at.0.max(0).cast_unsigned());
    }
    let history = source::open(common.history.as_deref(), common.file.as_deref())?;
    ask::ask(history, args, now)?;
    Ok(Exit::Ok)
}
