//! What is asked: the configured history, another one, or a file of events.

use std::{
    fs::File,
    io::{BufRead, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use crate::{cli::Usage, config::Config, query::History, text::for_terminal};

/// How long a question may take before a person is told that it goes on.
const SILENT: Duration = Duration::from_secs(2);

/// Opens `file` when there is one, else the history.
pub fn open(path: Option<&Path>, file: Option<&Path>) -> Result<History> {
    let mut history = match file {
        Some(file) => lines(file)?,
        None => History::open(&history(path)?)?,
    };
    if is_watched() {
        let mut told = 0;
        history.watch(move |elapsed| {
            if elapsed > SILENT && elapsed.as_secs() > told {
                told = elapsed.as_secs();
                progress(&format!("still looking, {told} s"));
            }
            false
        })?;
    }
    Ok(history)
}

/// Where the history is: as given, or as configured.
pub fn history(path: Option<&Path>) -> Result<PathBuf> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => Config::read(None).map_err(Usage)?.history.path(),
    };
    if !path.is_file() {
        let shown = path.display();
        return Err(Usage(anyhow!(
            "there is no history {shown}: run `hostnet agent`, or name a history with --history \
             or a file of events with --file"
        ))
        .into());
    }
    Ok(path)
}

fn lines(file: &Path) -> Result<History> {
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()));
        Box::new(BufReader::with_capacity(1 << 18, opened.map_err(Usage)?))
    };
    let is_watched = is_watched();
    let (history, loaded) = History::of_lines(reader, |events| {
        if is_watched {
            progress(&format!("{events} events read"));
        }
    })
    .with_context(|| format!("cannot ask {}", file.display()))
    .map_err(Usage)?;
    done();
    if let Some(first) = &loaded.first_bad {
        let first = for_terminal(first);
        let said = format!("{} lines are no event of hostnet in ECS; {first}", loaded.bad);
        writeln!(std::io::stderr(), "hostnet: {said}")?;
    }
    Ok(history)
}

/// Whether a person looks at the messages.
fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

fn progress(text: &str) {
    // Nobody is to fail because a message cannot be written.
    drop(write!(std::io::stderr(), "\r\u{1b}[K{text} …"));
}

/// Takes the last progress away.
pub fn done() {
    if is_watched() {
        drop(write!(std::io::stderr(), "\r\u{1b}[K"));
    }
}
