//! The advice for one container, for a person. Every text in it may have been chosen by
//! an attacker, so all of it goes through [`for_terminal`].

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use super::{units, wrap::paragraph};
use crate::{
    advise::{Advice, Answer, BeyondIp, Bridge, Change, Evidence, Port, Publish},
    text::{
        for_terminal,
        shell::{self, ShellWord},
    },
};

/// Where a second column begins.
const COLUMN: usize = 46;
/// Lines of one list; of more, only how many. `--format json` has all.
const MOST_LINES: usize = 20;
/// Reasons and conditions that are printed.
const MOST_PARAGRAPHS: usize = 12;

pub fn safe(text: &str) -> Cow<'_, str> {
    for_terminal(text)
}

pub const fn style(answer: Answer) -> Style {
    let color = match answer {
        Answer::Needed => AnsiColor::Red,
        Answer::NotEnoughObserved => AnsiColor::Yellow,
        Answer::NotNeeded => AnsiColor::Green,
    };
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(color)))
}

pub fn write(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    verdict(advice, to)?;
    let only_host = |one: &Evidence| matches!(one.bridge, Bridge::Not(_));
    let unclear = |one: &Evidence| matches!(one.bridge, Bridge::Unclear(_));
    let changed = |one: &Evidence| matches!(one.bridge, Bridge::If(_));
    let as_well = |one: &Evidence| one.bridge == Bridge::AsWell;
    things(advice, "What needs host networking", only_host, to)?;
    things(advice, "What might need host networking (not certain)", unclear, to)?;
    if advice.verdict.answer != Answer::Needed {
        change(advice, to)?;
    }
    things(advice, "What works on a bridge network with that change", changed, to)?;
    things(advice, "What works on a bridge network as it is", as_well, to)?;
    ports(&advice.ports, to)?;
    if advice.verdict.answer == Answer::Needed {
        change(advice, to)?;
    }
    measured(advice, to)?;
    observed(advice, to)
}

fn title(text: &str, to: &mut impl Write) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(to, "\n{bold}{text}{bold:#}")
}

fn verdict(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let (bold, style) = (Style::new().bold(), style(advice.verdict.answer));
    write!(to, "{bold}{}{bold:#}", safe(&advice.label))?;
    if !advice.image.is_empty() {
        write!(to, " ({})", safe(&advice.image))?;
    }
    let answer = match advice.verdict.answer {
        Answer::NotEnoughObserved => "not enough observed to say whether it needs host networking",
        Answer::Needed => "host networking is needed",
        Answer::NotNeeded => "host networking is not needed",
    };
    write!(to, ": {style}{answer}{style:#}")?;
    match advice.verdict.confidence {
        Some(confidence) => writeln!(to, ", confidence {}", confidence.word())?,
        None => writeln!(to)?,
    }
    paragraphs("  because ", &advice.verdict.because, to)?;
    let lead = if advice.verdict.confidence.is_some() { "  " } else { "  also: " };
    paragraphs(lead, &advice.verdict.doubts, to)?;
    match &advice.declared {
        Some(mode) => {
            let mode = self::mode(mode);
            let says = format!("its network mode is {mode}, and that network is the host's");
            paragraph("  ", &says, to)
        }
        None => Ok(()),
    }
}

/// Each as a paragraph, the first of very many.
fn paragraphs(lead: &str, all: &[String], to: &mut impl Write) -> io::Result<()> {
    for one in all.iter().take(MOST_PARAGRAPHS) {
        paragraph(lead, one, to)?;
    }
    and_more(lead, all.len().saturating_sub(MOST_PARAGRAPHS), to)
}

/// That a list goes on.
fn and_more(lead: &str, more: usize, to: &mut impl Write) -> io::Result<()> {
    match more {
        0 => Ok(()),
        more => {
            writeln!(to, "{lead}and {} more (--format json has all)", more)
        }
    }
}

