//! A flood, and what is told of it by owner: told, lost and suppressed. Its events are
//! too many to keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;

use crate::{
    Actor, ActorBox, Agent, Container, Docker, Run, User, cgroups, field::at, program, want,
};

/// The ports that the actor floods, and that its single acts go to.
const FLOODED: u64 = 9;
const SINGLE: u64 = 7;

/// A flood of one kind from both cores, beside another container that acts.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What is done again and again: `connect`, `raw-socket` or `bind`.
    pub kind: &'static str,
    /// Milliseconds that it lasts.
    pub lasts: u32,
    /// Acts of the other container in that time, each with an address of its own.
    pub marks: u32,
    /// The same of the one that floods.
    pub rare: u32,
}

/// What became of a flood.
pub struct Flood {
    /// Acts of the flood, as whoever did them counted.
    pub acts: u64,
    /// Its own single acts.
    pub rare: u64,
    /// What was told of the container that flooded.
    pub guilty: Account,
    /// What was told of the other.
    pub other: Account,
}

/// Floods beside an agent, which `end` ends.
pub fn flood(plan: Plan, end: impl FnOnce(Agent)) -> Flood {
    let Plan { kind, lasts, marks, rare } = plan;
    let accounts = Accounts::default();
    let counting = accounts.clone();
    let agent = Agent::setup().divert(move |event| counting.take(event)).start();
    let (mut flooding, mut quiet) =
        (Docker::shared().launch("host").actor(), Docker::shared().launch("host").actor());
    flooding.begin(&format!("flood {kind} {lasts} --count 2 --times {rare}"));
    quiet.one(&format!("marks {lasts} --times {marks}"));
    let truth = flooding.finish().remove(0);
    agent.marker();
    end(agent);
    Flood {
        acts: truth["acts"].as_u64().expect("a number"),
        rare: truth["rare"].as_u64().expect("a number"),
        guilty: accounts.of(&flooding.container),
        other: accounts.of(&quiet.container),
    }
}

/// Delays of single connects of another container's, from when they happened to when they
/// were reported, by address; clones are the same.
#[derive(Clone, Default)]
pub struct Delays(Arc<Mutex<BTreeMap<String, Duration>>>);

impl Delays {
    /// Notes an event, if it is of such a connect.
    pub fn note(&self, event: &Value) {
        let text = |field| at(event, field).and_then(Value::as_str).unwrap_or_default();
        let is_mark = at(event, "hostnet.remote.port").and_then(Value::as_u64) == Some(SINGLE);
        if text("event.action") != "connection_attempted" || !is_mark {
            return;
        }
        let time = |field| text(field).parse::<jiff::Timestamp>().expect("a time");
        let delay = time("event.created").duration_since(time("@timestamp"));
        let delay = Duration::try_from(delay).unwrap_or_default();
        let mut delays = self.0.lock().expect("not poisoned");
        delays.insert(text("hostnet.remote.ip").to_owned(), delay);
    }

    /// How many were reported, and how late the latest was.
    pub fn latest(&self) -> (usize, Duration) {
        let delays = self.0.lock().expect("not poisoned");
        (delays.len(), delays.values().max().copied().unwrap_or_default())
    }
}

/// A user of the host's without privileges, and what it starts with these further words on
/// its command line.
pub fn host_user(words: impl IntoIterator<Item = String>) -> Actor {
    let user = User::nobody();
    let mut command = user.command(program("actor").to_str().expect("a path"));
    command.arg("repl").args(words);
    Actor::started(command)
}

/// The findings of a container, by rule: severity and message.
pub fn findings(run: &Run, of: &Container) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for event in run.all(&want().action("finding").owned_by(of)) {
        let text = |path| at(event, path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let finding = (text("hostnet.finding.severity"), text("message"));
        found.entry(text("rule.id")).or_default().push(finding);
    }
    found
}

