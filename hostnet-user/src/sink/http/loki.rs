//! Grafana Loki's push API. Few labels, because each combination of them is a stream
//! of its own there: what a query looks for is in the line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    client::Reply,
    verdict::{Verdict, by_status, nothing_taken},
};
use crate::{
    sink::{Message, document::Head},
    text::json,
};

#[derive(Serialize)]
struct Push<'a> {
    streams: Vec<Stream<'a>>,
}

#[derive(Serialize)]
struct Stream<'a> {
    stream: Labels<'a>,
    values: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Labels<'a> {
    job: &'static str,
    host: &'a str,
    dataset: &'a str,
}

/// Appends the request's body and returns its type.
pub fn write(request: &mut Vec<u8>, messages: &[Message<'_>]) -> &'static str {
    let mut streams: BTreeMap<(String, &str), Vec<(String, String)>> = BTreeMap::new();
    for message in messages {
        let host = Head::of(message.row).host.name.into_owned();
        let line = crate::text::text(message.body).readable;
        let values = streams.entry((host, message.row.dataset)).or_default();
        values.push((message.row.time_ns.to_string(), line));
    }
    let streams = streams.iter_mut().map(|((host, dataset), values)| Stream {
        stream: Labels { job: "hostnet", host, dataset },
        values: std::mem::take(values),
    });
    // It has string keys only, and writing to memory cannot fail.
    let _infallible = json::write(request, &Push { streams: streams.collect() });
    "application/json"
}

/// Says that ingestion is blocked, in a status that is no error
/// (`limits_config.block_ingestion_status_code`).
const BLOCKED: u16 = 260;

/// How the distributor names an entry that it does not take, one for each entry or with
/// `N errors like: ` before it.
const OF_ENTRY: [&str; 3] = ["has timestamp too old", "has timestamp too new", "Max entry size"];

/// What the distributor names entries too old by.
const OLDEST: &str = "has timestamp too old";

/// How an ingester counts those of one stream that it does not take.
const IGNORED: &str = "total ignored: ";

/// Reads which entries were refused; the others were taken. Anything else that is wrong
/// with a request, such as labels that a tenant must have, refuses all of it.
pub fn judge(reply: &Reply, messages: &[Message<'_>]) -> Verdict {
    match reply.status.as_u16() {
        BLOCKED => nothing_taken(reply),
        400 => match refused(&reply.text(), messages) {
            0 => by_status(reply),
            dead => Verdict::RestTaken { dead: dead.min(messages.len()), reason: reply.quote() },
        },
        _ => by_status(reply),
    }
}

/// How many entries a text says were refused; none when it does not speak of entries.
fn refused(text: &str, messages: &[Message<'_>]) -> usize {
    let by_distributor: usize = text
        .split("; ")
        .filter(|part| OF_ENTRY.iter().any(|what| part.contains(what)))
        .map(|part| {
            let (number, _) = part.split_once(" errors like: ").unwrap_or(("1", ""));
            number.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(1)
        })
        .sum();
    let by_ingester = match text.rsplit_once(IGNORED) {
        Some((_, rest)) => rest.split(' ').next().and_then(|number| number.parse().ok()),
        None => text.contains("entry too far behind").then_some(1),
    };
    // Older versions name the last entry only.
    let older = oldest_taken_ns(text)
        .map_or(0, |oldest| messages.iter().filter(|message| message.row.time_ns < oldest).count());
    by_distributor.max(by_ingester.unwrap_or(0)).max(older)
}

/// The time before which all entries are too old, if a text says so.
fn oldest_taken_ns(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(OLDEST)?;
    let (_, rest) = rest.split_once("oldest acceptable timestamp is: ")?;
    let time = rest.split(|c: char| c.is_whitespace() || ";,'".contains(c)).next()?;
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{row::Row, sink::http::verdict::tests::reply};

    /// What Loki answers to ten events, a second apart from 1970 on.
    fn judged(status: u16, body: &str) -> Verdict {
        let rows: Vec<Row> =
            (0..10).map(|id| Row { id, time_ns: id * 1_000_000_000, ..Row::default() }).collect();
        let messages: Vec<_> = rows.iter().map(|row| Message { row, body: b"" }).collect();
        judge(&reply(status, body), &messages)
    }

    fn dead(body: &str) -> usize {
        match judged(400, body) {
            Verdict::RestTaken { dead, .. } => dead,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn the_rest_of_a_request_with_refused_entries_was_taken() {
        let old = "entry for stream '{job=\"hostnet\"}' has timestamp too old: \
                   1970-01-01T00:00:00Z, oldest acceptable timestamp is: 1970-01-01T00:00:04Z";
        // Older versions say it once for all, newer ones of each.
        assert_eq!(dead(old), 4);
        assert_eq!(dead(&[old; 4].join("; ")), 4);
        assert_eq!(dead(&format!("4 errors like: {old}")), 4);
        let long = "Max entry size '1' bytes exceeded for stream '{a=\"b\"}' while adding an \
                    entry with length '10' bytes";
        assert_eq!(dead(&format!("2 errors like: {long}; 4 errors like: {old}")), 6);
        assert_eq!(dead(&format!("99 errors like: {long}")), 10);
        let new = "entry for stream '{a=\"b\"}' has timestamp too new: 2030-01-01T00:00:00Z";
        assert_eq!(dead(new), 1);
        let entry = "entry with timestamp 1970-01-01 00:00:01 +0000 UTC ignored, reason: 'entry \
                     too far behind, entry timestamp is: 1970-01-01T00:00:01Z, oldest acceptable \
                     timestamp is: 1970-01-01T00:00:04Z',\n";
        let total = "user 'fake', total ignored: 3 out of 10 for stream: {job=\"hostnet\"}";
        assert_eq!(dead(&format!("{entry}{total}")), 3);
        assert_eq!(dead("entry out of order for stream: {a=\"b\"},\ntotal ignored: 5 out of 5"), 5);
    }

    #[test]
    fn a_request_that_is_refused_as_a_whole_is_told_from_it() {
        for body in ["error at least one label pair is required per stream", "", "<html>; 7"] {
            assert!(matches!(judged(400, body), Verdict::Unclear(_)), "{body}");
        }
        for status in [260, 401, 429, 500] {
            let verdict = judged(status, "total ignored: 3 out of 10");
            assert!(matches!(verdict, Verdict::NothingTaken(_)), "{status}");
        }
        assert_eq!(judged(204, ""), Verdict::Taken);
    }
}
