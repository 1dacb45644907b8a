//! The whole agent and a receiver that will never take what waits: it is counted and
//! reported, and fresh events arrive, over a restart too. A strict server stands for Loki,
//! which cannot be installed here.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use hostnet_tests::{
    Agent, Docker, needs_root,
    numbers::{get, number},
    wait_for, want,
    web::{Answer, serve},
};
use rustix::process::Signal;
use serde_json::Value;

use crate::http_refusals::loki_answer;

/// More than a sink is handed at once.
const OLD_ACTS: usize = 3000;
const FRESH_ACTS: usize = 50;

/// Loki with `reject_old_samples`.
#[derive(Default)]
struct Loki {
    /// Before this time, nanoseconds since 1970, all entries are too old; it is not ready
    /// while there is no such time.
    oldest_ns: Option<u64>,
    /// `event.id` of what it has taken.
    kept: BTreeSet<String>,
    /// `event.id` of each that it has refused, as often as it has.
    refused: Vec<String>,
}

fn serve_loki(state: Arc<Mutex<Loki>>) -> u16 {
    serve(move |request| {
        let mut state = state.lock().expect("no panic");
        let Some(oldest_ns) = state.oldest_ns else {
            return Answer(503, "", "Ingester not ready".into());
        };
        loki_answer(request, oldest_ns, |line, is_old| {
            let event: Value = serde_json::from_slice(line).expect("an event");
            let id = event["event"]["id"].as_str().expect("an id").to_owned();
            if is_old {
                state.refused.push(id);
            } else {
                state.kept.insert(id);
            }
        })
    })
}

#[test]
fn a_queue_that_is_too_old_for_loki_drains_over_a_restart_and_fresh_events_arrive() {
    needs_root!();
    let loki = Arc::new(Mutex::new(Loki::default()));
    let port = serve_loki(Arc::clone(&loki));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let page = directory.path().join("metrics.sock");
    let start = || {
        let sink = format!(
            "name = \"loki\"\ntype = \"http\"\nframing = \"loki\"\nurl = \"http://127.0.0.1:{port}\""
        );
        let metrics = format!("[metrics]\nlisten = \"unix:{}\"\n", page.display());
        let history = directory.path().join("history.db");
        Agent::setup().sink(&sink).history(&history).observe(&metrics).start()
    };
    let mut actor = Docker::shared().launch("host").actor();
    let agent = start();
    actor.one(&format!("marks 300 --times {OLD_ACTS}"));
    agent.marker();
    agent.expect(&want().action("sink-failing").is("hostnet.health.sink", "loki"));
    // All else has its events; these wait for the next start.
    assert_ne!(agent.stop_with(Signal::TERM).code(), Some(0));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    loki.lock().expect("no panic").oldest_ns = Some(now.as_nanos() as u64);
    let agent = start();
    actor.one(&format!("marks 300 --times {FRESH_ACTS}"));
    agent.marker();
    let refused = || loki.lock().expect("no panic").refused.len() as u64;
    let dropped = || number(&get(&page, "/metrics").1, "hostnet_sink_dropped_total{sink=\"loki\"}");
    wait_for("the number of all that were refused", || {
        let dropped = dropped();
        dropped >= OLD_ACTS as u64 && dropped == refused()
    });
    let news = want().action("sink-dropped").is("hostnet.health.sink", "loki");
    wait_for("the news of all of them", || {
        let told = agent.expect_many(agent.count(&news).max(1), &news);
        let counts = told.iter().map(|event| event["hostnet"]["health"]["refused"].as_u64());
        counts.map(|count| count.expect("a number")).sum::<u64>() == refused()
    });
    let run = agent.stop();

    let loki = loki.lock().expect("no panic");
    assert!(loki.refused.len() >= OLD_ACTS, "{}", loki.refused.len());
    let different: BTreeSet<&String> = loki.refused.iter().collect();
    assert_eq!(different.len(), loki.refused.len(), "each is refused once");
    let ids = |event: &Value| event["event"]["id"].as_str().expect("an id").to_owned();
    let missing = run.events.iter().filter(|event| !loki.kept.contains(&ids(event))).count();
    assert_eq!(missing, 0, "of {} events of the second run", run.events.len());
    let fresh = run.all(&want().action("connection_attempted").owned_by(&actor.container));
    assert_eq!(fresh.len(), FRESH_ACTS);
}
