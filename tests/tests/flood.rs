//! A container that does more than anybody can be told of loses only its own
//! repeats, and each of them is counted.

use std::{
    fs,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use hostnet_tests::{
    Actor, ActorBox, Agent, Container, Docker, Run, at,
    flood::{Delays, Flood, Plan, findings, host_user, stranger_within},
    has_docker, is_covered, is_slow, needs_docker, needs_root, net, patience, want,
    watch::Watch,
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
    let agent = Agent::setup().divert(is_of_flood).start();
    let mut victim = Docker::shared().launch("host").actor();
    let mut stranger = stranger_within(&victim.container);
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

/// Who floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// A user of the host's, without privileges.
    User,
    /// A container.
    Container,
    /// One of an image with as many and as long labels as are taken.
    WithLabels,
    /// One that has moved into the other's cgroup.
    Within,
}

/// What is flooded, and how: a table for each promise that a flood could break.
const FLOODS: [(&str, Who, &str); 7] = [
    ("peers, since the agent started", Who::Container, "udp-spray 48 256"),
    ("listens without a bind", Who::User, "flood listen 2000"),
    ("acts that are all new", Who::Container, "flood anywhere 2000 --count 2"),
    ("events as long as they may be", Who::WithLabels, "flood anywhere 2000"),
    ("sockets that stay", Who::Container, "hold-many 4000"),
    ("peers of UDP sockets", Who::Container, "udp-spray 48 256"),
    ("outcomes in another's cgroup", Who::Within, "flood refused 2000 --count 2"),
];

/// Whoever floods. The others' containers have a cgroup that tells them apart.
enum Flooder {
    User(Actor),
    Container(ActorBox),
}

impl Flooder {
    /// `None` where it cannot be here.
    fn start(who: Who, other: &Container) -> Option<Self> {
        Some(match who {
            Who::User => Self::User(host_user([])),
            Who::Container => Self::Container(Docker::shared().launch("host").actor()),
            Who::WithLabels => {
                if !has_docker("labels") {
                    return None;
                }
                let label = |number| format!("--label=l{number}={}", "\u{1}".repeat(250));
                let labels = (0..64).map(label);
                let plain = Docker::shared().launch("host");
                let launch = labels.fold(plain, |launch, label| launch.options([&*label]));
                Self::Container(launch.actor())
            }
            Who::Within => {
                if !has_docker("a container that may write to the cgroup file system") {
                    return None;
                }
                Self::Container(stranger_within(other))
            }
        })
    }

    fn actor(&mut self) -> &mut Actor {
        match self {
            Self::User(actor) => actor,
            Self::Container(container) => container,
        }
    }

    /// Whether it is who is counted here.
    fn is(&self, counted: &Value) -> bool {
        match self {
            Self::User(_) => counted["operation"] == "listen" && counted["container"].is_null(),
            Self::Container(one) => counted["container"]["id"] == one.container.id.as_str(),
        }
    }

    /// That the run names it.
    fn is_named(&self, run: &Run, what: &str) {
        let counted = run.all(&want().action("records-suppressed"));
        let mut counted = counted.into_iter().filter_map(|event| at(event, "hostnet.loss.by"));
        let is_counted =
            counted.any(|by| by.as_array().is_some_and(|by| by.iter().any(|one| self.is(one))));
        assert!(is_counted, "{what}: nobody says who flooded");
        if let Self::Container(one) = self {
            let found = findings(run, &one.container);
            assert!(found.contains_key("flood"), "{what}: {found:#?}");
        }
    }
}

/// Memory of a process in RAM, bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// What the agent may have of it, whatever it is flooded with: the rings' 36 MiB, what
/// waits for the history and the sinks, and its tables.
const MOST_RESIDENT: u64 = 256 << 20;

/// Acts of the other container during each flood.
const ACTS: usize = 200;

/// Each flood by a container or a user, beside another container that does a few things:
/// all of those are reported, as is what they mean; the agent stays small, and says who
/// flooded.
#[test]
fn every_flood_leaves_anothers_events_and_findings_and_is_named() {
    needs_root!();
    let mut began = Docker::shared().launch("host").actor();
    let is_started = Arc::new(AtomicBool::new(false));
    let started = Arc::clone(&is_started);
    // While the programs are being attached and proven, too.
    let flooding = thread::spawn(move || {
        while !started.load(Ordering::Relaxed) {
            began.one("udp-spray 136 256");
        }
        began
    });
    // Little, so that a slow machine gets beyond it.
    let limit = "events_per_second = 1000\nburst = 2000\n";
    let agent = Agent::setup().observe(limit).divert(is_of_flood).start();
    is_started.store(true, Ordering::Relaxed);
    let mut began = Some(flooding.join().expect("it sprays"));
    let pid = agent.pid();
    let watch = Watch::of(move || resident(pid));
    let mut others = Vec::new();
    for (what, who, flood) in FLOODS {
        let mut other = Docker::shared().launch("host").actor();
        let first = began.take().map(Flooder::Container);
        let Some(mut flooder) = first.or_else(|| Flooder::start(who, &other.container)) else {
            continue;
        };
        flooder.actor().begin(flood);
        other.one(&format!("marks 2000 --times {ACTS}"));
        other.one("udp-connect 169.254.169.254 80");
        flooder.actor().finish();
        others.push((what, flooder, other));
    }
    agent.marker();
    let most = watch.most();
    // Whatever of the floods had no room in the rings is counted as theirs.
    let run = agent.stop_with(Signal::TERM);
    assert_eq!(run.code(), Some(0), "{}", run.messages);
    assert!((1 << 20..=MOST_RESIDENT).contains(&most), "{most} bytes of memory");
    for hook in ["cgroup/sendmsg4", "cgroup/connect4"] {
        assert!(is_covered(&run.events[0], hook), "{hook} was not proven");
    }
    for (what, flooder, other) in &others {
        let done = want().action("connection_attempted").owned_by(&other.container);
        assert_eq!(run.all(&done.clone().is("hostnet.remote.port", 7)).len(), ACTS, "{what}");
        run.only(&done.is("hostnet.remote.ip", "169.254.169.254"));
        let found = findings(&run, &other.container);
        // Which of them are expected to be there, nobody has said.
        let of_acts = found.keys().filter(|rule| *rule != "unexpected-container");
        assert_eq!(of_acts.collect::<Vec<_>>(), ["cloud-metadata"], "{what}");
        for action in ["records-suppressed", "records-lost"] {
            for event in run.all(&want().action(action)) {
                let by = at(event, "hostnet.loss.by").and_then(Value::as_array);
                let is_other = |one: &Value| one["container"]["id"] == other.container.id.as_str();
                assert!(!by.is_some_and(|by| by.iter().any(is_other)), "{what}: {event}");
            }
        }
        flooder.is_named(&run, what);
    }
}
