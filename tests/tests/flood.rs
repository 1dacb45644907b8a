//! A container that does more than anybody can be told of loses only its own
//! repeats, and each of them is counted.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use hostnet_tests::{
    Agent, Container, Docker, Run, at, cgroups,
    flood::{Delays, Flood, Plan, host_user},
    is_slow, needs_docker, needs_root, net, patience, want,
};
use rustix::process::Signal;
use serde_json::Value;

/// Floods of one kind from both cores beside another container that acts, and
/// checks that generated, told and counted agree.
fn flood(kind: &'static str, records: &[&str], action: &str) {
    let plan = Plan { kind, lasts: 10_000, marks: 20_000, rare: 2_000 };
    let end = |agent: Agent| drop(agent.stop());
    let Flood { acts, rare, guilty, other } = hostnet_tests::flood::flood(plan, end);
    assert_eq!(other.single.len(), 20_000, "of the other's {other:?}", other = other.told);
    assert!(other.single.values().all(|told| *told == 1), "each once");
    assert!(other.suppressed.is_empty(), "{other:?}", other = other.suppressed);
    assert_eq!(guilty.single.len() as u64, rare, "its own rare acts");
    let in_flood = if kind == "connect" { rare } else { 0 };
    for record in records {
        let suppressed = guilty.suppressed(record);
        assert!(suppressed > 0, "no flood of {record}: {acts} acts");
        // Of some kinds of records no event comes.
        if *record == records[0] {
            assert_eq!(guilty.told(action) + suppressed, acts + in_flood, "{guilty:?}");
        }
    }
    let why = " counted but not shown: over its limit of observe.events_per_second";
    assert!(guilty.said.iter().any(|said| said.contains(why)), "{said:?}", said = guilty.said);
    assert!(!guilty.binds.contains("failure"), "a bind whose end was suppressed");
}

#[test]
fn connects() {
    needs_root!();
    flood("connect", &["connect"], "connection_attempted");
}

#[test]
fn raw_sockets() {
    needs_root!();
    flood("raw-socket", &["raw-socket"], "opened-raw-socket");
}

#[test]
fn binds() {
    needs_root!();
    flood("bind", &["bind", "bind-asked"], "bound-socket");
}

/// The findings of a container, by rule: severity and message.
fn findings(run: &Run, of: &Container) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for event in run.all(&want().action("finding").owned_by(of)) {
        let text = |path| at(event, path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let finding = (text("hostnet.finding.severity"), text("message"));
        found.entry(text("rule.id")).or_default().push(finding);
    }
    found
}

/// Whether an event is one of a flood of connects to the flooded port, which are too many
/// to keep.
fn is_of_flood(event: &Value) -> bool {
    at(event, "hostnet.remote.port").and_then(Value::as_u64) == Some(9)
}

/// Acts that detections depend on are reported though a container has used up its budget
/// and its quota of new acts, and that it has is a finding.
#[test]
fn a_flood_of_new_acts_hides_no_sensitive_one_and_is_a_finding() {
    needs_root!();
    const API: u16 = 2375;
    let listener = TcpListener::bind(("127.0.0.1", API)).expect("nobody has it");
    thread::spawn(move || listener.incoming().for_each(drop));
    let agent = Agent::setup().divert(is_of_flood).start();
    let (mut flooding, mut quiet) =
        (Docker::shared().launch("host").actor(), Docker::shared().launch("host").actor());
    flooding.begin(&format!("flood anywhere 4000 --count 2 --api {API}"));
    quiet.one("marks 4000 --times 500");
    flooding.finish();
    agent.marker();
    let run = agent.stop();
    let connects = want().action("connection_attempted");
    let api = connects.clone().owned_by(&flooding.container).is("hostnet.remote.port", API);
    run.only(&api.is("event.outcome", "success"));
    let aimed = connects.clone().owned_by(&flooding.container);
    run.only(&aimed.is("hostnet.remote.ip", "169.254.169.254"));
    let found = findings(&run, &flooding.container);
    let severities = |rule: &str| -> Vec<&str> {
        found.get(rule).into_iter().flatten().map(|(severity, _)| severity.as_str()).collect()
    };
    assert_eq!(severities("runtime-api"), ["critical"], "{found:#?}");
    assert_eq!(severities("cloud-metadata"), ["low"], "{found:#?}");
    let floods = severities("flood");
    assert!(floods.contains(&"high") && floods.len() <= 2, "{found:#?}");
    assert_eq!(
        run.all(&connects.owned_by(&quiet.container).is("hostnet.remote.port", 7)).len(),
        500
    );
    assert!(!findings(&run, &quiet.container).contains_key("flood"));
    run.none(&want().action("records-suppressed").owned_by(&quiet.container));
}

