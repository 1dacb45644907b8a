//! Elasticsearch, Splunk and Loki, which cannot be installed here: strict servers of
//! the test's own stand for what their documentation says. Nothing here shows that
//! the real ones agree.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostnet::sink::{
    Then,
    http::{Framing, Http, Settings},
};
use hostnet_tests::web::{Answer, Request, serve};
use serde_json::{Value, json};

use crate::{
    events::{assert_same, deliver, hostile, plain},
    http::{secret, settings},
};

fn open(port: u16, framing: Framing, directory: &tempfile::TempDir) -> Http {
    let url = format!("http://127.0.0.1:{port}");
    let token = Some(secret(directory, "hunter2"));
    Http::open(Settings { token, ..settings(url, framing) }).expect("settings")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// What an index holds, in order.
type Kept = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// `_bulk` as the Elasticsearch guide has it. A document that is no JSON is not
/// mapped; one whose id is there is a conflict.
fn elasticsearch(kept: Kept, busy: Arc<AtomicUsize>) -> u16 {
    serve(move |request| {
        let target = "/_bulk?filter_path=errors,items.*.status,items.*.error";
        assert_eq!(request.target, target);
        assert_eq!(request.headers["content-type"], "application/x-ndjson");
        assert_eq!(request.headers["authorization"], "ApiKey hunter2");
        assert_eq!(request.body.last(), Some(&b'\n'));
        let lines: Vec<&[u8]> =
            request.body[..request.body.len() - 1].split(|b| *b == b'\n').collect();
        let mut kept = kept.lock().expect("no panic");
        let items = lines.chunks(2).map(|pair| {
            let action: Value = serde_json::from_slice(pair[0]).expect("an action");
            let create = &action["create"];
            assert_eq!(create["_index"], "logs-hostnet.network-default", "{action}");
            let id = create["_id"].as_str().expect("an id").to_owned();
            assert_eq!(action, json!({"create": {"_index": create["_index"], "_id": id}}));
            if busy.load(Ordering::SeqCst) > 0 && busy.fetch_sub(1, Ordering::SeqCst) == 1 {
                let error = json!({"type": "es_rejected_execution_exception", "reason": "full"});
                return json!({"create": {"status": 429, "error": error}});
            }
            let is_json = serde_json::from_slice::<Value>(pair[1]).is_ok();
            if !is_json {
                let error = json!({"type": "document_parsing_exception", "reason": "x\n\u{1b}"});
                return json!({"create": {"status": 400, "error": error}});
            }
            if kept.iter().any(|(other, _)| *other == id) {
                let error = json!({"type": "version_conflict_engine_exception", "reason": "x"});
                return json!({"create": {"status": 409, "error": error}});
            }
            kept.push((id, pair[1].to_vec()));
            json!({"create": {"status": 201}})
        });
        let items: Vec<Value> = items.collect();
        let errors = items.iter().any(|item| item["create"]["status"] != 201);
        Answer(200, "", json!({"errors": errors, "items": items}).to_string())
    })
}

fn bodies(kept: &Kept) -> Vec<Vec<u8>> {
    kept.lock().expect("no panic").iter().map(|(_, body)| body.clone()).collect()
}

#[test]
fn elasticsearch_has_each_event_once() {
    let (kept, directory) = (Kept::default(), directory());
    let port = elasticsearch(Arc::clone(&kept), Arc::default());
    let mut sink = open(port, Framing::Elasticsearch, &directory);
    let rows = hostile();
    deliver(&mut sink, &rows).expect("taken");
    deliver(&mut sink, &rows[..10]).expect("what is there is taken");
    assert_same(&bodies(&kept), &rows);
}

#[test]
fn elasticsearch_says_of_each_event_what_became_of_it() {
    let (kept, directory) = (Kept::default(), directory());
    let busy = Arc::new(AtomicUsize::new(0));
    let port = elasticsearch(Arc::clone(&kept), Arc::clone(&busy));
    let mut sink = open(port, Framing::Elasticsearch, &directory);
    let mut rows = plain(20);
    rows[7].document = b"{\"a\":".to_vec();
    let refused = deliver(&mut sink, &rows).expect_err("a bad document");
    assert_eq!((refused.settled, refused.dead, refused.then), (20, 1, None));
    assert!(refused.reason.contains("document_parsing_exception: x\\n"), "{}", refused.reason);
    rows.drain(..8);
    busy.store(3, Ordering::SeqCst);
    let refused = deliver(&mut sink, &rows).expect_err("a queue is full");
    assert_eq!((refused.settled, refused.then), (2, Some(Then::Again(None))), "{}", refused.reason);
    deliver(&mut sink, &rows[2..]).expect("taken");
    assert_eq!(bodies(&kept).len(), 19);
}

/// HEC as Splunk's documentation has it: objects one after another, and a code that
/// says which is wrong.
fn splunk(kept: Kept) -> u16 {
    serve(move |request| {
        assert_eq!(request.target, "/services/collector/event");
        assert_eq!(request.headers["content-type"], "application/json");
        if request.headers["authorization"] != "Splunk hunter2" {
            return Answer(403, "", json!({"text": "Invalid token", "code": 4}).to_string());
        }
        let events = serde_json::Deserializer::from_slice(&request.body);
        let mut taken = Vec::new();
        for (number, event) in events.into_iter::<Value>().enumerate() {
            let event = event.expect("an object");
            let keys: Vec<_> = event.as_object().expect("an object").keys().collect();
            assert_eq!(keys, ["event", "host", "source", "sourcetype", "time"]);
            assert_eq!(
                (&event["host"], &event["sourcetype"]),
                (&json!("node1"), &json!("hostnet:ecs"))
            );
            if event["event"]["bad"] == true {
                let text = "Invalid data format";
                let answer = json!({"text": text, "code": 6, "invalid-event-number": number});
                return Answer(400, "", answer.to_string());
            }
            taken.push((event["time"].to_string(), event["event"].to_string().into_bytes()));
        }
        kept.lock().expect("no panic").extend(taken);
        Answer(200, "", json!({"text": "Success", "code": 0}).to_string())
    })
}

#[test]
fn splunk_names_the_event_it_does_not_take() {
    let (kept, directory) = (Kept::default(), directory());
    let port = splunk(Arc::clone(&kept));
    let mut sink = open(port, Framing::SplunkHec, &directory);
    let rows = hostile();
    deliver(&mut sink, &rows).expect("taken");
    let documents = |rows: &[_]| -> Vec<Value> {
        crate::events::documents(rows)
            .iter()
            .map(|all| serde_json::from_slice(all).expect("JSON"))
            .collect()
    };
    let came: Vec<Value> =
        bodies(&kept).iter().map(|body| serde_json::from_slice(body).expect("JSON")).collect();
    assert_eq!(came, documents(&rows));
    assert_eq!(kept.lock().expect("no panic")[1].0, "1767225600.124");

    kept.lock().expect("no panic").clear();
    let mut rows = plain(9);
    rows[5].document = b"{\"host\":{\"name\":\"node1\"},\"bad\":true}".to_vec();
    let refused = deliver(&mut sink, &rows).expect_err("a bad event");
    let reason = &refused.reason;
    assert_eq!((refused.settled, refused.dead, refused.then), (9, 1, None), "{reason}");
    assert_eq!(bodies(&kept).len(), 8);

    let text = secret(&directory, "hunter3");
    let settings = Settings {
        token: Some(text),
        ..settings(format!("http://127.0.0.1:{port}"), Framing::SplunkHec)
    };
    let mut sink = Http::open(settings).expect("settings");
    let refused = deliver(&mut sink, &plain(1)).expect_err("a wrong token");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(refused.reason.contains("Invalid token"), "{}", refused.reason);
    // The right one is read when the agent is told to.
    secret(&directory, "hunter2");
    hostnet::sink::Sink::reopen(&mut sink).expect("it is readable");
    deliver(&mut sink, &plain(1)).expect("taken");
}

/// Times and lines of each set of labels.
type Streams = BTreeMap<String, Vec<(u64, String)>>;

/// The push API as Loki's documentation has it.
fn loki(kept: Arc<Mutex<Streams>>) -> u16 {
    let asked = AtomicUsize::new(0);
    serve(move |request: &Request| {
        assert_eq!(request.target, "/loki/api/v1/push");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["authorization"], "Bearer hunter2");
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return Answer(429, "retry-after: 7\r\n", "Ingestion rate limit exceeded".into());
        }
        let push: Value = serde_json::from_slice(&request.body).expect("JSON");
        for stream in push["streams"].as_array().expect("streams") {
            let labels = stream["stream"].to_string();
            for value in stream["values"].as_array().expect("values") {
                let [time, line] = [0, 1].map(|at| value[at].as_str().expect("text").to_owned());
                let value = (time.parse().expect("nanoseconds"), line);
                kept.lock().expect("no panic").entry(labels.clone()).or_default().push(value);
            }
        }
        Answer(204, "", String::new())
    })
}

#[test]
fn loki_has_every_byte_and_says_when_to_come_back() {
    let (kept, directory) = (Arc::<Mutex<Streams>>::default(), directory());
    let port = loki(Arc::clone(&kept));
    let mut sink = open(port, Framing::Loki, &directory);
    let rows = hostile();
    let refused = deliver(&mut sink, &rows).expect_err("too many");
    assert_eq!(refused.then, Some(Then::Again(Some(Duration::from_secs(7)))));
    assert_eq!(refused.settled, 0);
    deliver(&mut sink, &rows).expect("taken");
    let kept = kept.lock().expect("no panic");
    let labels = json!({"job": "hostnet", "host": "node1", "dataset": "hostnet.network"});
    let lines = &kept[&labels.to_string()];
    let times: Vec<u64> = lines.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, rows.iter().map(|row| row.time_ns).collect::<Vec<_>>());
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.clone().into_bytes()).collect();
    assert_same(&lines, &rows);
    assert_eq!(kept.len(), 1);
}
