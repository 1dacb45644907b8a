//! Containers that come and go, each with ports of its own: whatever is told of a
//! port has to be told of its container. Their events are counted, not kept.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use rustix::process::Signal;
use serde::Serialize;
use serde_json::Value;

use crate::{agent::Agent, docker::Docker, field::at};

/// The first port, and how many each container has. All are below those of the
/// agent's markers, and of whoever asks for none in particular.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 5;
const MOST: u32 = 2000;

/// What containers do.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How many, and how many at a time.
    pub containers: u32,
    pub at_once: u32,
    /// A command of the actor that takes `ADDR PORT --times TIMES`.
    pub command: &'static str,
    pub times: u32,
}

/// What was told of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    pub containers: usize,
    /// Events with a port that tells whose they are.
    pub events: u64,
    /// TCP connects among them; the commands say how many they make.
    pub connects: u64,
    /// Events with the true id, name and image.
    pub named: u64,
    /// Events with the true id alone, and those of them that no later event names.
    pub nameless: u64,
    pub never_named: u64,
    /// Records that the agent says it lost.
    pub lost: u64,
    /// Events whose owner is said to be unknown.
    pub unknown: u64,
    /// Events with an owner that is not the true one.
    pub wrong: u64,
    pub first_wrong: Option<String>,
}

/// What events said of one container's ports.
#[derive(Default)]
struct Told {
    connects: u64,
    /// By id, name and image.
    owners: HashMap<[Option<String>; 3], (u64, String)>,
}

type All = Arc<Mutex<(HashMap<u32, Told>, BTreeSet<String>)>>;

/// Carries out the plan under an agent, and says what it told.
pub fn observe(plan: Plan) -> Figures {
    assert!(plan.containers <= MOST, "there are no ports for so many");
    let all = All::default();
    let into = Arc::clone(&all);
    let agent = Agent::setup().divert(move |event| take(&into, event)).start();
    let ids = run_all(plan);
    agent.marker();
    let run = agent.stop_with(Signal::TERM);
    assert!(run.status.success(), "the agent ended with {}: {}", run.status, run.messages);
    let losses = run.events.iter().filter(|event| event["event"]["action"] == "records-lost");
    let lost = losses.flat_map(|event| event["hostnet"]["loss"]["by"].as_array()).flatten();
    let lost = lost.filter_map(|by| by["count"].as_u64()).sum();
    let (told, identified) = &*all.lock().expect("not poisoned");
    let mut figures = Figures { containers: ids.len(), lost, ..Figures::default() };
    for (index, told) in told {
        figures.connects += told.connects;
        let truth = ids.get(index);
        for ([id, name, image], (count, sample)) in &told.owners {
            figures.events += count;
            let is_true = truth.is_some() && id.as_ref() == truth.map(|(id, _)| id);
            let is_named = name.as_ref() == truth.map(|(_, name)| name)
                && image.as_deref() == Some("hostnet-test/box");
            match (id, is_true) {
                (None, _) => figures.unknown += count,
                (Some(_), true) if is_named => figures.named += count,
                (Some(id), true) if name.is_none() => {
                    figures.nameless += count;
                    figures.never_named += if identified.contains(id) { 0 } else { *count };
                }
                _ => {
                    figures.wrong += count;
                    figures.first_wrong.get_or_insert_with(|| sample.clone());
                }
            }
        }
    }
    figures
}

/// Counts an event and says that it need not be kept.
fn take(all: &All, event: &Value) -> bool {
    let text = |path| at(event, path).and_then(Value::as_str).map(str::to_owned);
    let number = |path| at(event, path).and_then(Value::as_u64);
    let mut all = all.lock().expect("not poisoned");
    let action = text("event.action");
    if action.as_deref() == Some("container-identified") {
        all.1.extend(text("container.id"));
    }
    let ours = |port: Option<u64>| {
        let index = u32::try_from(port?).ok()?.checked_sub(FIRST_PORT)? / PORTS;
        (index < MOST).then_some(index)
    };
    let (local, remote) = (ours(number("hostnet.local.port")), ours(number("hostnet.remote.port")));
    let Some(index) = local.or(remote) else {
        // The rest of what they do tells by no port whose it is.
        return text("container.name").is_some_and(|name| name.starts_with("hnt-shift-"));
    };
    let told = all.0.entry(index).or_default();
    let is_tcp = text("network.transport").as_deref() == Some("tcp");
    told.connects += u64::from(is_tcp && action.as_deref() == Some("connection_attempted"));
    let owner = [text("container.id"), text("container.name"), text("container.image.name")];
    told.owners.entry(owner).or_insert_with(|| (0, event.to_string())).0 += 1;
    true
}

/// Ids and names by index.
fn run_all(plan: Plan) -> HashMap<u32, (String, String)> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let next = AtomicU32::new(0);
    let work = || {
        let mut ids = HashMap::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= plan.containers {
                return ids;
            }
            let name = Docker::fresh_name("shift");
            let file = directory.path().join(&name);
            let options = ["--cidfile", file.to_str().expect("UTF-8")];
            let [port, times] = [FIRST_PORT + index * PORTS, plan.times].map(|n| n.to_string());
            Docker::shared().launch("host").name(&name).options(options).to_end([
                "/actor",
                plan.command,
                "127.0.0.1",
                &port,
                "--times",
                &times,
            ]);
            ids.insert(index, (fs::read_to_string(&file).expect("docker wrote the id"), name));
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.at_once).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("docker runs")).collect()
    })
}
