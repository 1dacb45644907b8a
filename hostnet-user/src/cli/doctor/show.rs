//! The report, as a table for a person or as one JSON document.

use std::{fmt::Write as _, io::Write as _};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use serde::Serialize;

use super::{Check, Status, exit, programs};
use crate::{
    kernel::{Coverage, Row, State},
    output::is_broken_pipe,
    text::{for_terminal, json},
};

// Widths of the columns, in characters, each followed by two spaces.
const STATUS: usize = 8;
const NAME: usize = 16;

/// Where a finding starts.
const FINDING: usize = STATUS + NAME + 4;

/// The width where there is no terminal to ask.
const WIDTH: usize = 100;

/// The one JSON document.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    status: Status,
    exit_code: u8,
    checks: &'a [Check],
    coverage: Vec<Row>,
}

pub fn json(checks: &[Check], coverage: &Coverage, status: Status) -> Result<()> {
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        status,
        exit_code: exit(status) as u8,
        checks,
        coverage: coverage.rows(),
    };
    print(&json::pretty(&report)?)
}

pub fn table(checks: &[Check], coverage: &Coverage, status: Status) -> Result<()> {
    let (mut text, width) = (String::new(), width());
    write_checks(&mut text, checks, width)?;
    write_coverage(&mut text, coverage, width)?;
    let style = style(status);
    let verdict = match status {
        Status::Ok => "all that is needed for full observation is there",
        Status::Warn => "this host can be observed, but not in full: see the warnings",
        Status::Fail => "this host cannot be observed: see the failures",
    };
    writeln!(text, "\n{style}{verdict}{style:#}")?;
    print(&text)
}

fn write_checks(text: &mut String, checks: &[Check], width: usize) -> Result<()> {
    let bold = Style::new().bold();
    writeln!(text, "{bold}{:STATUS$}  {:NAME$}  FINDING{bold:#}", "STATUS", "CHECK")?;
    for check in checks {
        let style = style(check.status);
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        write!(text, "{style}{status:STATUS$}{style:#}  {:NAME$}  ", check.name)?;
        text.push_str(&wrapped(&check.finding, FINDING, width));
        if let Some(advice) = &check.advice {
            write!(text, "{:FINDING$}→ {}", "", wrapped(advice, FINDING + 2, width))?;
        }
    }
    Ok(())
}

fn write_coverage(text: &mut String, coverage: &Coverage, width: usize) -> Result<()> {
    let rows = coverage.rows();
    if rows.is_empty() {
        return Ok(());
    }
    let bold = Style::new().bold();
    let wide = rows.iter().map(|row| row.operation.chars().count()).max().unwrap_or(0);
    writeln!(text, "\n{bold}{:STATUS$}  {:wide$}  HOOK{bold:#}", "STATE", "OPERATION")?;
    let mut told = None;
    for row in rows {
        let (style, state) = match row.state {
            State::Proven => (style(Status::Ok), "proven"),
            State::Unproven(_) => (style(Status::Warn), "unproven"),
            State::Refused(_) => (style(Status::Fail), "refused"),
            State::Disabled(_) => (style(Status::Warn), "disabled"),
        };
        let (operation, hook) = (row.operation, row.hook);
        writeln!(text, "{style}{state:STATUS$}{style:#}  {operation:wide$}  {hook}")?;
        let reason = programs::reason(&row.state);
        // A reason that several hooks in a row share is told once.
        if let Some(reason) = reason.as_ref().filter(|reason| told.as_ref() != Some(*reason)) {
            let indent = STATUS + 2;
            write!(text, "{:indent$}{}", "", wrapped(reason, indent, width))?;
        }
        told = reason;
    }
    Ok(())
}

/// Safe text in lines of at most `width` characters, if its words allow, of
/// which all but the first begin with `indent` spaces.
fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let (safe, room) = (for_terminal(text), width.saturating_sub(indent));
    let (mut lines, mut used) = (String::new(), 0);
    for word in safe.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines.push('\n');
    lines
}

fn style(status: Status) -> Style {
    match status {
        Status::Ok => AnsiColor::Green.on_default(),
        Status::Warn => AnsiColor::Yellow.on_default(),
        Status::Fail => AnsiColor::Red.on_default().bold(),
    }
}

fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .filter(|size| size.ws_col > 0)
        .map_or(WIDTH, |size| usize::from(size.ws_col).clamp(60, 160))
}

/// A reader that went away has read what it wanted.
fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written.map_err(anyhow::Error::from) {
        Err(error) if !is_broken_pipe(&error) => Err(error.context("cannot write the report")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_findings_are_wrapped_at_words() {
        assert_eq!(wrapped("one two three", 2, 9), "one two\n  three\n");
        assert_eq!(wrapped("unbreakable", 2, 9), "unbreakable\n");
        assert_eq!(wrapped("", 2, 9), "\n");
    }

    #[test]
    fn hostile_text_is_shown_escaped() {
        let mut text = String::new();
        let finding = "Docker \x1b[2J\u{202e}1.0";
        write_checks(&mut text, &[Check::ok("Docker", finding)], WIDTH).unwrap();
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.contains("Docker \\x1b[2J\\u{202e}1.0"), "{plain}");
        assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{plain:?}");
    }

    #[test]
    fn advice_stands_below_its_finding() {
        let mut text = String::new();
        write_checks(&mut text, &[Check::warn("IPv6", "off", "turn it on")], WIDTH).unwrap();
        let plain = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<&str> = plain.lines().collect();
        assert_eq!(lines[1], "warn      IPv6              off");
        assert_eq!(lines[2], "                            → turn it on");
    }
}
