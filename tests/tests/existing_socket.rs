//! Sockets that are there before the agent: told once, as whose they are.

use std::{
    collections::{HashMap, HashSet},
    sync::mpsc,
    thread,
};

use hostnet_tests::{
    Actor, Agent, Docker, Run, Want, at, is_covered, is_slow, needs_root, net, not_here, tell, want,
};
use rustix::{
    process::Signal,
    time::{ClockId, clock_gettime},
};
use serde_json::Value;

const KINDS: &str = "hold tcp-listener tcp-bound tcp-connection tcp-connecting udp-bound \
                     udp-connected packet netlink";

/// An abstract name with NUL, ESC and a byte that is not text.
const NAME: &str = "00686e740041001b5b324aff";

fn existing(truth: &Value) -> Want {
    want().action("existing_socket").is("hostnet.socket.cookie", truth["cookie"].clone())
}

/// Whether this kernel can show such a socket, as the agent states it.
fn is_shown(run: &Run, truth: &Value) -> bool {
    let kind = truth["kind"].as_str().expect("a kind");
    let is_v6 = truth["local"]["ip"].as_str().is_some_and(|ip| ip.contains(':'));
    let by = match (kind, kind.split('-').next().unwrap_or(kind), is_v6) {
        ("tcp-bound", ..) => "tcp-bound".to_owned(),
        (_, family @ ("tcp" | "udp" | "raw"), true) => format!("{family}6"),
        (_, family, _) => family.to_owned(),
    };
    let is_shown = is_covered(&run.events[0], &format!("sock_diag/{by}"));
    if !is_shown {
        not_here(&format!("existing sockets of kind {kind}, and the agent says so"));
    }
    is_shown
}

/// What sock_diag shows of a socket, as the actor knows it.
fn told(truth: &Value) -> Want {
    let mut wanted = existing(truth)
        .is("event.kind", "state")
        .is("event.provider", "sock_diag")
        .is("event.outcome", "success")
        .is("hostnet.operation", "existing_socket")
        .is("hostnet.existing.state", truth["state"].clone())
        .absent("event.duration");
    for end in ["local", "remote"] {
        if truth[end].is_object() {
            wanted = wanted.endpoint(&format!("hostnet.{end}"), &truth[end]);
        }
    }
    let direction = match truth["kind"].as_str() {
        Some("tcp-client" | "tcp-connecting") => "egress",
        Some("tcp-server") => "ingress",
        _ => return wanted.absent("network.direction"),
    };
    wanted.is("network.direction", direction)
}

#[test]
fn e21_every_kind_is_told_once_with_its_owner() {
    needs_root!(no tcp);
    let mut actor = Docker::shared().launch("host").actor();
    let truths = actor.perform(KINDS);
    assert_eq!(truths.len(), 12, "{truths:?}");
    let unix = actor.perform(&format!("hold-unix {NAME}"));
    let agent = Agent::start();
    agent.marker();
    let run = agent.stop();
    for truth in truths.iter().chain(&unix).filter(|truth| is_shown(&run, truth)) {
        let expected = told(truth).owned_by(&actor.container);
        run.only(&expected.is("process.pid", actor.container.pid));
        // Nothing was done, so nothing else is told of it.
        let of_it = want().is("hostnet.socket.cookie", truth["cookie"].clone());
        run.only(&of_it.absent("rule.id"));
    }
    let name = |end: &str| format!("hostnet.{end}.name_hex");
    for (truth, end) in unix.iter().zip(["local", "remote", "local"]) {
        if is_shown(&run, truth) {
            run.only(&existing(truth).is(&name(end), NAME).is("network.transport", "unix"));
        }
    }
    let ours = |action: &str| want().action(action).is("container.id", actor.container.id.as_str());
    run.only(&ours("container-in-host-network").is("event.kind", "state"));
    run.none(&ours("container-joined-host-network"));
}

