//! What an HTTP receiver never takes: it is counted once, whatever else was in the request
//! is not lost, and what comes after it arrives. Strict servers of the test's own stand for
//! the receivers that cannot be installed here.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use hostnet::{
    row::Row,
    sink::{
        Then,
        http::{Framing, Http},
    },
};
use hostnet_tests::web::{Answer, Request, serve};
use serde_json::Value;

use crate::{
    events::{deliver, plain},
    http::settings,
};

/// Lines that a receiver has taken.
type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

fn open(port: u16, framing: Framing) -> Http {
    let url = format!("http://127.0.0.1:{port}");
    Http::open(settings(url, framing)).expect("settings")
}

fn is_bad(line: &[u8]) -> bool {
    line == b"bad"
}

/// Rows of which these are bad.
fn rows(count: usize, bad: impl Fn(usize) -> bool) -> Vec<Row> {
    let mut rows = plain(count);
    for (_, row) in rows.iter_mut().enumerate().filter(|(place, _)| bad(*place)) {
        row.document = b"bad".to_vec();
    }
    rows
}

/// Delivers as the outbox does, to the end: how many were dead letters.
fn drain(sink: &mut Http, mut rows: &[Row]) -> usize {
    let mut dead = 0;
    while let Err(refused) = deliver(sink, rows) {
        assert_eq!(refused.then, None, "{}", refused.reason);
        assert!(refused.settled > 0, "{}", refused.reason);
        dead += refused.dead;
        rows = &rows[refused.settled..];
        if rows.is_empty() {
            break;
        }
    }
    dead
}

/// A receiver of lines that refuses a request with a bad one whole.
fn lines(kept: Kept) -> u16 {
    serve(move |request: &Request| {
        let body = request.body.strip_suffix(b"\n").unwrap_or(&request.body);
        let lines: Vec<_> = body.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.iter().any(|line| is_bad(line)) {
            return Answer(400, "", "a bad line".into());
        }
        kept.lock().expect("no panic").extend(lines);
        Answer(200, "", String::new())
    })
}

/// More than may follow one another without proof, from the first on: as after a restart.
#[test]
fn a_front_of_bad_events_drains_and_fresh_ones_arrive() {
    let kept = Kept::default();
    let mut sink = open(lines(Arc::clone(&kept)), Framing::Ndjson);
    let rows = rows(600, |place| place < 300 || place % 7 == 0);
    let bad = rows.iter().filter(|row| is_bad(&row.document)).count();
    assert_eq!(drain(&mut sink, &rows), bad);
    let mut kept = kept.lock().expect("no panic").clone();
    let last = &rows[599].document;
    // It is the one that was the proof, each time it was wanted.
    assert!(kept.iter().filter(|line| *line == last).count() <= 2 + 300 / 64 + 1);
    kept.retain(|line| line != last);
    let good: Vec<_> =
        rows[..599].iter().map(|row| row.document.clone()).filter(|line| !is_bad(line)).collect();
    assert_eq!(kept, good);
}

#[test]
fn a_receiver_that_begins_to_refuse_everything_costs_a_bounded_number() {
    let is_open = Arc::new(AtomicUsize::new(1));
    let state = Arc::clone(&is_open);
    let port = serve(move |_| match state.load(Ordering::SeqCst) {
        0 => Answer(400, "", "no such column".into()),
        _ => Answer(200, "", String::new()),
    });
    let (mut sink, all) = (open(port, Framing::Ndjson), plain(1000));
    deliver(&mut sink, &all[..10]).expect("taken");
    is_open.store(0, Ordering::SeqCst);
    let refused = deliver(&mut sink, &all).expect_err("all are refused");
    assert!(refused.settled == refused.dead && refused.dead <= 64, "{refused:?}");
    assert_eq!(refused.then, Some(Then::Again(None)));
    assert!(refused.reason.contains("check the settings"), "{}", refused.reason);
    is_open.store(1, Ordering::SeqCst);
    deliver(&mut sink, &all[refused.settled..]).expect("taken");
}

