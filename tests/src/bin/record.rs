//! Records a run in which every kind of event happens, for the golden test and
//! docs/events.md: `cargo xtask record` calls it with the file to make.

use std::{collections::HashMap, fs, os::unix::fs::symlink, path::Path};

use hostnet_tests::{Agent, Docker, net, want};
use rustix::process::Signal;

/// Records kept of one socket; the flood that overflows the ring is cut to this.
const MOST_PER_SOCKET: usize = 20;

/// Records kept of the flooding process, whose every connect is another socket.
const MOST_PER_PROCESS: usize = 60;

fn main() {
    let target = std::env::args().nth(1).expect("usage: record FILE");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let whole = directory.path().join("whole");
    perform(directory.path(), &whole);
    let recording = fs::read(&whole).expect("the recording");
    fs::write(&target, thinned(&recording)).expect("the target can be written");
}

fn perform(directory: &Path, whole: &Path) {
    let docker = Docker::shared();
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
        .actor();
    let closed = net::closed_port();
    web.perform(&format!("tcp-connect 127.0.0.1 {closed}"));
    agent.expect(&want().action("connection_attempted").is("event.outcome", "failure"));
    let real = docker.host().strip_prefix("unix://").expect("a unix socket").to_owned();
    symlink(real, &socket).expect("a link to the daemon's socket");
    agent.expect(&want().action("container-identified"));

    let listening = web.one("listen 0.0.0.0 0");
    let port = &listening["local"]["port"];
    let mut api = docker.launch("container:web").name("api").actor();
    web.begin(&format!("serve {port} --reply 300"));
    api.perform(&format!("tcp-connect 127.0.0.1 {port} --send 80"));
    web.finish();
    web.perform(&format!("unlisten {port}"));
    for words in [
        "bind ::1 0",
        "bind-used 127.0.0.1 0",
        "tcp-backlog-full",
        "raw-icmp",
        "udp-send 127.0.0.1 5353 127.0.0.1 5354 --datagrams 2",
        "udp-connect 127.0.0.1 5355 --send 4",
        &format!("tcp-connect ::ffff:127.0.0.1 {closed}"),
        &format!("fork-connect tcp-connect ::1 {closed}"),
    ] {
        web.perform(words);
    }
    let udp = net::free_udp_port();
    web.begin(&format!("udp-serve {udp} --count 1"));
    agent.expect(&want().action("bound-socket").is("hostnet.local.port", udp));
    api.perform(&format!("udp-send 127.0.0.1 {udp}"));
    web.finish();

    // More than the ring holds, while nobody empties it.
    agent.signal(Signal::STOP);
    api.perform(&format!("tcp-connect 127.0.0.1 {closed} --times 8000"));
    agent.signal(Signal::CONT);
    agent.expect(&want().action("records-lost"));
    drop((api, web));
    agent.expect(&want().action("container-left-host-network").is("container.name", "web"));
    // Not `stop`, which allows no loss.
    let run = agent.stop_with(Signal::TERM);
    assert!(run.status.success(), "{}", run.messages);
}

/// The recording without most of the flood. Frames: tag, length, bytes; tag 0
/// is a record, whose header holds the cookie at 24 and the process at 32.
fn thinned(recording: &[u8]) -> Vec<u8> {
    let (magic, mut rest) = recording.split_at(8);
    let mut kept = magic.to_vec();
    let (mut sockets, mut processes) = (HashMap::new(), HashMap::new());
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[1..5].try_into().expect("four bytes")) as usize;
        let (frame, after) = rest.split_at(5 + length);
        rest = after;
        let record = &frame[5..];
        if frame[0] == 0 && u64::from_le_bytes(record[24..32].try_into().expect("eight")) != 0 {
            let socket: usize = *count(&mut sockets, &record[24..32]);
            let process: usize = *count(&mut processes, &record[32..36]);
            if socket > MOST_PER_SOCKET || process > MOST_PER_PROCESS {
                continue;
            }
        }
        kept.extend_from_slice(frame);
    }
    kept
}

fn count<'a>(counts: &'a mut HashMap<Vec<u8>, usize>, key: &[u8]) -> &'a usize {
    let count = counts.entry(key.to_vec()).or_default();
    *count += 1;
    count
}
