//! Each question, asked and answered.

use std::{io::Write, net::IpAddr, time::Duration};

use anyhow::Result;

use super::{Args, Format, Peers, Question, Sql, output::Output};
use crate::{
    cli::Usage,
    query::{
        self, Answer, Filter, History, PeerFilter, SqlAnswer, Subject, Time, Verdict, duration,
    },
    text::for_terminal,
};

pub fn ask(history: History, args: &Args, now: Time) -> Result<()> {
    let common = &args.common;
    let container = match &args.question {
        Question::Tree(of) => of.name.as_ref(),
        Question::Peers(of) | Question::Flows(of) => of.name.as_ref(),
        _ => None,
    };
    let filter = common.filter(container, now).map_err(Usage)?;
    // Who is not in the history is a mistake of who asks.
    filter.owners(&history).map_err(Usage)?;
    let mut out = Output::new(common.format);
    if let Question::Sql(of) = &args.question {
        sql(history, of, common.limit, common.format, &mut out)?;
        return out.finish(&no_rows(&args.question, &filter));
    }
    let history = &history;
    match &args.question {
        Question::Events => query::events(history, &filter, |row| out.event(&row))?,
        Question::Listeners => put(&mut out, query::listeners(history, &filter)?)?,
        Question::Peers(with) => put(&mut out, query::peers(history, &filter, &peer(with))?)?,
        Question::Flows(with) => {
            query::flows(history, &filter, &peer(with), |row| out.row(&row))?;
        }
        Question::Containers => put(&mut out, query::containers(history, &filter)?)?,
        Question::Processes => put(&mut out, query::processes(history, &filter)?)?,
        Question::Findings => put(&mut out, query::findings(history, &filter)?)?,
        Question::WhoHadPort(of) => {
            let at = of.at(now).map_err(Usage)?;
            who_had_port(history, &filter, (of.port, of.protocol.as_deref(), at), &mut out)?;
        }
        Question::Tree(_) => put(&mut out, query::tree(history, &filter)?)?,
        Question::Around(around) => {
            let at = Time::parse(&around.time, now).map_err(Usage)?;
            let within = duration(&around.within).map_err(Usage)?;
            query::around(history, at, within, &filter, |row| out.event(&row))?;
        }
        Question::FirstSeen(of) => {
            let subject = Subject::of(&of.what);
            put(&mut out, query::first_seen(history, &subject, &filter)?)?;
        }
        Question::Sql(_) => {}
    }
    out.finish(&no_rows(&args.question, &filter))
}

fn put<A: Answer>(out: &mut Output, rows: Vec<A>) -> Result<()> {
    rows.iter().try_for_each(|row| out.row(row))
}

fn peer(of: &Peers) -> PeerFilter {
    // Addresses are kept as people know them.
    let canonical = |text: &String| match text.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().to_string(),
        Err(_name) => text.clone(),
    };
    PeerFilter { address: of.ip.as_ref().map(canonical), port: of.port }
}

fn who_had_port(
    history: &History,
    filter: &Filter,
    (port, protocol, at): (u16, Option<&str>, Option<Time>),
    out: &mut Output,
) -> Result<()> {
    let owners = filter.owners(history)?;
    let answer = query::who_had_port(history, port, protocol, at)?;
    let is_meant = |row: &&query::PortRow| {
        let is_owner = owners.as_ref().is_none_or(|owners| {
            row.container_id
                .as_ref()
                .or(row.container.as_ref())
                .is_some_and(|id| owners.contains(id))
        });
        is_owner
            && row.since.is_none_or(|since| since <= filter.to())
            && row.until.is_none_or(|until| until >= filter.from())
    };
    answer.rows.iter().filter(is_meant).take(filter.most()).try_for_each(|row| out.row(row))?;
    // Who reads only the rows of somebody who had it should not miss that others may have.
    let names_nobody = answer.rows.iter().any(|row| row.answer == Verdict::Unknown);
    if !names_nobody && at.is_some() {
        for doubt in &answer.doubts {
            let why = for_terminal(&doubt.why);
            writeln!(std::io::stderr(), "hostnet: others may have had the port: {why}")?;
        }
    }
    Ok(())
}

fn sql(
    history: History,
    of: &Sql,
    limit: Option<usize>,
    format: Format,
    out: &mut Output,
) -> Result<()> {
    if format == Format::Timesketch {
        return Err(Usage(anyhow::anyhow!(
            "rows of SQL have no times for a timeline: use --format json or csv"
        ))
        .into());
    }
    let timeout = Duration::from_secs(of.timeout);
    let most = limit.unwrap_or(usize::MAX);
    let answer: SqlAnswer =
        query::sql_in_time(history, of.statement.clone(), most, timeout).map_err(Usage)?;
    out.sql(&answer)?;
    if answer.is_cut {
        writeln!(std::io::stderr(), "hostnet: only the first {most} rows are shown (--limit)")?;
    }
    Ok(())
}

/// That there is no row, and what was asked for.
fn no_rows(question: &Question, filter: &Filter) -> String {
    let mut asked = Vec::new();
    match question {
        Question::WhoHadPort(of) => {
            asked.push(format!("port {}", of.port));
            asked.extend(of.protocol.as_ref().map(|protocol| format!("protocol {protocol}")));
        }
        Question::Peers(of) | Question::Flows(of) => {
            asked.extend(of.ip.as_ref().map(|ip| format!("address {ip}")));
            asked.extend(of.port.map(|port| format!("port {port}")));
        }
        Question::Around(of) => asked.push(format!("within {} of {}", of.within, of.time)),
        Question::FirstSeen(of) => asked.push(of.what.clone()),
        Question::Events
        | Question::Listeners
        | Question::Containers
        | Question::Processes
        | Question::Findings
        | Question::Tree(_)
        | Question::Sql(_) => {}
    }
    asked.extend(filter.container.as_ref().map(|name| format!("container {name}")));
    asked.extend(filter.image.as_ref().map(|image| format!("image {image}")));
    asked.extend(filter.actions.iter().map(|action| format!("action {action}")));
    asked.extend(filter.process.as_ref().map(|process| format!("process {process}")));
    asked.extend(filter.since.map(|since| format!("since {since}")));
    asked.extend(filter.until.map(|until| format!("until {until}")));
    if asked.is_empty() { "no rows".to_owned() } else { format!("no rows ({})", asked.join(", ")) }
}