/// Each has a status of its own: one answer settles a page of them, once another was taken.
#[test]
fn elasticsearch_refuses_a_whole_page_at_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let port = serve(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        let bodies = request.body.split(|byte| *byte == b'\n').skip(1).step_by(2);
        let items: Vec<_> = bodies
            .filter(|body| !body.is_empty())
            .map(|body| match is_bad(body) {
                true => serde_json::json!({"create": {"status": 400, "error": {"type": "a"}}}),
                false => serde_json::json!({"create": {"status": 201}}),
            })
            .collect();
        Answer(200, "", serde_json::json!({"errors": true, "items": items}).to_string())
    });
    let mut sink = open(port, Framing::Elasticsearch);
    let rows = rows(2000, |place| place < 1999);
    let refused = deliver(&mut sink, &rows[..1999]).expect_err("all are refused");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert_eq!(drain(&mut sink, &rows), 1999);
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

/// What Loki answers to a request of whose entries it refuses those before a time, nanoseconds
/// since 1970; `entry` is called with each line and whether it is one of these.
pub fn loki_answer(
    request: &Request,
    oldest_ns: u64,
    mut entry: impl FnMut(&[u8], bool),
) -> Answer {
    let push: Value = serde_json::from_slice(&request.body).expect("JSON");
    let mut old = 0;
    for stream in push["streams"].as_array().expect("streams") {
        for value in stream["values"].as_array().expect("values") {
            let [time, line] = [0, 1].map(|at| value[at].as_str().expect("text"));
            let is_old = time.parse::<u64>().expect("nanoseconds") < oldest_ns;
            old += u64::from(is_old);
            entry(line.as_bytes(), is_old);
        }
    }
    if old == 0 {
        return Answer(204, "", String::new());
    }
    let text = format!(
        "{old} errors like: entry for stream '{{job=\"hostnet\"}}' has timestamp too old: \
         2020-01-01T00:00:00Z, oldest acceptable timestamp is: 2020-01-08T00:00:00Z"
    );
    Answer(400, "", text)
}

/// Loki takes the rest of a request with entries that are too old.
fn loki(oldest_ns: u64, kept: Kept, requests: Arc<AtomicUsize>) -> u16 {
    serve(move |request: &Request| {
        requests.fetch_add(1, Ordering::SeqCst);
        loki_answer(request, oldest_ns, |line, is_old| {
            if !is_old {
                kept.lock().expect("no panic").push(line.to_vec());
            }
        })
    })
}

#[test]
fn loki_takes_the_rest_of_a_refused_request() {
    let (kept, requests) = (Kept::default(), Arc::<AtomicUsize>::default());
    let rows = plain(100);
    let port = loki(rows[70].time_ns, Arc::clone(&kept), Arc::clone(&requests));
    let mut sink = open(port, Framing::Loki);
    // A queue whose front is all too old, as a run finds it that has delivered nothing yet.
    for (handed, dead) in [(0..50, 50), (50..100, 20)] {
        let refused = deliver(&mut sink, &rows[handed]).expect_err("they are too old");
        let reason = &refused.reason;
        assert_eq!((refused.settled, refused.dead, refused.then), (50, dead, None), "{reason}");
        assert!(reason.contains("has timestamp too old"), "{reason}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    let fresh: Vec<_> = rows[70..].iter().map(|row| row.document.clone()).collect();
    assert_eq!(*kept.lock().expect("no panic"), fresh);
}

/// A hostile one names events that it was not sent.
#[test]
fn a_splunk_that_names_an_event_that_is_not_there_costs_no_other() {
    let kept = Kept::default();
    let taken = Arc::clone(&kept);
    let port = serve(move |request| {
        if request.body.windows(3).any(|bytes| bytes == b"bad") {
            let text = "{\"text\":\"x\",\"code\":6,\"invalid-event-number\":18446744073709551615}";
            return Answer(400, "", text.into());
        }
        let events = request.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        taken.lock().expect("no panic").extend(events.map(<[u8]>::to_vec));
        Answer(200, "", "{\"text\":\"Success\",\"code\":0}".into())
    });
    let mut sink = open(port, Framing::SplunkHec);
    let rows = rows(40, |place| place == 0 || place == 21);
    assert_eq!(drain(&mut sink, &rows), 2);
    // One is twice in it: it was the proof that others are taken.
    assert_eq!(kept.lock().expect("no panic").len(), 39);
}
