//! Elasticsearch's `_bulk`. Each event is created under its own id, so that one that
//! comes twice is a conflict, and a conflict means that it is there.

use serde::{Deserialize, Serialize};

use super::{
    Verdict, by_status,
    client::{Client, Reply},
};
use crate::{
    json,
    sink::{Message, Refused},
};

#[derive(Serialize)]
struct Action<'a> {
    create: Create<'a>,
}

#[derive(Serialize)]
struct Create<'a> {
    _index: &'a str,
    _id: &'a str,
}

/// Appends the request's body and returns its type.
pub fn write(request: &mut Vec<u8>, messages: &[Message<'_>], index: Option<&str>) -> &'static str {
    for message in messages {
        let stream = format!("logs-{}-default", message.row.dataset);
        let create =
            Create { _index: index.unwrap_or(&stream), _id: message.row.event_id.as_str() };
        // Two strings are always JSON, and writing to memory cannot fail.
        let _infallible = json::write(request, &Action { create });
        request.push(b'\n');
        request.extend_from_slice(message.body);
        request.push(b'\n');
    }
    "application/x-ndjson"
}

#[derive(Deserialize)]
struct Answer {
    errors: bool,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    #[serde(default)]
    error: Option<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    r#type: String,
    #[serde(default)]
    reason: Option<String>,
}

/// Reads the status of each event.
pub fn judge(client: &Client, reply: &Reply, sent: usize) -> Verdict {
    if !reply.status.is_success() {
        return by_status(client, reply);
    }
    let answer: Answer = match serde_json::from_slice(&reply.body) {
        Ok(answer) => answer,
        Err(error) => {
            let text = format!("not the answer of a bulk request: {error}");
            return Verdict::Refused(Refused::again(0, client.reason(&text)));
        }
    };
    if answer.items.len() != sent {
        let text = format!("an answer of {} items to {sent} events", answer.items.len());
        return Verdict::Refused(Refused::again(0, client.reason(&text)));
    }
    if !answer.errors {
        return Verdict::Taken;
    }
    // 409: an event of this id is there.
    let taken = |item: &Item| matches!(item.create.status, 200..=299 | 409);
    let Some(first) = answer.items.iter().position(|item| !taken(item)) else {
        return Verdict::Taken;
    };
    let outcome = &answer.items[first].create;
    let error = outcome.error.as_ref().map_or_else(String::new, |error| {
        format!(": {}: {}", error.r#type, error.reason.as_deref().unwrap_or_default())
    });
    let said: String = error.chars().take(200).collect();
    let reason =
        client.reason(&format!("status {} for an event{}", outcome.status, said.escape_debug()));
    Verdict::Refused(match outcome.status {
        400 | 413 | 422 => Refused::give_up(first, reason),
        _ => Refused::again(first, reason),
    })
}