/// Outcomes of connects come where nobody acts. In a cgroup that a stranger has entered,
/// they are paid for by whoever connected.
#[test]
fn a_flood_from_within_another_containers_cgroup_is_the_strangers() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    const MOUNTED: &str = "/cgroups";
    let volume = format!("--volume={}:{MOUNTED}:rw", cgroups::root().display());
    let options = [volume.as_str(), "--cgroupns=host"];
    let agent = Agent::setup().divert(is_of_flood).start();
    let mut stranger = Docker::shared().launch("host").options(options).actor();
    let mut victim = Docker::shared().launch("host").actor();
    let path = cgroups::path_of(victim.container.pid);
    let inside = cgroups::directory(Path::new(MOUNTED), &path);
    assert_eq!(stranger.one(&format!("cgroup-enter {}", inside.display()))["result"], "ok");
    assert_eq!(cgroups::path_of(stranger.container.pid), path);
    stranger.begin("flood refused 8000 --count 2");
    victim.one("marks 8000 --times 500");
    let port = net::closed_port();
    let refused = victim.perform(&format!("tcp-connect 127.0.0.1 {port} --times 100"));
    assert!(refused.iter().all(|one| one["result"] == "ECONNREFUSED"));
    let acts = stranger.finish().remove(0)["acts"].as_u64().expect("a number");
    agent.marker();
    let run = agent.stop();
    let told = want().action("connection_attempted").owned_by(&victim.container);
    let told = told.is("hostnet.remote.port", port).is("event.outcome", "failure");
    run.exactly(100, &told);
    let suppressed = want().action("records-suppressed");
    run.none(&suppressed.clone().owned_by(&victim.container));
    let of_outcomes: u64 = run
        .all(&suppressed.owned_by(&stranger.container))
        .into_iter()
        .filter_map(|event| at(event, "hostnet.loss.by")?.as_array())
        .flatten()
        .filter(|one| one["operation"] == "connect-outcome")
        .filter_map(|one| one["count"].as_u64())
        .sum();
    assert!(of_outcomes > 0, "no flood of outcomes: {acts} acts");
}

/// The port of a listener that was never bound is not in its record. Whoever makes such
/// listeners as fast as possible must not keep the agent from a quiet container's events.
#[test]
fn listens_without_bind_of_a_host_user_delay_no_event_of_a_container() {
    needs_root!();
    let delays = Delays::default();
    let noting = delays.clone();
    let agent = Agent::setup()
        .divert(move |event| {
            noting.note(event);
            false
        })
        .start();
    let mut quiet = Docker::shared().launch("host").actor();
    let mut flooding = host_user([]);
    flooding.begin("flood listen 5000");
    quiet.one(&format!("marks 5000 --times {MARKS}"));
    let listens = flooding.finish().remove(0)["acts"].as_u64().expect("a number");
    agent.marker();
    let run = agent.stop();
    assert!(listens > 20_000, "no flood: {listens} listens");
    are_in_time(&delays);
    assert_eq!(run.code(), Some(0));
}

/// Where records of processes are beyond what their owner may cause, every process is in
/// doubt and looked up in /proc, second after second. Many processes with command lines as
/// long as the kernel takes make that dear; a quiet container's events do not wait for it.
#[test]
fn many_processes_in_doubt_of_a_host_user_delay_no_event_of_a_container() {
    needs_root!();
    let processes = if is_slow() { 300 } else { 1_500 };
    let delays = Delays::default();
    let asked = Arc::new(AtomicU64::new(0));
    let (noting, counting) = (delays.clone(), Arc::clone(&asked));
    let agent = Agent::setup()
        .observe("events_per_second = 5000\nburst = 5000\n[metrics]\nheartbeat_seconds = 1\n")
        .divert(move |event| {
            noting.note(event);
            let of_processes = |what| {
                let path = format!("hostnet.health.lookups.process.{what}");
                at(event, &path).and_then(Value::as_u64).unwrap_or_default()
            };
            counting.fetch_max(of_processes("asked") + of_processes("refused"), Ordering::Relaxed);
            false
        })
        .start();
    let mut quiet = Docker::shared().launch("host").actor();
    // An argument has at most 128 KiB.
    let mut flooding = host_user((0..12).map(|_| "a".repeat(120 << 10)));
    flooding.begin(&format!("flood-processes 6000 --count {processes}"));
    quiet.one(&format!("marks 6000 --times {MARKS}"));
    flooding.finish();
    agent.marker();
    let heartbeat = want().action("agent-heartbeat");
    agent.expect_many(agent.count(&heartbeat) + 2, &heartbeat);
    // Operations beyond the user's limit are counted, which other tests must not see.
    let run = agent.stop_with(Signal::TERM);
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked > 2 * processes, "no process was in doubt: {asked} lookups");
    are_in_time(&delays);
    assert_eq!(run.code(), Some(0));
}

/// Connects of the quiet container.
const MARKS: usize = 500;

fn are_in_time(delays: &Delays) {
    let (reported, latest) = delays.latest();
    assert_eq!(reported, MARKS, "connects reported, the latest after {latest:?}");
    assert!(latest < patience() / 10, "the latest was reported after {latest:?}");
}
