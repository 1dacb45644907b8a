//! `hostnet replay`: what was told before, once more. A recorded run goes through the
//! same stages as a live one; a history and lines of ours are events already.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read, Seek},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    Usage,
    lines::{self, BadLines},
    shown::Shown,
};
use crate::{
    attribute::Policy,
    cli::exit_code::Exit,
    config::Config,
    engine::{
        capture::{Recording, is_recording},
        input::{self, Input, World},
        stages::{Filter, Stages},
    },
    event::{Event, Recorded},
    format::ecs::Identity,
    judge::{Judge, Law},
    past::{Past, Span, Told, Unread},
    query::{self, History},
    record::Reader,
};

/// What every SQLite database begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet replay run.bin                                a run recorded with `hostnet watch --record`
  hostnet replay /var/lib/hostnet/history.db --json     a history, as ECS documents")]
pub struct Args {
    /// A file written by `hostnet watch --record`, the history of an agent, or events as
    /// hostnet writes them, one JSON document per line; `-` is standard input. Which it
    /// is, is told by what is in it.
    file: PathBuf,
    /// Print only this container: its name, its id or the beginning of its id.
    #[arg(long, value_name = "NAME|ID")]
    container: Option<String>,
    /// Judge what happened by today's detections and expectations: what they find is
    /// told after the event that shows it. What was found then is told, too.
    ///
    /// Events from before hostnet said what they are aimed at are judged without
    /// knowing the host's addresses and networks.
    #[arg(long)]
    judge: bool,
    /// Configuration file to judge by [default: /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    shown: Shown,
}

pub fn run(args: &Args) -> Result<Exit> {
    let name = args.file.display();
    let mut file = lines::open(&args.file)?;
    let mut start = Vec::new();
    let begun = file.by_ref().take(SQLITE.len() as u64).read_to_end(&mut start);
    begun.with_context(|| format!("cannot read {name}")).map_err(Usage)?;
    let wanted = args.container.as_deref();
    if start == SQLITE && args.file != Path::new("-") {
        let reader = Reader::open(&args.file).with_context(|| format!("cannot open {name}"));
        let reader = reader.map_err(Usage)?;
        let filter = match wanted {
            Some(wanted) => {
                Filter::of_ids(query::Filter::containers(&History::open(&args.file)?, wanted)?)
            }
            None => Filter::default(),
        };
        return told_before(args, &filter, Past::of_history(reader, Span::ALL));
    }
    let is_recording = is_recording(&start);
    let whole = Cursor::new(start).chain(file);
    let Some(wanted) = wanted else {
        return all(args, Filter::default(), is_recording, Box::new(whole));
    };
    // It is read twice: which container a name or the beginning of an id means follows from all
    // containers in it.
    let mut twice = rewindable(&args.file, whole).with_context(|| format!("cannot read {name}"))?;
    let filter = selected(wanted, is_recording, Box::new(BufReader::new(twice.try_clone()?)))?;
    twice.rewind()?;
    all(args, filter, is_recording, Box::new(BufReader::with_capacity(1 << 18, twice)))
}

