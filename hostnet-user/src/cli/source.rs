//! What is asked: the configured history, another one, or a file of events.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};

use super::{
    Usage, lines,
    progress::{self, Progress},
};
use crate::{config::Config, query::History, text::for_terminal};

/// Opens `file` when there is one, else the history.
pub fn open(path: Option<&Path>, file: Option<&Path>) -> Result<History> {
    let mut history = match file {
        Some(file) => of_lines(file)?,
        None => History::open(&history(path)?)?,
    };
    let mut progress = Progress::new();
    history.watch(move |_| {
        progress.at(|seconds| format!("still looking, {seconds} s"));
        false
    })?;
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
            "there is no history {shown}: `hostnet agent` writes it; name another one with --history"
        ))
        .into());
    }
    Ok(path)
}

fn of_lines(file: &Path) -> Result<History> {
    let mut progress = Progress::new();
    let tick = |events| progress.at(|_| format!("{events} events read"));
    let (history, loaded) = History::of_lines(lines::open(file)?, tick)
        .with_context(|| format!("cannot ask {}", file.display()))
        .map_err(Usage)?;
    progress::done();
    if let Some(first) = &loaded.first_bad {
        let first = for_terminal(first);
        let (bad, s) = (loaded.bad, if loaded.bad == 1 { " is" } else { "s are" });
        let said = format!("{bad} line{s} not an event of hostnet in ECS, the first: {first}");
        writeln!(std::io::stderr(), "hostnet: {said}")?;
    }
    Ok(history)
}
