//! OpenTelemetry logs (OTLP/HTTP, protobuf): one record per event, made from its ECS
//! document whatever format the sink has, because a collector looks at attributes.

mod attributes;

use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use prost::Message as _;
use serde_json::{Map, Value};

use super::{
    client::{Reply, short},
    verdict::{Verdict, by_status, later},
};
use crate::sink::{
    Fate, Message,
    document::{Head, Level},
};

/// Appends the request's body and returns its type.
pub fn write(request: &mut Vec<u8>, messages: &[Message<'_>]) -> &'static str {
    let mut resources: Vec<ResourceLogs> = Vec::new();
    for message in messages {
        let (resource, record) = log_record(message);
        match resources.last_mut().filter(|last| last.resource.as_ref() == Some(&resource)) {
            Some(last) => last.scope_logs[0].log_records.push(record),
            None => resources.push(logs_of(resource, record)),
        }
    }
    // Memory has room for it.
    let _infallible = ExportLogsServiceRequest { resource_logs: resources }.encode(request);
    "application/x-protobuf"
}

fn logs_of(resource: Resource, record: LogRecord) -> ResourceLogs {
    let scope = InstrumentationScope {
        name: "hostnet".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope),
            log_records: vec![record],
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }
}

/// Where an event is from, and the event.
fn log_record(message: &Message<'_>) -> (Resource, LogRecord) {
    let row = message.row;
    let mut document: Map<String, Value> =
        serde_json::from_slice(&row.document).unwrap_or_default();
    let body = document.remove("message").and_then(|body| body.as_str().map(str::to_owned));
    document.remove("@timestamp");
    let created = document.get("event").and_then(|event| event.get("created"));
    let observed = created.and_then(Value::as_str).and_then(|text| text.parse().ok());
    let observed = observed.and_then(|time: jiff::Timestamp| time.as_nanosecond().try_into().ok());
    let (number, text) = severity(Head::of(row).level());
    let (resource, attributes) = attributes::split(document);
    let service = KeyValue { value: Some(string("hostnet")), ..key("service.name") };
    let attributes_of_resource = std::iter::once(service).chain(resource).collect();
    let record = LogRecord {
        time_unix_nano: row.time_ns,
        observed_time_unix_nano: observed.unwrap_or(row.time_ns),
        severity_number: number.into(),
        severity_text: text.to_owned(),
        body: body.as_deref().map(string),
        event_name: format!("hostnet.{}", row.action),
        attributes,
        ..LogRecord::default()
    };
    (Resource { attributes: attributes_of_resource, ..Resource::default() }, record)
}

fn key(name: &str) -> KeyValue {
    KeyValue { key: name.to_owned(), ..KeyValue::default() }
}

fn string(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) }
}

const fn severity(level: Level) -> (SeverityNumber, &'static str) {
    match level {
        Level::Information => (SeverityNumber::Info, "INFO"),
        Level::Notice => (SeverityNumber::Info2, "INFO2"),
        Level::Warning => (SeverityNumber::Warn, "WARN"),
        Level::Error => (SeverityNumber::Error, "ERROR"),
        Level::Critical => (SeverityNumber::Fatal, "FATAL"),
    }
}

/// Reads how many were refused. Which, is not said; the rest was taken, and the protocol
/// forbids sending it again.
pub fn judge(reply: &Reply, sent: usize) -> Verdict {
    if !reply.status.is_success() {
        return by_status(reply);
    }
    let answer = match ExportLogsServiceResponse::decode(&*reply.body) {
        Ok(answer) => answer,
        Err(error) => return later(format!("not the answer of a collector: {error}")),
    };
    let partial = answer.partial_success.unwrap_or_default();
    let dead = usize::try_from(partial.rejected_log_records).unwrap_or(0).min(sent);
    let reason = format!("rejected: {}", short(&partial.error_message));
    match dead {
        0 => Verdict::Taken,
        dead if dead < sent => Verdict::RestTaken { dead, reason },
        // Nothing shows that the collector takes anything.
        _ => Verdict::Each(vec![Fate::Dead(reason); sent]),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;

    use super::*;
    use crate::sink::http::verdict::tests::reply;

    #[test]
    fn the_rest_of_a_partial_success_was_taken() {
        let judged = |rejected_log_records, sent| {
            let error_message = "too old".to_owned();
            let partial = ExportLogsPartialSuccess { rejected_log_records, error_message };
            let answer = ExportLogsServiceResponse { partial_success: Some(partial) };
            judge(&Reply { body: answer.encode_to_vec(), ..reply(200, "") }, sent)
        };
        let reason = "rejected: too old".to_owned();
        assert_eq!(judged(3, 10), Verdict::RestTaken { dead: 3, reason: reason.clone() });
        // A warning only, and a number that cannot be.
        assert_eq!(judged(0, 10), Verdict::Taken);
        assert_eq!(judged(-1, 10), Verdict::Taken);
        assert_eq!(judged(i64::MAX, 2), Verdict::Each(vec![Fate::Dead(reason); 2]));
        assert_eq!(judge(&reply(200, ""), 10), Verdict::Taken);
    }
}