/// The file, or a copy of what comes through a pipe.
fn rewindable(path: &Path, mut whole: impl Read) -> Result<File> {
    if path != Path::new("-") && path.is_file() {
        return Ok(File::open(path)?);
    }
    let mut copy = tempfile::tempfile()?;
    std::io::copy(&mut whole, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}

/// A filter that knows all containers.
fn selected(wanted: &str, is_recording: bool, from: Box<dyn BufRead>) -> Result<Filter> {
    let mut filter = Filter::of(Some(wanted.to_owned()));
    if is_recording {
        let mut recording = Recording::read(from).map_err(Usage)?;
        let (policy, ..) = origin(&mut recording)?;
        let judge = Judge::new(&Law::default());
        let mut stages = Stages::new(policy, judge, filter, Vec::new());
        while let Some((tag, bytes)) = recording.frame()? {
            stages.input(input::from_frame(tag, bytes)?)?;
            drop(stages.take_requests());
        }
        stages.finish()?;
        filter = stages.filter().clone();
    } else {
        let events = Past::of_lines(from, Span::ALL).flatten();
        events.for_each(|told| filter.note(&told.record.event));
    }
    match filter.start() {
        Some(not_selected) => Err(not_selected.into()),
        None => Ok(filter.fixed()),
    }
}

fn all(args: &Args, filter: Filter, is_recording: bool, whole: Box<dyn BufRead>) -> Result<Exit> {
    if is_recording {
        let name = args.file.display();
        let recording = Recording::read(whole).with_context(|| format!("cannot replay {name}"));
        return recorded(args, filter, recording.map_err(Usage)?);
    }
    told_before(args, &filter, Past::of_lines(whole, Span::ALL))
}

/// Where a recording was made, and by which law the run was judged.
fn origin(recording: &mut Recording<impl Read>) -> Result<(Policy, Identity, Box<Law>)> {
    let Some((tag, bytes)) = recording.frame()? else { bail!("the recording is empty") };
    match input::from_frame(tag, bytes)? {
        Input::World(World::Run { policy, identity, law }) => Ok((policy, identity, law)),
        _ => bail!("the recording does not begin with the host and settings of its run"),
    }
}

fn recorded(args: &Args, filter: Filter, mut recording: Recording<impl Read>) -> Result<Exit> {
    let (policy, identity, law) = origin(&mut recording)?;
    // A recording has the law that the run was judged by.
    let law = match args.judge {
        true => Config::read(args.config.as_deref()).map_err(Usage)?.law(),
        false => *law,
    };
    let outputs = vec![args.shown.output(&identity)];
    let mut stages = Stages::new(policy, Judge::new(&law), filter, outputs);
    stages.identify(&identity);
    while let Some((tag, bytes)) = recording.frame()? {
        stages.input(input::from_frame(tag, bytes)?)?;
        // There is no kernel to class cgroups in, and no runtime to ask.
        drop(stages.take_requests());
    }
    stages.finish()?;
    stages.flush()?;
    Ok(Exit::Ok)
}

/// What is no event is named, and the others go on.
fn told_before(args: &Args, filter: &Filter, mut past: Past) -> Result<Exit> {
    let mut shown = args.shown.retold();
    let mut court = args.judge.then(|| Court::open(args)).transpose()?;
    let mut bad = BadLines::default();
    while let Some(told) = past.next() {
        match told {
            Ok(mut told) => {
                let is_again = court.as_ref().is_some_and(|court| court.has(&told.record.event));
                if !is_again && filter.passes(&told.record.event) {
                    shown.write(&told)?;
                }
                let Some(court) = &mut court else { continue };
                for finding in court.judge(&mut told) {
                    if filter.passes(&finding.event) {
                        shown.found(&finding, past.identity())?;
                    }
                }
            }
            Err(Unread::Rest(error)) => {
                shown.flush()?;
                return Err(
                    error.context(format!("cannot replay the rest of {}", args.file.display()))
                );
            }
            Err(one @ Unread::One { .. }) => {
                // In its place among the others, where both are on one terminal.
                shown.flush()?;
                bad.say(&format!("{}: {one}", args.file.display()))?;
            }
        }
    }
    shown.flush()?;
    bad.finish()
}

/// Judges what was told before, by the law of today.
struct Court {
    judge: Judge,
    /// What it found in the last event.
    found: Vec<Event>,
}

impl Court {
    fn open(args: &Args) -> Result<Self> {
        let config = Config::read(args.config.as_deref()).map_err(Usage)?;
        Ok(Self { judge: Judge::new(&config.law()), found: Vec::new() })
    }

    /// Whether an event is a finding that has just been made again: it was told right
    /// after the event that shows it, and has the same id whenever it is made.
    fn has(&self, event: &Event) -> bool {
        event.is_finding() && self.found.iter().any(|found| found.id == event.id)
    }

    /// What it finds. These have no place in the run, which is told by 0.
    fn judge(&mut self, told: &mut Told) -> Vec<Recorded> {
        let (event, seen_ns) = (&mut told.record.event, told.record.seen_ns);
        if event.is_finding() {
            return Vec::new();
        }
        self.found.clear();
        self.judge.judge(event, &mut self.found);
        let place = |event: &Event| Recorded { sequence: 0, seen_ns, event: event.clone() };
        self.found.iter().map(place).collect()
    }
}
