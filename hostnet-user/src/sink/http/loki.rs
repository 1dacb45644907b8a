//! Grafana Loki's push API. Few labels, because each combination of them is a stream
//! of its own there: what a query looks for is in the line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    json,
    sink::{Message, document::Head},
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