/// What began before the agent, or while it starts, is told with whom it reaches: by the
/// same service from the first event on.
#[test]
fn who_is_connected_at_the_start_is_named() {
    needs_root!();
    let (listener, port) = net::listener();
    let (first, accepted) = mpsc::channel();
    thread::spawn(move || {
        first.send(listener.accept().expect("a connection")).expect("the test goes on");
        listener.incoming().for_each(drop);
    });
    let mut held = Docker::shared().launch("host").actor();
    // It waits for an answer that does not come.
    held.begin(&format!("tcp-connect 127.0.0.1 {port} --send 1"));
    let script = format!("while :; do /actor short 127.0.0.1 {port}; done");
    let busy = Docker::shared().launch("host").start(["sh", "-c", &script]);
    let agent = Agent::start();
    let is_ours = |wanted: Want| {
        wanted.is("hostnet.peer.kind", "host").is("hostnet.peer.process.pid", std::process::id())
    };
    let existing = want().action("existing_socket").owned_by(&held.container);
    let existing = is_ours(existing.is("hostnet.remote.port", port));
    agent.expect(&existing.is("network.direction", "egress"));
    let attempted = want().owned_by(&busy).attempt(port);
    agent.expect_many(20, &attempted);
    drop(busy);
    let run = agent.stop();
    let told = run.all(&attempted.is("event.outcome", "success"));
    let unnamed: Vec<_> = told.iter().filter(|one| one["hostnet"]["peer"].is_null()).collect();
    assert!(unnamed.is_empty(), "{} of {} have no peer: {}", unnamed.len(), told.len(), unnamed[0]);
    let found = want().is("rule.id", "host-loopback-service").is("hostnet.remote.port", port);
    run.only(&found.owned_by(&held.container));
    drop(accepted.recv());
    held.finish();
}

/// Raw sockets need a part of the kernel that not every one has; then that is said.
#[test]
fn e21_raw_sockets_are_told_or_stated_as_a_gap() {
    needs_root!(no tcp);
    let mut actor = Docker::shared().launch("host").actor();
    let truth = actor.one("hold raw");
    let agent = Agent::start();
    agent.marker();
    let run = agent.stop();
    if is_shown(&run, &truth) {
        let raw =
            told(&truth).is("hostnet.socket.type", "raw").is("hostnet.socket.protocol", "icmp");
        run.only(&raw.owned_by(&actor.container));
    } else {
        run.none(&existing(&truth));
    }
}

