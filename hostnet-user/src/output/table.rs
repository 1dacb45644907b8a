//! Lines for a person: who does what, now.
//!
//! Every text in a line may have been chosen by an attacker, so all of it goes
//! through [`for_terminal`] before it is padded, cut or coloured.

use std::{fmt::Write as _, io::Write, net::SocketAddr};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use jiff::{Timestamp, tz::TimeZone};

use super::Output;
use crate::{
    event::{
        Colour, Direction, Event, Operation, Outcome, Peer, PeerParty, Recorded, Severity,
        canonical, errno,
    },
    text::{self, for_terminal},
};

const TIME: usize = 12;
const OWNER: usize = 20;
const PROCESS: usize = 18;
const OPERATION: usize = 12;
const END: usize = 21;

/// A table that grows by a line per event.
pub struct Table<W> {
    to: W,
    lines: String,
    zone: TimeZone,
    has_header: bool,
}

impl<W: Write> Table<W> {
    /// A table on `to`, which strips the colours where they are not wanted.
    pub fn new(to: W) -> Self {
        Self { to, lines: String::new(), zone: TimeZone::system(), has_header: false }
    }

    fn header(&mut self) {
        let bold = Style::new().bold();
        let header = format!(
            "{:TIME$}  {:OWNER$}  {:PROCESS$}  {:OPERATION$}  {:END$}    {:END$}  {}",
            "TIME", "CONTAINER", "PROCESS", "OPERATION", "LOCAL", "REMOTE", "RESULT"
        );
        self.lines.push_str(&format!("{bold}{}{bold:#}\n", header.trim_end()));
    }

    fn line(&mut self, event: &Event) -> std::fmt::Result {
        let style = style(event);
        let told = event.operation.told();
        let time = local_time(event.wall_ns, &self.zone);
        let dim = Style::new().dimmed();
        write!(self.lines, "{dim}{time:TIME$}{dim:#}  ")?;
        let Some(owner) = &event.owner else {
            let message = event.operation.to_string();
            return writeln!(self.lines, "{style}{}{style:#}", for_terminal(&message));
        };
        let name = cell(owner.label(), OWNER);
        let owner_style = owner_style(owner.label());
        write!(self.lines, "{owner_style}{name}{owner_style:#}  ")?;
        write!(self.lines, "{}  ", cell(&process(event), PROCESS))?;
        if let Operation::Finding(finding) = &event.operation {
            let severity = cell(finding.severity.name(), OPERATION);
            let sentence = format!("{}: {}", finding.rule.name, finding.sentence);
            return writeln!(self.lines, "{style}{severity}  {}{style:#}", for_terminal(&sentence));
        }
        write!(self.lines, "{style}{}{style:#}  ", cell(told.short(), OPERATION))?;
        if event.local().is_none() && event.remote().is_none() {
            let mut sentence = event.operation.to_string();
            if let Some(peer) = &event.peer {
                let _infallible = write!(sentence, " ({peer})");
            }
            return writeln!(self.lines, "{}", for_terminal(&sentence));
        }
        let (local, remote) = (end(event.local()), end(event.remote()));
        let arrow = match (told.direction(), event.remote()) {
            (Some(Direction::Ingress), Some(_)) => "←",
            (_, Some(_)) => "→",
            (_, None) => " ",
        };
        let row = format!("{local:END$}  {arrow} {remote:END$}  ");
        let mut result = result(event);
        if let Some(peer) = &event.peer {
            let _infallible = write!(result, " {}", other_end(peer));
        }
        writeln!(self.lines, "{row}{style}{}{style:#}", for_terminal(&result))
    }
}

impl<W: Write + Send> Output for Table<W> {
    fn write(&mut self, record: &Recorded) -> Result<()> {
        if !std::mem::replace(&mut self.has_header, true) {
            self.header();
        }
        self.line(&record.event)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.to.write_all(self.lines.as_bytes()).and_then(|()| self.to.flush());
        self.lines.clear();
        Ok(written?)
    }
}

