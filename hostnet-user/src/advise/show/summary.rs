//! All containers, a line each.

use std::io::{self, Write};

use anstyle::Style;

use super::{
    text::{safe, style},
    units,
};
use crate::advise::Advice;

/// A cell is no longer than this.
const WIDEST: usize = 30;
/// Options that a line names.
const MOST_OPTIONS: usize = 6;

pub fn write(advice: &[Advice], to: &mut impl Write) -> io::Result<()> {
    if advice.is_empty() {
        return writeln!(to, "No container was seen in the host's network namespace.");
    }
    let rows: Vec<[String; 5]> = advice.iter().map(cells).collect();
    let titles = ["CONTAINER", "IMAGE", "HOST NETWORKING", "CONFIDENCE", "OBSERVED"];
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or_default()
    });
    let bold = Style::new().bold();
    write!(to, "{bold}")?;
    for (title, width) in titles.iter().zip(widths) {
        write!(to, "{title:width$}  ")?;
    }
    writeln!(to, "REASON / CHANGE{bold:#}")?;
    for (row, one) in rows.iter().zip(advice) {
        let style = style(one.verdict.answer);
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if column == 2 {
                write!(to, "{style}{cell:width$}{style:#}  ")?;
            } else {
                write!(to, "{cell:width$}  ")?;
            }
        }
        writeln!(to, "{}", why(one))?;
    }
    writeln!(to, "\nhostnet advise CONTAINER shows the evidence and the change.")
}

fn cells(one: &Advice) -> [String; 5] {
    let confidence = one.verdict.confidence.map_or("-", |confidence| confidence.word());
    [
        cell(&one.label),
        cell(if one.image.is_empty() { "-" } else { &one.image }),
        one.verdict.answer.words().to_owned(),
        confidence.to_owned(),
        units::duration(one.observed.observed_ns),
    ]
}

/// The first reason in short, or what a bridge network needs; safe to show.
fn why(one: &Advice) -> String {
    let short = |reason: &String| match reason.split_once(": ") {
        Some((what, _)) => safe(what).into_owned(),
        None => safe(reason).into_owned(),
    };
    match one.verdict.because.as_slice() {
        [] if one.change.docker_run.is_empty() => "nothing to publish".to_owned(),
        [] => options(one),
        [reason] => short(reason),
        [reason, more @ ..] => format!("{} (and {} more)", short(reason), more.len()),
    }
}

/// The first options of the change.
fn options(one: &Advice) -> String {
    match one.change.options(MOST_OPTIONS) {
        (shown, 0) => shown,
        (shown, more) => format!("{shown} (and {more} more)"),
    }
}

/// Safe text, cut to the widest cell.
fn cell(text: &str) -> String {
    let safe = safe(text);
    if safe.chars().count() <= WIDEST {
        return safe.into_owned();
    }
    let cut: String = safe.chars().take(WIDEST - 1).collect();
    format!("{cut}…")
}