/// A container that has moved into another one's cgroup.
pub fn stranger_within(victim: &Container) -> ActorBox {
    const MOUNTED: &str = "/cgroups";
    let volume = format!("--volume={}:{MOUNTED}:rw", cgroups::root().display());
    let options = [volume.as_str(), "--cgroupns=host"];
    let mut stranger = Docker::shared().launch("host").options(options).actor();
    let path = cgroups::path_of(victim.pid);
    let inside = cgroups::directory(Path::new(MOUNTED), &path);
    assert_eq!(stranger.one(&format!("cgroup-enter {}", inside.display()))["result"], "ok");
    assert_eq!(cgroups::path_of(stranger.container.pid), path);
    stranger
}

/// What was told of one owner.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Events, by `event.action`.
    pub told: BTreeMap<String, u64>,
    /// Records told as suppressed, by kind.
    pub suppressed: BTreeMap<String, u64>,
    /// What the events that say so say.
    pub said: BTreeSet<String>,
    /// Records told as lost, by kind.
    pub lost: BTreeMap<String, u64>,
    /// Addresses of single acts, and how often they were told.
    pub single: BTreeMap<String, u64>,
    /// `event.outcome` of binds.
    pub binds: BTreeSet<String>,
}

/// The accounts, by container id; clones are the same.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<BTreeMap<String, Account>>>);

impl Accounts {
    /// Counts an event, and says whether it is one of those that are too many to keep.
    pub fn take(&self, event: &Value) -> bool {
        let mut accounts = self.0.lock().expect("not poisoned");
        let action = at(event, "event.action").and_then(Value::as_str).unwrap_or_default();
        if let "records-suppressed" | "records-lost" = action {
            for one in at(event, "hostnet.loss.by").and_then(Value::as_array).into_iter().flatten()
            {
                let owner = one["container"]["id"].as_str().unwrap_or_default();
                let kind = one["operation"].as_str().unwrap_or_default();
                let account = accounts.entry(owner.to_owned()).or_default();
                let counts = match action {
                    "records-lost" => &mut account.lost,
                    _ => &mut account.suppressed,
                };
                *counts.entry(kind.to_owned()).or_default() +=
                    one["count"].as_u64().unwrap_or_default();
                let message = event["message"].as_str().unwrap_or_default();
                account.said.insert(message.to_owned());
            }
            return false;
        }
        let owner = at(event, "container.id").and_then(Value::as_str).unwrap_or_default();
        let is_many = ["connection_attempted", "opened-raw-socket", "bound-socket"];
        // What tests wait for goes to other ports.
        let is_marker = at(event, "hostnet.remote.port")
            .and_then(Value::as_u64)
            .is_some_and(|port| port != FLOODED && port != SINGLE);
        if owner.is_empty() || !is_many.contains(&action) || is_marker {
            return false;
        }
        let account = accounts.entry(owner.to_owned()).or_default();
        *account.told.entry(action.to_owned()).or_default() += 1;
        if action == "bound-socket"
            && let Some(outcome) = at(event, "event.outcome").and_then(Value::as_str)
        {
            account.binds.insert(outcome.to_owned());
        }
        let remote = at(event, "hostnet.remote.ip").and_then(Value::as_str).unwrap_or_default();
        let is_single = |ip: Ipv4Addr| ip.octets()[0] == 127 && (2..64).contains(&ip.octets()[1]);
        if remote.parse().is_ok_and(is_single) {
            *account.single.entry(remote.to_owned()).or_default() += 1;
        }
        true
    }

    /// How many containers there are accounts of.
    pub fn owners(&self) -> usize {
        self.0.lock().expect("not poisoned").len()
    }

    /// One container's account.
    pub fn of(&self, container: &Container) -> Account {
        let accounts = self.0.lock().expect("not poisoned");
        accounts.get(&container.id).cloned().unwrap_or_default()
    }
}

impl Account {
    /// Records of a kind that were suppressed.
    pub fn suppressed(&self, kind: &str) -> u64 {
        self.suppressed.get(kind).copied().unwrap_or_default()
    }

    /// Records of a kind that were lost.
    pub fn lost(&self, kind: &str) -> u64 {
        self.lost.get(kind).copied().unwrap_or_default()
    }

    /// Events with an action.
    pub fn told(&self, action: &str) -> u64 {
        self.told.get(action).copied().unwrap_or_default()
    }
}
