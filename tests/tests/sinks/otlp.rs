//! OpenTelemetry: no collector can be installed here, so that a server of the test's
//! own takes the requests, and the official definitions in Python say what is in them.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use hostnet::sink::http::{Framing, Http, Settings};
use hostnet_tests::{python_packages, skip, web};
use serde_json::{Value, json};

use crate::{
    events::{deliver, hostile, plain},
    http::settings,
};

/// Prints a request as the JSON that OTLP has for it; fails on what is not defined.
const DECODE: &str = "
import sys
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service
request = service.ExportLogsServiceRequest()
request.ParseFromString(sys.stdin.buffer.read())
print(json_format.MessageToJson(request))
";

fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", python_packages());
    command
}

pub fn has_definitions() -> bool {
    let mut import = python();
    import.args(["-c", "import opentelemetry.proto.collector.logs.v1.logs_service_pb2"]);
    let there = import.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        let to: PathBuf = python_packages();
        let to = to.display();
        skip(&format!("no OTLP definitions (pip install --target {to} opentelemetry-proto)"));
    }
    there
}

/// A request as OTLP's JSON.
pub fn decoded(body: &[u8]) -> Value {
    let mut child = python();
    child.args(["-c", DECODE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().expect("python3");
    child.stdin.take().expect("a pipe").write_all(body).expect("python3 reads");
    let output = child.wait_with_output().expect("python3 ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A value of OTLP's JSON as plain JSON.
fn plain_value(value: &Value) -> Value {
    let (kind, inner) = value.as_object().and_then(|one| one.iter().next()).expect("one value");
    match kind.as_str() {
        "intValue" => inner.as_str().and_then(|text| text.parse::<i64>().ok()).into(),
        "arrayValue" => inner["values"]
            .as_array()
            .map_or(json!([]), |all| all.iter().map(plain_value).collect()),
        "kvlistValue" => {
            let pairs = inner["values"].as_array().expect("pairs").iter();
            pairs
                .map(|pair| {
                    (pair["key"].as_str().expect("a key").to_owned(), plain_value(&pair["value"]))
                })
                .collect()
        }
        _ => inner.clone(),
    }
}

pub fn attributes(of: &Value) -> serde_json::Map<String, Value> {
    let all = of["attributes"].as_array().expect("attributes").iter();
    all.map(|one| (one["key"].as_str().expect("a key").to_owned(), plain_value(&one["value"])))
        .collect()
}

fn open(port: u16) -> Http {
    let url = format!("http://127.0.0.1:{port}");
    Http::open(Settings { max_request_bytes: Some(16 << 20), ..settings(url, Framing::Otlp) })
        .expect("settings")
}

#[test]
fn every_byte_is_in_the_attributes() {
    if !has_definitions() {
        return;
    }
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    let port = web::serve(move |request| {
        assert_eq!(request.target, "/v1/logs");
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        kept.lock().expect("no panic").push(request.body.clone());
        web::Answer(200, "", String::new())
    });
    let rows = hostile();
    deliver(&mut open(port), &rows).expect("taken");
    let request = decoded(&bodies.lock().expect("no panic")[0]);
    let logs = &request["resourceLogs"][0];
    let resource = attributes(&logs["resource"]);
    assert_eq!(
        (&resource["service.name"], &resource["host.name"]),
        (&json!("hostnet"), &json!("node1"))
    );
    let records = logs["scopeLogs"][0]["logRecords"].as_array().expect("records");
    assert_eq!(records.len(), rows.len());
    for (row, record) in rows.iter().zip(records) {
        let document: Value = serde_json::from_slice(&row.document).expect("JSON");
        let attributes = attributes(record);
        assert_eq!(record["timeUnixNano"], row.time_ns.to_string());
        assert_eq!(record["eventName"], format!("hostnet.{}", row.action));
        assert_eq!(
            (&record["severityText"], &record["severityNumber"]),
            (&json!("INFO"), &json!("SEVERITY_NUMBER_INFO"))
        );
        assert_eq!(record["body"]["stringValue"], document["message"]);
        let same = [
            ("event.id", "/event/id"),
            ("process.command_args", "/process/args"),
            ("process.executable.path", "/process/executable"),
            ("process.working_directory", "/process/working_directory"),
            ("container.name", "/container/name"),
            ("hostnet.process.args_hex", "/hostnet/process/args_hex"),
            ("hostnet.local.name_hex", "/hostnet/local/name_hex"),
        ];
        for (attribute, path) in same {
            assert_eq!(attributes.get(attribute), document.pointer(path), "{attribute}");
        }
        let labels = document["container"]["labels"].as_object().expect("labels");
        for (key, value) in labels {
            assert_eq!(attributes[&format!("container.label.{key}")], *value);
        }
    }
}

/// A collector says how many it rejected and not which, and has taken the others.
#[test]
fn what_a_collector_rejects_is_counted_and_the_rest_comes_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let port = web::serve(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        let has_bad = request.body.windows(9).any(|bytes| bytes == b"reject me");
        // ExportLogsServiceResponse { partial_success { rejected_log_records: 1 } }
        let answer = if has_bad { "\u{a}\u{2}\u{8}\u{1}" } else { "" };
        web::Answer(200, "", answer.to_owned())
    });
    let mut rows = plain(20);
    let document = String::from_utf8(rows[13].document.clone()).expect("UTF-8");
    rows[13].document = document.replace("plain", "reject me").into_bytes();
    let refused = deliver(&mut open(port), &rows).expect_err("one was rejected");
    assert_eq!((refused.settled, refused.dead, refused.then), (20, 1, None));
    assert!(refused.reason.contains("rejected"), "{}", refused.reason);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}
