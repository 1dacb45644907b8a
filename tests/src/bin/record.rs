//! Records a run in which every kind of event happens, for the golden test and
//! docs/events.md: `cargo xtask record` calls it with the file to make.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::symlink,
    path::Path,
};

use hostnet_tests::{Agent, Docker, cgroups, net, want};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Socket records kept of one container; the flood that overflows the ring has thousands.
const MOST_PER_OWNER: usize = 100;

/// Kinds of records, as in the event table.
const EXEC: u64 = 11;
const MKDIR: u64 = 14;

fn main() {
    let target = std::env::args().nth(1).expect("usage: record FILE");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let whole = directory.path().join("whole");
    let own = perform(directory.path(), &whole);
    let recording = fs::read(&whole).expect("the recording");
    fs::write(&target, thinned(&recording, &own)).expect("the target can be written");
}

fn perform(directory: &Path, whole: &Path) -> Vec<String> {
    let docker = Docker::shared();
    let mut db = docker.launch("host").name("db").actor();
    db.perform("hold tcp-listener tcp-bound tcp-connection udp-connected packet netlink");
    db.perform("hold-unix 00646200ff");
    // The agent finds the daemon late, so that a name comes after its first event.
    let socket = directory.join("docker.sock");
    let agent = Agent::setup()
        .docker_host(&format!("unix://{}", socket.display()))
        .observe(&format!("ring_mib = 1\nrecord = \"{}\"", whole.display()))
        .start();
    let mut web = docker
        .launch("host")
        .name("web")
        .options(["--label", "com.docker.compose.service=web"])
        .options([&format!("--volume={}:/cgroups:rw", cgroups::root().display())])
        .options(["--cgroupns=host"])
        .actor();
    let closed = net::closed_port();
    web.perform(&format!("tcp-connect 127.0.0.1 {closed}"));
    agent.expect(&want().action("connection_attempted").is("event.outcome", "failure"));
    let real = docker.host().strip_prefix("unix://").expect("a unix socket").to_owned();
    symlink(real, &socket).expect("a link to the daemon's socket");
    agent.expect(&want().action("container-identified").is("container.name", "web"));

    let listening = web.one("listen 0.0.0.0 0");
    let port = &listening["local"]["port"];
    let mut api = docker.launch("container:web").name("api").actor();
    web.begin(&format!("serve {port} --reply 300"));
    api.perform(&format!("tcp-connect 127.0.0.1 {port} --send 80"));
    web.finish();
    web.perform(&format!("unlisten {port}"));
    let shared = web.one("listen 127.0.0.1 0 --reuse-port");
    api.perform(&format!("listen 127.0.0.1 {} --reuse-port", shared["local"]["port"]));
    for words in [
        "bind ::1 0",
        "bind-used 127.0.0.1 0",
        "tcp-backlog-full",
        "raw-icmp",
        "udp-send 127.0.0.1 5353 127.0.0.1 5354 --datagrams 2",
        "udp-connect 127.0.0.1 5355 --send 4",
        &format!("tcp-connect ::ffff:127.0.0.1 {closed}"),
        &format!("fork-connect tcp-connect ::1 {closed}"),
        // `@/shim\xff` in the abstract namespace.
        "unix-stream 2f7368696dff",
        "unix-dgram 2f6c6f67",
        "packet",
        "netlink 0 1",
        "vsock 9",
    ] {
        web.perform(words);
    }
    let udp = net::free_udp_port();
    web.begin(&format!("udp-serve {udp} --count 1"));
    agent.expect(&want().action("bound-socket").is("hostnet.local.port", udp));
    api.perform(&format!("udp-send 127.0.0.1 {udp}"));
    web.finish();

    // A name that is another's, and the root's cgroup and back.
    let home = cgroups::path_of(web.container.pid);
    let spoof = format!("{home}/docker-{}.scope", db.container.id);
    for words in [
        format!("cgroup-make /cgroups{spoof}"),
        "cgroup-enter /cgroups".to_owned(),
        format!("cgroup-enter /cgroups{home}"),
    ] {
        web.one(&words);
    }
    agent.expect(&want().action("cgroup-migration").is("hostnet.migration.to.path", &*home));

    // More than the ring holds, while nobody empties it.
    agent.signal(Signal::STOP);
    api.perform(&format!("tcp-connect 127.0.0.1 {closed} --times 8000"));
    agent.signal(Signal::CONT);
    agent.expect(&want().action("records-lost"));
    let own = [&db, &web, &api].map(|actor| actor.container.id.clone()).to_vec();
    drop((api, web, db));
    agent.expect(&want().action("container-left-host-network").is("container.name", "web"));
    // Not `stop`, which allows no loss.
    let run = agent.stop_with(Signal::TERM);
    assert!(run.status.success(), "{}", run.messages);
    own
}