fn local_time(wall_ns: u64, zone: &TimeZone) -> String {
    let timestamp =
        Timestamp::from_nanosecond(i128::from(wall_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    zone.to_datetime(timestamp).strftime("%H:%M:%S%.3f").to_string()
}

/// Safe text, cut or padded to exactly `width` characters.
fn cell(text: &str, width: usize) -> String {
    let safe = for_terminal(text);
    if safe.chars().count() <= width {
        return format!("{safe:width$}");
    }
    let cut: String = safe.chars().take(width - 1).collect();
    format!("{cut}…")
}

fn process(event: &Event) -> String {
    match (&event.process, event.actor) {
        (Some(process), _) => format!("{}[{}]", text::text(&process.name).readable, process.pid),
        (None, Some(actor)) => format!("[{}]", actor.tgid),
        (None, None) => "-".to_owned(),
    }
}

fn end(address: Option<SocketAddr>) -> String {
    let Some(address) = address else { return String::new() };
    let address = canonical(address);
    if address.ip().is_unspecified() {
        return format!("*:{}", address.port());
    }
    address.to_string()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other kind says its outcome")]
fn result(event: &Event) -> String {
    let socket = event.socket.map(|socket| socket.socket.protocol);
    let protocol = match socket {
        Some(6) => "tcp",
        Some(17) => "udp",
        _ => "",
    };
    match &event.operation {
        Operation::Close(close) => {
            let mut text =
                format!("{protocol} {} in, {} out", bytes(close.received), bytes(close.sent));
            if let Some(duration) = close.duration_ns {
                let _infallible = write!(text, ", {:.3} s", duration as f64 / 1e9);
            }
            if let Some(name) = close.errno.and_then(errno::name) {
                let _infallible = write!(text, " {name}");
            }
            text
        }
        Operation::DatagramClose(close) => {
            let (sent, received) = close.total();
            format!("udp {received} datagrams in, {sent} out")
        }
        Operation::ExistingSocket(existing) => existing.summary(),
        operation => match operation.told().outcome() {
            Outcome::Success => protocol.to_owned(),
            Outcome::Failure(errno) => {
                let reason = errno.and_then(errno::name).unwrap_or("failed");
                format!("{protocol} {reason}")
            }
            Outcome::Unknown => format!("{protocol} outcome unknown"),
        },
    }
}

/// Who is at the other end, in a word each.
fn other_end(peer: &Peer) -> String {
    let labels: Vec<String> = peer.possible.iter().map(PeerParty::label).collect();
    format!("({})", labels.join(" or "))
}

/// Bytes as a person reads them, exact below a kilobyte.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let mut scaled = count as f64;
    let mut unit = "B";
    for larger in UNITS {
        if scaled < 1000.0 {
            break;
        }
        scaled /= 1000.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{scaled:.1} {unit}") }
}

fn style(event: &Event) -> Style {
    if let Operation::Finding(finding) = &event.operation {
        let is_grave = finding.severity >= Severity::High;
        let color = if is_grave { AnsiColor::Red } else { AnsiColor::Yellow };
        return color.on_default().bold();
    }
    let told = event.operation.told();
    let color = match (told.outcome(), told.info().colour) {
        (Outcome::Failure(_), _) | (_, Colour::Red) => AnsiColor::Red,
        (_, Colour::Yellow) => AnsiColor::Yellow,
        (_, Colour::Cyan) => AnsiColor::Cyan,
        (_, Colour::Green) => AnsiColor::Green,
        (_, Colour::Magenta) => AnsiColor::Magenta,
        (_, Colour::Blue) => AnsiColor::Blue,
        (_, Colour::Dim) => return Style::new().dimmed(),
    };
    color.on_default()
}

/// The same colour for the same container, so that the eye can follow it.
fn owner_style(label: &str) -> Style {
    const COLORS: [AnsiColor; 5] = [
        AnsiColor::BrightBlue,
        AnsiColor::BrightGreen,
        AnsiColor::BrightMagenta,
        AnsiColor::BrightCyan,
        AnsiColor::BrightYellow,
    ];
    let sum: usize = label.bytes().map(usize::from).sum();
    COLORS[sum % COLORS.len()].on_default().bold()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_and_padded_by_characters() {
        assert_eq!(cell("ab", 4), "ab  ");
        assert_eq!(cell("abcdef", 4), "abc…");
        assert_eq!(cell("\x1b[2J", 8), "\\x1b[2J ");
    }

    #[test]
    fn byte_counts() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1500), "1.5 kB");
        assert_eq!(bytes(2_000_000), "2.0 MB");
    }
}
