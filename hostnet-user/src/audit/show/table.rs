//! The audit for a person. Every text in it may have been chosen by an attacker, so
//! all of it goes through [`for_terminal`] before it is padded or coloured.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::{
    audit::{Audit, Level, Subject, Verdict},
    text::for_terminal,
};

const COLUMNS: [&str; 8] =
    ["CONTAINER", "IMAGE", "RUNTIME", "IN BY", "PROCS", "LISTENS", "CONNS", "EXPECTED"];

/// A cell is no longer than this.
const WIDEST: usize = 34;

pub fn write(audit: &Audit, to: &mut impl Write) -> io::Result<()> {
    let bold = Style::new().bold();
    if audit.in_host_network.is_empty() {
        writeln!(to, "Nothing but the host is in the host's network namespace.")?;
    } else {
        grid(&audit.in_host_network, to)?;
        for subject in &audit.in_host_network {
            reasons(subject, to)?;
        }
    }
    for agreement in &audit.docker_ps {
        writeln!(
            to,
            "\n{bold}docker ps --filter network=host{bold:#} ({})",
            safe(&agreement.endpoint)
        )?;
        if agreement.agrees {
            writeln!(to, "  is right: {} running", agreement.listed.len())?;
        }
        for one in &agreement.disagreements {
            let shows = if one.is_listed { "shows" } else { "does not show" };
            writeln!(to, "  {shows} {}: {}", safe(&one.label), safe(&one.why))?;
        }
    }
    let cis = &audit.cis;
    let failed = cis.containers.iter().filter(|one| one.result == Verdict::Fail);
    let result = if cis.result == Verdict::Pass { "pass" } else { "fail" };
    writeln!(
        to,
        "\n{bold}{} {}{bold:#} {}: {result}",
        cis.benchmark, cis.recommendation, cis.title
    )?;
    for one in failed {
        writeln!(
            to,
            "  fail {}: {}",
            safe(name(&one.name, &one.container_id)),
            safe(&one.evidence)
        )?;
    }
    if !audit.complete {
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        writeln!(to, "\n{style}Not all was seen{style:#}")?;
        for gap in &audit.gaps {
            writeln!(to, "  {}", safe(gap))?;
        }
    }
    Ok(())
}

fn safe(text: &str) -> std::borrow::Cow<'_, str> {
    for_terminal(text)
}

fn name<'a>(name: &'a str, id: &'a str) -> &'a str {
    if name.is_empty() { id.get(..12).unwrap_or(id) } else { name }
}

fn grid(subjects: &[Subject], to: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 8]> = subjects.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([COLUMNS[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let bold = Style::new().bold();
    write!(to, "{bold}")?;
    for (title, width) in COLUMNS.iter().zip(widths) {
        write!(to, "{title:width$}  ")?;
    }
    writeln!(to, "RISK{bold:#}")?;
    for (row, subject) in rows.iter().zip(subjects) {
        for (cell, width) in row.iter().zip(widths) {
            write!(to, "{cell:width$}  ")?;
        }
        let style = style(subject.risk);
        writeln!(to, "{style}{}{style:#}", subject.risk)?;
    }
    Ok(())
}

fn cells(subject: &Subject) -> [String; 8] {
    let image = subject.container.as_ref().map_or("-", |container| &container.image);
    let listeners = subject.holds.listeners.iter().filter(|one| !one.is_chosen);
    let listens: Vec<String> = listeners.map(|one| one.words()).collect();
    let listens = if listens.is_empty() { "-".to_owned() } else { listens.join(" ") };
    let expected = match (subject.expectation.standing, subject.expectation.held()) {
        ("unexpected", _) => "no".to_owned(),
        ("expired", _) => "expired".to_owned(),
        (_, held) => held.map_or_else(String::new, |held| match held.until {
            Some(until) => format!("until {until}"),
            None => "yes".to_owned(),
        }),
    };
    [
        cell(&subject.label),
        cell(image),
        cell(subject.runtime.as_deref().unwrap_or("-")),
        cell(&subject.way.words()),
        subject.processes.len().to_string(),
        cell(&listens),
        subject.holds.connections.count.to_string(),
        cell(&expected),
    ]
}

/// Safe text, cut to the widest cell.
fn cell(text: &str) -> String {
    let safe = for_terminal(text);
    if safe.chars().count() <= WIDEST {
        return safe.into_owned();
    }
    let cut: String = safe.chars().take(WIDEST - 1).collect();
    format!("{cut}…")
}

fn reasons(subject: &Subject, to: &mut impl Write) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(to, "\n{bold}{}{bold:#}", safe(&subject.label))?;
    if let Some(held) = subject.expectation.held() {
        let owner = held.owner.as_deref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        writeln!(to, "  expected: {}{}", safe(&held.reason), safe(&owner))?;
    }
    for reason in &subject.reasons {
        let style = style(reason.level);
        writeln!(to, "  {style}{:8}{style:#}  {}", reason.level, safe(&reason.says))?;
    }
    Ok(())
}

const fn style(level: Level) -> Style {
    let color = match level {
        Level::None | Level::Low => return Style::new(),
        Level::Medium => AnsiColor::Yellow,
        Level::High => AnsiColor::Red,
        Level::Critical => AnsiColor::Magenta,
    };
    Style::new().fg_color(Some(anstyle::Color::Ansi(color)))
}