/// The recording without most of the flood, and without what is of this host
/// only: its name, its processes, other containers that happened to run. A
/// frame is a tag, a length and bytes; tag 0 is a record, tag 2 is JSON.
fn thinned(recording: &[u8], own: &[String]) -> Vec<u8> {
    let (magic, frames) = recording.split_at(8);
    let cgroups: HashSet<u64> = frames_of(frames)
        .filter_map(cgroup)
        .filter(|(_, path)| own.iter().any(|id| path.contains(id)))
        .map(|(id, _)| id)
        .collect();
    let holders: HashSet<u64> = frames_of(frames)
        .filter_map(existing)
        .flat_map(|sockets| ours(sockets, &cgroups))
        .flat_map(|socket| socket["holders"].as_array().cloned().unwrap_or_default())
        .filter_map(|holder| holder["pid"].as_u64())
        .collect();
    let mut told = HashMap::new();
    let mut kept = magic.to_vec();
    for frame in frames_of(frames) {
        let bytes = &frame[5..];
        if frame[0] == 0 && !is_wanted(bytes, &cgroups, &mut told) {
            continue;
        }
        match (frame[0] == 2).then(|| serde_json::from_slice(bytes).expect("JSON")) {
            Some(world) => append(&mut kept, anonymous(world, &cgroups, &holders)),
            None => kept.extend_from_slice(frame),
        }
    }
    kept
}

/// Whether a record is of our containers, of cgroups, or of the process that
/// started a container.
fn is_wanted(record: &[u8], own: &HashSet<u64>, told: &mut HashMap<u64, usize>) -> bool {
    let kind = word(record, 48) & 0xffff;
    if (MKDIR..=MKDIR + 2).contains(&kind) {
        return true;
    }
    let owner = if word(record, 32) != 0 { word(record, 8) } else { word(record, 16) };
    let is_shim = kind == EXEC && record.windows(15).any(|bytes| bytes == b"containerd-shim");
    let count = told.entry(owner).or_default();
    *count += usize::from(word(record, 24) != 0);
    is_shim || own.contains(&owner) && *count <= MOST_PER_OWNER
}

/// The sockets that were there before the agent, when a frame tells of them.
fn existing(frame: &[u8]) -> Option<Vec<Value>> {
    let world: Value = serde_json::from_slice(frame.get(5..)?).ok()?;
    world.pointer("/Existing/sockets")?.as_array().cloned()
}

/// Those of our containers.
fn ours(sockets: Vec<Value>, own: &HashSet<u64>) -> Vec<Value> {
    let is_own = |cgroup: &Value| cgroup.as_u64().is_some_and(|id| own.contains(&id));
    let is_held = |socket: &Value| {
        let holders = socket["holders"].as_array();
        holders.is_some_and(|holders| holders.iter().any(|holder| is_own(&holder["cgroup"])))
    };
    sockets.into_iter().filter(|socket| is_own(&socket["cgroup"]) || is_held(socket)).collect()
}

/// The host's name and ids are nobody's business, its processes and sockets even less.
fn anonymous(mut world: Value, own: &HashSet<u64>, holders: &HashSet<u64>) -> Option<Value> {
    if let Some(process) = world.get("Process") {
        let is_holder = process["pid"].as_u64().is_some_and(|pid| holders.contains(&pid));
        return is_holder.then_some(world);
    }
    for told in ["/Existing/sockets", "/Listeners/sockets"] {
        if let Some(Value::Array(sockets)) = world.pointer_mut(told) {
            *sockets = ours(std::mem::take(sockets), own);
        }
    }
    if let Some(Value::Array(addresses)) = world.pointer_mut("/Addresses/addresses") {
        addresses.retain(|address| address == "127.0.0.1" || address == "::1");
    }
    if let Some(network) = world.pointer_mut("/Addresses/network") {
        *network = json!({});
    }
    if let Some(apart) = world.get("Apart") {
        let is_own = apart["cgroup"].as_u64().is_some_and(|cgroup| own.contains(&cgroup));
        return is_own.then_some(world);
    }
    if let Some(identity) = world.pointer_mut("/Run/identity") {
        identity["host_name"] = "node1".into();
        identity["host_id"] = "0".repeat(32).into();
        identity["boot_id"] = "00000000-0000-0000-0000-000000000000".into();
    }
    Some(world)
}

fn append(kept: &mut Vec<u8>, world: Option<Value>) {
    let Some(world) = world else { return };
    let bytes = world.to_string().into_bytes();
    kept.push(2);
    kept.extend_from_slice(&u32::try_from(bytes.len()).expect("a short frame").to_le_bytes());
    kept.extend_from_slice(&bytes);
}

fn frames_of(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(rest.get(1..5)?.try_into().expect("four bytes"));
        let (frame, after) = rest.split_at(5 + length as usize);
        rest = after;
        Some(frame)
    })
}

/// Id and path of the cgroup that a frame tells of: one found at start, or one made.
fn cgroup(frame: &[u8]) -> Option<(u64, String)> {
    let bytes = &frame[5..];
    if frame[0] == 0 && word(bytes, 48) & 0xffff == MKDIR {
        let path = bytes[72..].strip_suffix(&[0])?;
        return Some((word(bytes, 56), String::from_utf8(path.to_vec()).ok()?));
    }
    let world: Value = serde_json::from_slice(bytes).ok()?;
    let found = world.get("Cgroup")?;
    Some((found["id"].as_u64()?, found["path"].as_str()?.to_owned()))
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
