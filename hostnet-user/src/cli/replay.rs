//! `hostnet replay`: what was told before, once more. A recorded run goes through the
//! same stages as a live one; a history and lines of ours are events already.

use std::{
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
};

use super::{Usage, lines, shown::Shown};
use crate::{
    config::Config,
    event::Event,
    exit_code::Exit,
    input::{self, Input, World},
    judge::Judge,
    kernel::{Recording, is_recording},
    past::{Past, Span, Told, Unread},
    record::{Reader, Recorded},
    stages::{Filter, Stages},
    text::for_terminal,
};
use anyhow::{Context, Result, bail};

/// Most lines named that are no events; all are counted.
const MOST_NAMED: u64 = 100;

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
    let filter = Filter { container: args.container.clone() };
    if start == SQLITE && args.file != Path::new("-") {
        let reader = Reader::open(&args.file).with_context(|| format!("cannot open {name}"));
        return told_before(args, &filter, Past::of_history(reader.map_err(Usage)?, Span::ALL));
    }
    let is_recording = is_recording(&start);
    let whole = Cursor::new(start).chain(file);
    if is_recording {
        let recording = Recording::read(whole).with_context(|| format!("cannot replay {name}"));
        return recorded(args, filter, recording.map_err(Usage)?);
    }
    told_before(args, &filter, Past::of_lines(Box::new(whole), Span::ALL))
}

fn recorded(args: &Args, filter: Filter, mut recording: Recording<impl Read>) -> Result<Exit> {
    let Some((tag, bytes)) = recording.frame()? else { bail!("the recording is empty") };
    let Input::World(World::Run { policy, identity, law }) = input::from_frame(tag, bytes)? else {
        bail!("the recording does not begin with where it was made");
    };
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
    let mut unread = 0;
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
                return Err(error.context(format!("cannot replay {} on", args.file.display())));
            }
            Err(one @ Unread::One { .. }) => {
                unread += 1;
                if unread <= MOST_NAMED {
                    // In its place among the others, where both are on one terminal.
                    shown.flush()?;
                    say(&format!("{}: {one}", args.file.display()))?;
                }
            }
        }
    }
    shown.flush()?;
    if unread > MOST_NAMED {
        say(&format!("{} more could not be read", unread - MOST_NAMED))?;
    }
    Ok(if unread == 0 { Exit::Ok } else { Exit::Partial })
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

fn say(message: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{}", for_terminal(message))?)
}