/// What happens to them afterwards goes on from what was told.
#[test]
fn e21_later_events_carry_on() {
    needs_root!();
    let mut actor = Docker::shared().launch("host").actor();
    let listening = actor.one("listen 127.0.0.1 0");
    let port = listening["local"]["port"].as_u64().expect("a port") as u16;
    let truths = actor.perform("hold tcp-connection tcp-connecting udp-bound udp-connected");
    let of = |kind: &str| {
        truths.iter().rfind(|truth| truth["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    };
    let agent = Agent::start();
    let connecting = agent.expect(&told(of("tcp-connecting")));

    actor.begin(&format!("serve {port} --reply 5"));
    let done = net::exchange(([127, 0, 0, 1], port).into(), b"q\n");
    actor.finish();
    let ours = want().owned_by(&actor.container).is("process.pid", actor.container.pid);
    let accepted = ours.clone().action("connection_accepted");
    agent.expect(&accepted.is("source.port", done.local.port()));
    actor.perform("release");
    let about = |action: &str, kind: &str| {
        let about = ours.clone().action(action).absent("event.duration");
        about.is("hostnet.socket.cookie", of(kind)["cookie"].clone())
    };
    agent.expect(&about("closed-listener", "tcp-listener"));
    let closed = |kind: &str| about("disconnect_received", kind);
    agent.expect(&closed("tcp-server").is("network.direction", "ingress"));
    agent.expect(&closed("tcp-client").is("network.direction", "egress"));
    agent.expect(&closed("udp-bound"));
    agent.expect(
        &closed("udp-connected").endpoint("hostnet.remote", &of("udp-connected")["remote"]),
    );
    let outcome = about("connection-outcome", "tcp-connecting").is("event.outcome", "failure");
    agent.expect(&outcome.is("hostnet.amends", connecting["event"]["id"].clone()));
    agent.stop();
}

#[test]
fn e21_the_hosts_only_with_all_and_a_bridges_never() {
    needs_root!(no tcp);
    let mut host = Actor::on_host();
    let mut bridge = Docker::shared().launch("bridge").actor();
    let ours = host.perform(KINDS);
    // Its loopback has no IPv6.
    let theirs = bridge.perform("hold tcp-listener tcp-connecting udp-connected packet netlink");
    let agent = Agent::start();
    agent.marker();
    let run = agent.stop();
    for truth in ours.iter().chain(&theirs) {
        run.none(&existing(truth));
    }
    run.none(&want().is("hostnet.owner.kind", "host"));
    let agent = Agent::setup().all().start();
    agent.marker();
    let run = agent.stop();
    for truth in ours.iter().filter(|truth| is_shown(&run, truth)) {
        let of_host = told(truth).is("hostnet.owner.kind", "host").absent("container.id");
        run.only(&of_host.is("process.pid", host.host_pid()));
    }
    for truth in &theirs {
        run.none(&existing(truth));
    }
}

/// A socket that came and maybe went, on the boot clock.
#[derive(Debug)]
struct Life {
    kind: String,
    opened_ns: u64,
    closed_ns: u64,
}

fn number(truth: &Value, key: &str) -> u64 {
    truth[key].as_u64().unwrap_or_else(|| panic!("no {key}: {truth}"))
}

fn lives(truths: &[Value]) -> HashMap<u64, Life> {
    let mut lives = HashMap::new();
    for truth in truths {
        let cookie = number(truth, "cookie");
        if truth["op"] == "opened" {
            let kind = truth["kind"].as_str().expect("a kind").to_owned();
            let life = Life { kind, opened_ns: number(truth, "to_ns"), closed_ns: u64::MAX };
            lives.insert(cookie, life);
        } else if let Some(life) = lives.get_mut(&cookie) {
            life.closed_ns = number(truth, "from_ns");
        }
    }
    lives
}

fn boot_clock() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn boot_ns(event: &Value) -> u64 {
    at(event, "hostnet.time.boot_ns").and_then(Value::as_u64).expect("hostnet.time.boot_ns")
}

/// Records of a socket that the kernel shows first come this much later at most.
const SETTLING_NS: u64 = 50_000_000;

/// When sockets were told as existing and as made, in one run.
#[derive(Default)]
struct Census {
    /// Records the run says it lost: a program that interrupts itself is not run.
    lost: usize,
    existing: HashMap<u64, Vec<u64>>,
    made: HashMap<u64, Vec<u64>>,
}

impl Census {
    fn of(run: &Run) -> Self {
        let made = [
            "bound-socket",
            "listen-for-connections",
            "connection_attempted",
            "connection_accepted",
            "opened-raw-socket",
        ];
        let mut census = Self::default();
        for event in &run.events {
            let lost = at(event, "hostnet.loss.count").and_then(Value::as_u64).unwrap_or(0);
            census.lost += lost as usize;
            let Some(cookie) = at(event, "hostnet.socket.cookie").and_then(Value::as_u64) else {
                continue;
            };
            let action = at(event, "event.action").and_then(Value::as_str).unwrap_or_default();
            if action == "existing_socket" {
                census.existing.entry(cookie).or_default().push(boot_ns(event));
            } else if made.contains(&action) {
                census.made.entry(cookie).or_default().push(boot_ns(event));
            }
        }
        census
    }

    /// Told once: not twice as existing, nor as existing and as made before that.
    fn no_double(&self, cookie: u64) -> bool {
        match self.existing.get(&cookie).map(Vec::as_slice) {
            None => true,
            Some([at]) => {
                let made = self.made.get(&cookie).into_iter().flatten();
                made.into_iter().all(|made| *made > at + SETTLING_NS)
            }
            Some(_) => false,
        }
    }

    fn has(&self, cookie: u64) -> bool {
        self.existing.contains_key(&cookie) || self.made.contains_key(&cookie)
    }
}

/// The agent comes and goes a hundred times while sockets do (ten times on a slow
/// machine): what is there for longer is told once by every run, whether it was
/// there first or the agent was.
#[test]
fn e21_a_hundred_restarts_under_load() {
    needs_root!();
    // A socket has to outlive an agent's start, which takes a busy machine long and a
    // slow one seconds.
    let (how_often, pause, open) = if is_slow() { (10, 10, 600) } else { (100, 2, 240) };
    let docker = Docker::shared();
    let mut lasting = docker.launch("host").actor();
    let held = lasting.perform(&format!("{KINDS} --times 20"));
    assert_eq!(held.len(), 240);
    let mut load = docker.launch("host").actor();
    load.begin(&format!("churn --pause {pause} --open {open}"));
    let (mut runs, mut shown) = (Vec::new(), HashSet::new());
    for _ in 0..how_often {
        let agent = Agent::start();
        let agent = if runs.is_empty() { agent } else { agent.unkept() };
        // By now it minds signals.
        let news = ["runtime-reachable", "runtime-unreachable"];
        agent.expect(&want().one_of("event.action", news));
        let asked_to_stop_ns = boot_clock();
        let run = agent.stop_with(Signal::TERM);
        assert!(run.status.success(), "{}", run.messages);
        if runs.is_empty() {
            let are_shown = held.iter().filter(|truth| is_shown(&run, truth));
            shown = are_shown.map(|truth| number(truth, "cookie")).collect();
        }
        runs.push((Census::of(&run), boot_ns(&run.events[0]), asked_to_stop_ns));
    }
    load.begin("release");
    let lives = lives(&load.finish());
    let of_bound = held.iter().filter(|truth| truth["kind"] == "tcp-bound");
    let shows_bound = of_bound.into_iter().all(|truth| shown.contains(&number(truth, "cookie")));
    let (mut existing, mut made, mut gaps) = (0, 0, 0);
    for (number, (census, started_ns, stopped_ns)) in runs.iter().enumerate() {
        for cookie in &shown {
            let times = census.existing.get(cookie).map_or(0, Vec::len);
            let always_there = || held.iter().find(|truth| truth["cookie"] == *cookie);
            assert_eq!(times, 1, "run {number}: was always there: {:?}", always_there());
            assert!(!census.made.contains_key(cookie), "run {number}: and was made again");
        }
        let mut missing = Vec::new();
        for (cookie, life) in &lives {
            assert!(census.no_double(*cookie), "run {number}: told twice: {life:?}");
            // A kernel that does not show it at start says so.
            let is_shown = life.kind != "tcp-bound" || shows_bound;
            if is_shown && life.opened_ns < *stopped_ns && life.closed_ns > *started_ns {
                if !census.has(*cookie) {
                    missing.push(life);
                }
                existing += usize::from(census.existing.contains_key(cookie));
                made += usize::from(census.made.contains_key(cookie));
            }
        }
        let lost = census.lost;
        assert!(missing.len() <= lost, "run {number}: {lost} lost, not told: {missing:?}");
        gaps += lost;
    }
    let came = lives.len();
    tell(&format!("{came} came and went; existing {existing}, made {made}, stated lost {gaps}"));
    assert!(
        existing > 10 * how_often && made > how_often,
        "the load was too light to prove anything"
    );
    assert!(gaps <= how_often, "more was lost than a program's interrupting itself explains");
}
