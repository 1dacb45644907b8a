//! The audit for a person. Every text in it may have been chosen by an attacker, so
//! all of it goes through [`for_terminal`] before it is padded or coloured.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::{
    audit::{Audit, Level, PartOf, Reason, Subject, Verdict},
    event::short_id,
    judge::expectations::Expectation,
    text::for_terminal,
};

const COLUMNS: [&str; 8] =
    ["CONTAINER", "IMAGE", "RUNTIME", "IN BY", "PROCS", "LISTENS", "CONNS", "EXPECTED"];

/// A cell is no longer than this.
const WIDEST: usize = 34;

pub fn write(audit: &Audit, to: &mut impl Write) -> io::Result<()> {
    let bold = Style::new().bold();
    if !audit.complete {
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        writeln!(to, "{style}This audit is not complete:{style:#}")?;
        for gap in &audit.gaps {
            writeln!(to, "  {}", safe(gap))?;
        }
        writeln!(to)?;
    }
    if audit.in_host_network.is_empty() {
        writeln!(to, "Nothing but the host is in the host's network namespace.")?;
    } else {
        let rows = Row::all(&audit.in_host_network);
        grid(&rows, to)?;
        for row in &rows {
            reasons(row, to)?;
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
    Ok(())
}

fn safe(text: &str) -> std::borrow::Cow<'_, str> {
    for_terminal(text)
}

fn name<'a>(name: &'a str, id: &'a str) -> &'a str {
    if name.is_empty() { short_id(id) } else { name }
}

/// A row: a container, or all tasks of a service, which are judged as one.
struct Row<'a> {
    label: String,
    /// At least one.
    subjects: Vec<&'a Subject>,
}

impl<'a> Row<'a> {
    fn all(subjects: &'a [Subject]) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for subject in subjects {
            let is_of_same = |other: &&Subject| other.part_of == subject.part_of;
            // Its pod's other containers are there, and it does nothing beside.
            let is_beside =
                |other: &&Subject| is_of_same(other) && other.container_id != subject.container_id;
            if subject.only_holds_namespaces()
                && subject.part_of.is_some()
                && subjects.iter().any(|other| is_beside(&other))
            {
                continue;
            }
            let service = match &subject.part_of {
                Some(PartOf::SwarmService(name)) => Some(name),
                Some(PartOf::PodmanPod(_)) | None => None,
            };
            let known = service
                .and_then(|_| rows.iter_mut().find(|row| row.subjects.iter().any(is_of_same)));
            match (known, service) {
                (Some(row), _) => row.subjects.push(subject),
                (None, Some(name)) => {
                    rows.push(Self { label: name.clone(), subjects: vec![subject] })
                }
                (None, None) => {
                    rows.push(Self { label: subject.label.clone(), subjects: vec![subject] });
                }
            }
        }
        rows
    }

    fn risk(&self) -> Level {
        self.subjects.iter().map(|subject| subject.risk).max().unwrap_or_default()
    }

    /// What each says, once.
    fn distinct(&self, say: impl Fn(&Subject) -> Vec<String>) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for text in self.subjects.iter().flat_map(|subject| say(subject)) {
            if !all.contains(&text) {
                all.push(text);
            }
        }
        all
    }

    /// The heading of its reasons.
    fn title(&self) -> String {
        let names: Vec<&str> = self.subjects.iter().map(|subject| &*subject.label).collect();
        match self.subjects.first().and_then(|subject| subject.part_of.as_ref()) {
            Some(PartOf::SwarmService(name)) => {
                let count = names.len();
                let tasks = if count == 1 { "task" } else { "tasks" };
                format!("{name}: Swarm service with {count} {tasks} here: {}", names.join(", "))
            }
            Some(PartOf::PodmanPod(pod)) => format!("{} in pod {pod}", self.label),
            None => self.label.clone(),
        }
    }
}

fn grid(all: &[Row<'_>], to: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 8]> = all.iter().map(cells).collect();
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
    for (cells, row) in rows.iter().zip(all) {
        for (cell, width) in cells.iter().zip(widths) {
            write!(to, "{cell:width$}  ")?;
        }
        let style = style(row.risk());
        writeln!(to, "{style}{}{style:#}", row.risk())?;
    }
    Ok(())
}

fn cells(row: &Row<'_>) -> [String; 8] {
    let sum = |count: fn(&Subject) -> usize| {
        row.subjects.iter().map(|subject| count(subject)).sum::<usize>().to_string()
    };
    let listens = row.distinct(|subject| {
        let listeners = subject.holds.listeners.iter().filter(|one| !one.is_chosen);
        listeners.map(|one| one.words()).collect()
    });
    let listens = if listens.is_empty() { "-".to_owned() } else { listens.join(" ") };
    let runtime = |subject: &Subject| subject.runtime.clone().unwrap_or_else(|| "-".to_owned());
    [
        cell(&row.label),
        cell(&row.distinct(|subject| vec![image(subject).to_owned()]).join(" ")),
        cell(&row.distinct(|subject| vec![runtime(subject)]).join(" ")),
        cell(&row.distinct(|subject| vec![subject.way.words()]).join("; ")),
        sum(|subject| subject.processes.len()),
        cell(&listens),
        sum(|subject| subject.holds.connections.count),
        cell(&row.distinct(|subject| vec![expected(subject)]).join(", ")),
    ]
}

/// The image it was made from. Where the runtime could not be asked for it, a hash is
/// all that its list has of an image that got another name since.
fn image(subject: &Subject) -> &str {
    match subject.container.as_deref() {
        Some(container) if container.is_inspected() => &container.image,
        Some(container) if container.image.is_empty() => "?",
        Some(container) if container.image.starts_with("sha256:") => "?",
        Some(container) => &container.image,
        None if subject.container_id.is_some() => "?",
        None => "-",
    }
}

fn expected(subject: &Subject) -> String {
    match (subject.expectation.standing, subject.expectation.held()) {
        ("unexpected", _) => "no".to_owned(),
        ("expired", _) => "expired".to_owned(),
        ("unknown", _) => "?".to_owned(),
        (_, held) => held.map_or_else(String::new, |held| match held.until {
            Some(until) => format!("until {until}"),
            None => "yes".to_owned(),
        }),
    }
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

fn reasons(row: &Row<'_>, to: &mut impl Write) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(to, "\n{bold}{}{bold:#}", safe(&row.title()))?;
    for line in
        row.distinct(|subject| subject.expectation.held().map(allowed).into_iter().collect())
    {
        writeln!(to, "  {}", safe(&line))?;
    }
    let mut reasons: Vec<&Reason> = Vec::new();
    for reason in row.subjects.iter().flat_map(|subject| &subject.reasons) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    for reason in reasons {
        let style = style(reason.level);
        writeln!(to, "  {style}{:8}{style:#}  {}", reason.level, safe(&reason.says))?;
    }
    Ok(())
}

/// What allows it.
fn allowed(expectation: &Expectation) -> String {
    let owner = expectation.owner.as_deref().map(|owner| format!(" ({owner})")).unwrap_or_default();
    format!("expected: {}{owner}", expectation.reason)
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
