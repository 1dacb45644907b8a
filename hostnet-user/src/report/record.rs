//! Whether the record of a time is whole: who looked when, what was lost, and what
//! could be seen at all.

use anyhow::Result;
use serde_json::Value as Json;

use super::facts::{AgentRun, Covered, Gap, Record};
use crate::{
    event::Action,
    query::{self, Event, History, Runs, Time},
};

/// Gaps and runs in the list.
const GAPS: usize = 100;
const RUNS: usize = 50;

/// Ends and beginnings of two runs that are this near leave no gap: the last of one and
/// the first of the next are never at the same moment.
const NO_GAP_NS: i64 = 1;

pub fn gather(history: &History, runs: &Runs, (from, to): (Time, Time)) -> Result<Record> {
    let mut gaps: Vec<Gap> = runs
        .losses
        .iter()
        .filter(|loss| loss.from <= to && loss.to >= from)
        .map(|loss| gap(loss, false))
        .collect();
    gaps.extend(blind(runs, from, to));
    gaps.sort_by_key(|gap| gap.times);
    let of = gaps.len();
    gaps.truncate(GAPS);
    let coverage = [
        query::last_event(history, Action::AgentStarted, to)?,
        query::last_event(history, Action::CoverageChanged, to)?,
    ];
    let last = coverage.into_iter().flatten().max_by_key(|event| event.time);
    let (coverage, is_covered) = last.map(|event| covered(&event)).unwrap_or_default();
    let in_window = |run: &&query::Run| run.last >= from && run.began <= to;
    let mut shown: Vec<AgentRun> = runs
        .runs
        .iter()
        .rev()
        .filter(in_window)
        .take(RUNS)
        .map(|run| AgentRun {
            run: run.run.clone(),
            times: (run.began, run.last),
            has_ended: run.has_ended,
        })
        .collect();
    shown.reverse();
    Ok(Record { runs: shown, gaps, of, coverage, is_covered })
}

fn gap(doubt: &query::Doubt, is_blind: bool) -> Gap {
    Gap { times: (doubt.from, doubt.to), why: doubt.why.clone(), is_blind }
}

/// Times in the window at which no agent looked: before the first run, between two, and
/// after the last.
fn blind(runs: &Runs, from: Time, to: Time) -> Vec<Gap> {
    let mut edges: Vec<(Time, Time)> = Vec::new();
    let mut after = from;
    for run in &runs.runs {
        if run.began > after {
            edges.push((after, run.began.min(to)));
        }
        after = after.max(run.last);
    }
    if after < to {
        edges.push((after, to));
    }
    let middle = |(a, b): &(Time, Time)| Time(a.0 / 2 + b.0 / 2);
    edges
        .iter()
        .filter(|(a, b)| b.0 - a.0 > NO_GAP_NS)
        .filter(|edge| runs.at(middle(edge)).is_none())
        .map(|edge| {
            let doubt = runs.why_not_at(middle(edge));
            Gap { times: *edge, ..gap(&doubt, true) }
        })
        .collect()
}

fn covered(event: &Event) -> (Vec<Covered>, bool) {
    let health = &event.read.hostnet.health;
    let rows = health["coverage"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |row: &Json| {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        Covered {
            operation: text("operation"),
            hook: text("hook"),
            set: text("set"),
            state: text("state"),
            reason: text("reason"),
        }
    };
    let is_complete = health["complete"].as_bool().unwrap_or_default();
    (rows.iter().map(row).collect(), is_complete)
}
