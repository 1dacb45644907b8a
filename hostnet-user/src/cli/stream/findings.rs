//! How the answer of `hostnet stream check` is shown.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::{
    cli::lines::BadLines,
    completeness::{Run, Verdict},
    text::for_terminal,
};

/// Most holes shown of a run in text; JSON has more.
const MOST_SHOWN: usize = 10;

/// Everything that was found.
#[derive(Default)]
pub struct Findings {
    /// Lines that are not empty.
    pub lines: u64,
    /// Lines that are no event.
    pub bad_lines: u64,
    /// Some of them.
    pub bad: Vec<BadLine>,
    /// The runs, in the order in which they began.
    pub runs: Vec<Run>,
}

/// A line that is no event.
pub struct BadLine {
    pub file: String,
    pub line: u64,
    pub reason: String,
}

impl Findings {
    /// The worst of the runs' verdicts; `None` without a run.
    pub fn verdict(&self) -> Option<Verdict> {
        self.runs.iter().map(Run::verdict).max_by_key(|verdict| match verdict {
            Verdict::Complete => 0,
            Verdict::Accounted => 1,
            Verdict::Filtered => 2,
            Verdict::Incomplete => 3,
        })
    }

    pub fn as_json(&self) -> Value {
        let bad =
            |bad: &BadLine| json!({ "file": bad.file, "line": bad.line, "reason": bad.reason });
        json!({
            "verdict": self.verdict().map(Verdict::name),
            "lines": self.lines,
            "bad_lines": self.bad_lines,
            "bad": self.bad.iter().map(bad).collect::<Vec<_>>(),
            "runs": self.runs.iter().map(run_as_json).collect::<Vec<_>>(),
        })
    }

    pub fn as_text(&self, out: &mut impl Write) -> io::Result<()> {
        for run in &self.runs {
            run_as_text(run, out)?;
        }
        for BadLine { file, line, reason } in self.bad.iter().take(BadLines::NAMED as usize) {
            let (file, reason) = (for_terminal(file), for_terminal(reason));
            writeln!(out, "not an event: {file}:{line}: {reason}")?;
        }
        if self.bad_lines > BadLines::NAMED {
            writeln!(out, "… and {} more", self.bad_lines - BadLines::NAMED)?;
        }
        let (lines, runs) = (self.lines, self.runs.len());
        let verdict = self.verdict().map_or("no events of hostnet", Verdict::name);
        let bad = match self.bad_lines {
            0 => String::new(),
            bad => format!(", {bad} of them not events"),
        };
        writeln!(out, "{verdict}: {lines} lines{bad}, {runs} runs")
    }
}

fn run_as_json(run: &Run) -> Value {
    let (holes, missing) = run.holes();
    let holes: Vec<Value> =
        holes.iter().map(|hole| json!({ "first": hole.first, "last": hole.last })).collect();
    let untold = run.untold.iter().map(|(what, count)| {
        json!({
            "place": what.place,
            "owner": what.owner,
            "operation": what.operation,
            "count": count,
        })
    });
    json!({
        "run": run.id,
        "host": run.host,
        "verdict": run.verdict().name(),
        "first": run.first,
        "last": run.last,
        "events": run.events,
        "last_sequence": run.last_place(),
        "missing": missing,
        "holes": holes,
        "duplicates": run.duplicates,
        "conflicts": run.conflicts,
        "unplaced": run.unplaced,
        "stopped": run.stopped.as_ref().map(|(reason, _)| reason),
        "crashed_after": run.crashed_after,
        "checkpoints": run.checkpoints,
        "untold": run.untold_count(),
        "untold_by": untold.collect::<Vec<_>>(),
    })
}

fn run_as_text(run: &Run, out: &mut impl Write) -> io::Result<()> {
    let Run { id, host, first, last, events, duplicates, checkpoints, .. } = run;
    let (id, host) = (for_terminal(id), for_terminal(host));
    let (first, last) = (for_terminal(first), for_terminal(last));
    writeln!(out, "{}: run {id} on {host}, {first} to {last}", run.verdict().name())?;
    writeln!(out, "  {events} events, {duplicates} repeated lines, {checkpoints} checkpoints")?;
    let (holes, missing) = run.holes();
    if missing > 0 {
        let shown = holes.iter().take(MOST_SHOWN).map(|hole| match hole.last - hole.first {
            0 => hole.first.to_string(),
            _ => format!("{} to {}", hole.first, hole.last),
        });
        let mut shown: Vec<String> = shown.collect();
        if holes.len() > MOST_SHOWN {
            shown.push("…".to_owned());
        }
        let what = if run.is_filtered { "missing or left out by the filter" } else { "missing" };
        writeln!(out, "  {missing} events are {what}: {}", shown.join(", "))?;
    }
    if run.conflicts > 0 {
        writeln!(
            out,
            "  {} lines have a sequence number that another event already has",
            run.conflicts
        )?;
    }
    if run.unplaced > 0 {
        writeln!(out, "  {} lines could not be placed: too much is missing", run.unplaced)?;
    }
    for (what, count) in &run.untold {
        let known = |text: &str| match text {
            "" => "not known".to_owned(),
            text => for_terminal(text).into_owned(),
        };
        let place = for_terminal(&what.place);
        let (owner, operation) = (known(&what.owner), known(&what.operation));
        writeln!(
            out,
            "  counted but not in the stream ({place}): {count} × {operation} of {owner}"
        )?;
    }
    match (&run.stopped, run.crashed_after) {
        (Some((reason, _)), _) if run.has_ended() => {
            writeln!(out, "  stopped: {}", for_terminal(reason))
        }
        (Some(_), _) => writeln!(out, "  agent-stopped is not its last event"),
        (None, Some(sequence)) => {
            writeln!(
                out,
                "  the agent was killed or crashed after event {sequence}, as its next run found"
            )
        }
        (None, None) => {
            writeln!(
                out,
                "  no end: the agent still runs, was killed, or the end is in another file"
            )
        }
    }
}
