//! The advice for one container, for a person. Every text in it may have been chosen by
//! an attacker, so all of it goes through [`for_terminal`].

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use super::{units, wrap::paragraph};
use crate::{
    advise::{Advice, Answer, BeyondIp, Bridge, Evidence, Port, Publish},
    text::for_terminal,
};

/// Where a second column begins.
const COLUMN: usize = 46;

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
    things(advice, "What only the host's network gives it", only_host, to)?;
    things(advice, "What may be the host's network's alone", unclear, to)?;
    if advice.verdict.answer != Answer::Needed {
        change(advice, to)?;
    }
    things(advice, "What a bridge network gives it when that is done", changed, to)?;
    things(advice, "What a bridge network gives it as it is", as_well, to)?;
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
    for reason in &advice.verdict.because {
        paragraph("  because ", reason, to)?;
    }
    for doubt in &advice.verdict.doubts {
        paragraph("  no surer: ", doubt, to)?;
    }
    match &advice.declared {
        Some(mode) => {
            let says = format!("its network mode is {mode}: change whose network it joined");
            paragraph("  ", &says, to)
        }
        None => Ok(()),
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
    let mut chosen = advice.evidence.iter().filter(|one| is_one(one)).peekable();
    if chosen.peek().is_none() {
        return Ok(());
    }
    title(heading, to)?;
    for one in chosen {
        let (subject, times) = (safe(&one.subject), times(one.seen.count));
        let last = units::moment(one.seen.last_ns);
        writeln!(to, "  {subject:COLUMN$}  {times}, last {last}")?;
        if matches!(one.bridge, Bridge::Not(_) | Bridge::Unclear(_)) {
            writeln!(to, "      event {}", one.seen.event_id)?;
        }
    }
    Ok(())
}

fn ports(ports: &[Port], to: &mut impl Write) -> io::Result<()> {
    if ports.is_empty() {
        return Ok(());
    }
    title("Where it listens", to)?;
    for port in ports {
        let came = match (port.by_others, port.by_itself) {
            (0, 0) => "nobody came".to_owned(),
            (0, own) => format!("only itself came, {}", times(own)),
            (others, _) => format!("others came {}", times(others)),
        };
        let says = match &port.publish {
            Publish::As(value) | Publish::Elsewhere(value) => format!("-p {value}"),
            Publish::No => "nothing to publish".to_owned(),
            Publish::Unused(value) => format!("for the host's own processes: -p {value}"),
            Publish::Impossible(_) => "cannot be published".to_owned(),
        };
        writeln!(to, "  {:COLUMN$}  {came}; {}", safe(&port.place()), safe(&says))?;
    }
    Ok(())
}

fn change(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let heading = match advice.verdict.answer {
        Answer::NotNeeded => "What to write instead",
        Answer::NotEnoughObserved => "What to write instead, by what was seen so far",
        Answer::Needed => "What to write instead, once the rest is solved",
    };
    title(heading, to)?;
    let run = &advice.change.docker_run;
    if run.is_empty() {
        writeln!(to, "  in your docker run command, leave out --network host")?;
    } else {
        writeln!(to, "  in your docker run command, replace --network host by")?;
        writeln!(to, "      {}", safe(&run.join(" ")))?;
    }
    writeln!(to, "  (keep the rest: hostnet knows neither volumes nor environment); in Compose")?;
    for line in advice.change.compose.lines() {
        writeln!(to, "      {}", safe(line))?;
    }
    if !advice.change.conditions.is_empty() {
        writeln!(to, "  and see to this")?;
    }
    for condition in &advice.change.conditions {
        paragraph("    - ", condition, to)?;
    }
    Ok(())
}

fn measured(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let rate = &advice.measured;
    title("How much it does", to)?;
    writeln!(
        to,
        "  {} connections in, {} out: {} in the busiest second, {} per second on average",
        units::count(rate.connections_in),
        units::count(rate.connections_out),
        units::count(rate.connections_per_second_peak),
        units::rate(rate.connections_per_second_mean),
    )?;
    writeln!(
        to,
        "  {} sent, {} received over TCP connections that ended: {}/s on average",
        units::bytes(rate.bytes_sent as f64),
        units::bytes(rate.bytes_received as f64),
        units::bytes(rate.bytes_per_second_mean),
    )?;
    if rate.bytes_per_second_fastest > 0.0 {
        let fastest = units::bytes(rate.bytes_per_second_fastest);
        writeln!(to, "  the fastest connection of a second or more: {fastest}/s")?;
    }
    if rate.udp_peers > 0 {
        let (peers, datagrams) = (plural(rate.udp_peers, "UDP peer"), units::count(rate.datagrams));
        writeln!(to, "  {peers}, {datagrams} datagrams of sockets that closed")?;
    }
    Ok(())
}

fn observed(advice: &Advice, to: &mut impl Write) -> io::Result<()> {
    let seen = &advice.observed;
    title("How it was observed", to)?;
    writeln!(
        to,
        "  {} to {}: {} of it, in {} of an agent",
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
            several => format!("{several} containers of that name and image"),
        },
    )?;
    let beyond_ip = match seen.beyond_ip {
        BeyondIp::Families => "packet, netlink and unix sockets were seen",
        BeyondIp::FirstUse => "packet, netlink and unix sockets were seen when first used",
        BeyondIp::Unseen => "packet, netlink and unix sockets were not seen",
        BeyondIp::Unknown => "what could be seen beyond IP is not known",
    };
    writeln!(to, "  {beyond_ip}")?;
    let (own, nobody) = (seen.lost_of_its_own, seen.lost_of_nobody);
    if own.lost + nobody.lost + own.suppressed + nobody.suppressed == 0 {
        writeln!(to, "  no records lost")?;
    } else {
        writeln!(
            to,
            "  lost: {} records of its own, {} that may have been; repeats not told: {}",
            units::count(own.lost),
            units::count(nobody.lost),
            units::count(own.suppressed),
        )?;
    }
    for gap in &seen.gaps {
        paragraph("  gap: ", gap, to)?;
    }
    let unseen = "not seen by hostnet: what it reads of the host's network in /proc and /sys, and \
                  the multicast groups it joins";
    paragraph("  ", unseen, to)
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", units::count(count)) }
}