/// A network mode, a container's id in it shortened as Docker shortens it.
fn mode(mode: &str) -> String {
    const SHORT: usize = 12;
    match mode.split_once(':') {
        Some((kind, id)) if id.len() == 64 && id.is_ascii() => format!("{kind}:{}", &id[..SHORT]),
        _ => mode.to_owned(),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", units::count(count)) }
}

fn things(
    advice: &Advice,
    heading: &str,
    is_one: impl Fn(&Evidence) -> bool,
    to: &mut impl Write,
) -> io::Result<()> {
    let chosen: Vec<&Evidence> = advice.evidence.iter().filter(|one| is_one(one)).collect();
    if chosen.is_empty() {
        return Ok(());
    }
    title(heading, to)?;
    for one in chosen.iter().take(MOST_LINES) {
        let (subject, times) = (safe(&one.subject), times(one.seen.count));
        let last = units::moment(one.seen.last_ns);
        writeln!(to, "  {subject:COLUMN$}  {times}, last {last}")?;
        if matches!(one.bridge, Bridge::Not(_) | Bridge::Unclear(_)) {
            writeln!(to, "      event {}", one.seen.event_id)?;
        }
    }
    and_more("  ", chosen.len().saturating_sub(MOST_LINES), to)
}

fn ports(ports: &[Port], to: &mut impl Write) -> io::Result<()> {
    if ports.is_empty() {
        return Ok(());
    }
    title("Where it listens", to)?;
    for port in ports.iter().take(MOST_LINES) {
        let came = match (port.by_others, port.by_itself) {
            (0, 0) => "nobody came".to_owned(),
            (0, own) => format!("only itself came, {}", times(own)),
            (others, _) => format!("others came {}", times(others)),
        };
        let option = |values: &[String]| {
            let words = values.iter().flat_map(|value| ["-p", value]).map(ShellWord::new);
            shell::line(&words.collect::<Vec<_>>())
        };
        let says = match &port.publish {
            Publish::As(values) | Publish::Elsewhere(values) => option(values),
            Publish::No => "not published".to_owned(),
            Publish::Unused(values) => {
                format!("not published; if the host is to use it: {}", option(values))
            }
            Publish::Unclear(_) => "not certain".to_owned(),
            Publish::Impossible(_) => "cannot be published".to_owned(),
        };
        writeln!(to, "  {:COLUMN$}  {came}; {says}", safe(&port.place()))?;
    }
    and_more("  ", ports.len().saturating_sub(MOST_LINES), to)
}

fn change(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let heading = match advice.verdict.answer {
        Answer::NotNeeded => "What to change",
        Answer::NotEnoughObserved => "What to change, by what was seen so far",
        Answer::Needed => "What to change, once the rest is solved",
    };
    title(heading, to)?;
    let Change { command, docker_run, file, compose, conditions } = &advice.change;
    if !conditions.is_empty() {
        writeln!(to, "  first see to this")?;
        paragraphs("    - ", conditions, to)?;
    }
    let mode = mode(advice.declared.as_deref().unwrap_or("host"));
    let mode = ShellWord::new(if *command == "podman pod create" { "host" } else { &mode });
    if *command == "docker compose" {
        // The file is all there is to change.
    } else if docker_run.is_empty() {
        writeln!(to, "  in your {command} command, leave out --network {mode}")?;
    } else {
        writeln!(to, "  in your {command} command, replace --network {mode} by")?;
        let (options, more) = advice.change.options(MOST_LINES);
        write!(to, "      {options}")?;
        match more {
            0 => writeln!(to)?,
            more => writeln!(to, " … and {more} more options (--format json has all)")?,
        }
    }
    if !file.is_empty() {
        writeln!(to, "  in {}", safe(file))?;
        yaml(compose, to)?;
    }
    writeln!(to, "  keep all other options: hostnet does not know volumes and environment")
}

/// The file's lines, the first items of very long lists; its texts are quoted already.
fn yaml(compose: &str, to: &mut impl Write) -> io::Result<()> {
    let mut items = 0;
    for line in compose.lines() {
        items = if line.starts_with("      - ") { items + 1 } else { 0 };
        match items {
            0..=MOST_LINES => writeln!(to, "      {line}")?,
            _ if items == MOST_LINES + 1 => {
                writeln!(to, "            # and more (--format json has all)")?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn measured(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let rate = &advice.measured;
    title("How much it does", to)?;
    writeln!(
        to,
        "  {} in, {} out; {} in the busiest second, {} per second on average",
        plural(rate.connections_in, "connection"),
        units::count(rate.connections_out),
        units::count(rate.connections_per_second_peak),
        units::rate(rate.connections_per_second_mean),
    )?;
    writeln!(
        to,
        "  {} sent, {} received over closed TCP connections: {}/s on average",
        units::bytes(rate.bytes_sent as f64),
        units::bytes(rate.bytes_received as f64),
        units::bytes(rate.bytes_per_second_mean),
    )?;
    if rate.bytes_per_second_fastest > 0.0 {
        let fastest = units::bytes(rate.bytes_per_second_fastest);
        writeln!(to, "  fastest connection of a second or longer: {fastest}/s")?;
    }
    if rate.udp_peers > 0 {
        let peers = plural(rate.udp_peers, "UDP peer");
        let datagrams = plural(rate.datagrams, "datagram");
        writeln!(to, "  {peers}, {datagrams} over closed sockets")?;
    }
    Ok(())
}

fn observed(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let seen = &advice.observed;
    title("How it was observed", to)?;
    writeln!(
        to,
        "  {} to {}: {} of it, by {} of the agent",
        units::moment(seen.from_ns),
        units::moment(seen.until_ns),
        units::duration(seen.observed_ns),
        plural(seen.runs as u64, "run"),
    )?;
    writeln!(
        to,
        "  {} seen, {} seen, {}",
        plural(seen.starts_seen as u64, "start"),
        plural(seen.ends_seen as u64, "end"),
        match advice.ids.len() {
            1 => "one container".to_owned(),
            several => format!("{several} containers of that name and image or service"),
        },
    )?;
    let beyond_ip = match seen.beyond_ip {
        BeyondIp::Families => "packet, netlink and unix sockets were seen",
        BeyondIp::FirstUse => "packet, netlink and unix sockets were seen at their first use only",
        BeyondIp::Unseen => "packet, netlink and unix sockets were not seen",
        BeyondIp::Unknown => "it is not known whether packet, netlink and unix sockets were seen",
    };
    writeln!(to, "  {beyond_ip}")?;
    let (own, nobody) = (seen.lost_of_its_own, seen.lost_of_nobody);
    if own.lost + nobody.lost + own.suppressed + nobody.suppressed == 0 {
        writeln!(to, "  no records lost")?;
    } else {
        writeln!(
            to,
            "  lost: {} records of its own, {} that may have been its own; {} repeats counted only",
            units::count(own.lost),
            units::count(nobody.lost),
            units::count(own.suppressed),
        )?;
    }
    paragraphs("  gap: ", &seen.gaps, to)?;
    let unseen = "hostnet does not see what it reads of the host's network in /proc and /sys";
    let groups = if seen.groups_joined { "" } else { ", nor the multicast groups it joins" };
    paragraph("  ", &format!("{unseen}{groups}"), to)
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", units::count(count)) }
}
