//! Splunk's HTTP Event Collector. What it has answered with success is in its queue;
//! indexer acknowledgement is not asked for.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Settings,
    client::Reply,
    verdict::{Verdict, by_status, nothing_taken},
};
use crate::{
    sink::{Message, document::Head},
    text::json,
};

#[derive(Serialize)]
struct Event<'a> {
    time: &'a RawValue,
    host: &'a str,
    source: &'static str,
    sourcetype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    event: Body<'a>,
}

/// JSON as it is, anything else as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(String),
}

/// Appends the request's body, objects one after another, and returns its type.
pub fn write(request: &mut Vec<u8>, messages: &[Message<'_>], settings: &Settings) -> &'static str {
    for message in messages {
        let (seconds, rest) =
            (message.row.time_ns / 1_000_000_000, message.row.time_ns % 1_000_000_000);
        // A number that no floating point has been near.
        let time = RawValue::from_string(format!("{seconds}.{:03}", rest / 1_000_000));
        let head = Head::of(message.row);
        let event = Event {
            time: time.as_deref().unwrap_or(RawValue::NULL),
            host: &head.host.name,
            source: "hostnet",
            sourcetype: &settings.sourcetype,
            index: settings.index.as_deref(),
            event: match serde_json::from_slice(message.body) {
                Ok(json) => Body::Json(json),
                Err(_) => Body::Text(crate::text::text(message.body).readable),
            },
        };
        // It has string keys only, and writing to memory cannot fail.
        let _infallible = json::write(request, &event);
        request.push(b'\n');
    }
    "application/json"
}

#[derive(Deserialize)]
struct Answer {
    code: u64,
    #[serde(rename = "invalid-event-number")]
    invalid_event: Option<usize>,
}

/// Splunk's codes for an event that it will never take: no data, invalid data
/// format, no event in it, an empty one, wrong indexed fields.
const BAD_EVENT: [u64; 5] = [5, 6, 12, 13, 15];

/// Reads Splunk's own code, which says more than the status.
pub fn judge(reply: &Reply) -> Verdict {
    if reply.status.as_u16() != 400 {
        return by_status(reply);
    }
    match serde_json::from_slice(&reply.body) {
        Ok(Answer { code, invalid_event: Some(place) }) if BAD_EVENT.contains(&code) => {
            Verdict::Named { place, reason: reply.quote() }
        }
        // A wrong index, a channel that is missing: the settings' fault.
        Ok(Answer { code, .. }) if !BAD_EVENT.contains(&code) => nothing_taken(reply),
        _ => by_status(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::http::verdict::tests::reply;

    #[test]
    fn an_event_is_named_and_wrong_settings_are_known() {
        let named = judge(&reply(400, "{\"code\":6,\"invalid-event-number\":3}"));
        assert!(matches!(named, Verdict::Named { place: 3, .. }), "{named:?}");
        // Incorrect index; server is busy.
        for (status, code) in [(400, 7), (503, 9)] {
            let body = format!("{{\"code\":{code},\"invalid-event-number\":3}}");
            let verdict = judge(&reply(status, &body));
            assert!(matches!(verdict, Verdict::NothingTaken(_)), "{verdict:?}");
        }
        let unclear = judge(&reply(400, "{\"code\":6}"));
        assert!(matches!(unclear, Verdict::Unclear(_)), "{unclear:?}");
    }
}
