//! Elasticsearch's `_bulk`. Each event is created under its own id, so that one that
//! comes twice is a conflict, and a conflict means that it is there.

use serde::{Deserialize, Serialize};

use super::{
    client::{Reply, short},
    verdict::{Verdict, by_status, is_about_events, later},
};
use crate::{
    sink::{Failure, Fate, Message},
    text::json,
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

/// Errors with status 400 that are not about the event: whoever runs the cluster can mend them.
const ABOUT_INDEX: [&str; 2] = ["index_closed_exception", "invalid_index_name_exception"];

/// Reads the status of each event: what became of one says nothing of the others.
pub fn judge(reply: &Reply, sent: usize) -> Verdict {
    if !reply.status.is_success() {
        return by_status(reply);
    }
    let answer: Answer = match serde_json::from_slice(&reply.body) {
        Ok(answer) => answer,
        Err(error) => return later(format!("not the answer of a bulk request: {error}")),
    };
    if answer.items.len() != sent {
        return later(format!("an answer of {} items to {sent} events", answer.items.len()));
    }
    if !answer.errors {
        return Verdict::Taken;
    }
    Verdict::Each(answer.items.iter().map(|item| fate(&item.create)).collect())
}

fn fate(outcome: &Outcome) -> Fate {
    // 409: an event of this id is there.
    if matches!(outcome.status, 200..=299 | 409) {
        return Fate::Taken;
    }
    let error = outcome.error.as_ref().map_or_else(String::new, |error| {
        format!(": {}: {}", error.r#type, error.reason.as_deref().unwrap_or_default())
    });
    let reason = format!("status {} for an event{}", outcome.status, short(&error));
    let about_index =
        outcome.error.as_ref().is_some_and(|error| ABOUT_INDEX.contains(&error.r#type.as_str()));
    if is_about_events(outcome.status) && !about_index {
        Fate::Dead(reason)
    } else {
        Fate::Unsettled(Failure::again(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::http::verdict::tests::reply;

    fn judged(items: &str, sent: usize) -> Verdict {
        judge(&reply(200, &format!("{{\"errors\":true,\"items\":[{items}]}}")), sent)
    }

    fn item(status: u16, error: &str) -> String {
        format!(
            "{{\"create\":{{\"status\":{status},\"error\":{{\"type\":\"{error}\",\"reason\":\"r\"}}}}}}"
        )
    }

    #[test]
    fn each_event_has_a_status_of_its_own() {
        let items = [
            "{\"create\":{\"status\":201}}".to_owned(),
            item(400, "document_parsing_exception"),
            item(409, "version_conflict_engine_exception"),
            item(400, "strict_dynamic_mapping_exception"),
            item(413, "too_large"),
            item(429, "es_rejected_execution_exception"),
            item(400, "index_closed_exception"),
            item(403, "cluster_block_exception"),
            item(404, "index_not_found_exception"),
        ];
        let Verdict::Each(fates) = judged(&items.join(","), 9) else { panic!("of each") };
        let shown: String = fates
            .iter()
            .map(|fate| match fate {
                Fate::Taken => 't',
                Fate::Dead(_) => 'd',
                Fate::Unsettled(_) => 'u',
            })
            .collect();
        assert_eq!(shown, "tdtdduuuu");
        let Fate::Dead(reason) = &fates[1] else { panic!("dead") };
        assert_eq!(reason, "status 400 for an event: document_parsing_exception: r");
    }

    #[test]
    fn an_answer_that_fits_no_request_settles_nothing() {
        for (body, sent) in [("{\"errors\":false,\"items\":[]}", 1), ("<html>", 1)] {
            assert!(matches!(judge(&reply(200, body), sent), Verdict::NothingTaken(_)), "{body}");
        }
    }
}
