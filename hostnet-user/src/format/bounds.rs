//! No event is longer than `MOST_BYTES` in any format, whatever attackers call their things.

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;

use super::{
    Format, Lines, MOST_BYTES, MOST_BYTES_OF_THE_AGENT, Renderer, ecs,
    ecs::parse::{Parser, tests::samples},
};
use crate::event::{Recorded, *};

/// Texts that are much longer when they are written, or that formats write differently.
const HOSTILE: [&[u8]; 6] = [b"\x01", b"\xff", "\u{e0001}".as_bytes(), b"\\\"", b"=|,", b"x"];

/// Those that are tried in every way.
const IN_FULL: [&[u8]; 2] = [b"\xff", b"x"];

/// As long as the kernel or the runtime's answers let it be.
fn filled(payload: &[u8], length: usize) -> Vec<u8> {
    payload.iter().copied().cycle().take(length - length % payload.len()).collect()
}

fn text(payload: &[u8], length: usize) -> String {
    crate::text::text(&filled(payload, length)).readable
}

/// A container with 64 labels of 256 and 256 bytes, and everything else as long as it may be.
fn container(payload: &[u8]) -> Container {
    let name = || text(payload, 256);
    let labels = (0..64).map(|index| {
        let mut key = format!("{}{index:02}", ["hostnet.", "maintainer"][index % 2]);
        key.push_str(&text(payload, 200));
        (key, name())
    });
    let joined = ["com.docker.compose.project", "io.kubernetes.pod.name", "io.kubernetes.pod.uid"];
    Container {
        id: "ab".repeat(32),
        name: name(),
        image: text(payload, 512),
        image_id: name(),
        labels: labels.chain(joined.map(|key| (key.to_owned(), name()))).collect(),
        network_mode: name(),
        user: name(),
        restart_policy: name(),
        created: name(),
        capabilities: vec![name(); 64],
        runtime: "docker".to_owned(),
        ..Container::default()
    }
}

fn owner(payload: &[u8]) -> Owner {
    let container = container(payload);
    let path = text(payload, 1024);
    Owner {
        kind: OwnerKind::Container,
        container_id: Some(container.id.clone()),
        runtime: Some("docker"),
        nested: vec![text(payload, 256); 16],
        moved_to: Some(Cgroup { id: 12, path: path.clone() }),
        container: Some(container.into()),
        ..Owner::unknown(11, Some(&path))
    }
}

fn process(payload: &[u8]) -> Process {
    let place = || Location { path: filled(payload, 1024), ..Location::default() };
    let ancestor = Ancestor {
        pid: 1,
        start_ns: 1,
        name: filled(payload, 16),
        executable: filled(payload, 1024),
        cgroup: None,
    };
    Process {
        pid: 7,
        name: filled(payload, 16),
        executable: place(),
        directory: place(),
        called: filled(payload, 256),
        arguments: filled(payload, 1024).chunks(16).map(<[u8]>::to_vec).collect(),
        known_parent: Some(ancestor.clone().into()),
        ancestors: vec![ancestor.into(); 8],
        ..Process::default()
    }
}

/// The event with everything that others chose in it as bad as it may be.
fn hostile(
    mut event: Event,
    payload: &[u8],
    (owner, process): (&Arc<Owner>, &Arc<Process>),
) -> Event {
    let local: SocketAddr = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
    let party = PeerParty {
        owner: Arc::clone(owner),
        process: Some(Arc::clone(process)),
        via: None,
        local: Some(local),
    };
    let parties = vec![party; 16];
    match &mut event.operation {
        Operation::Health(Health::Lost { by, .. } | Health::Suppressed { by, .. }) => {
            let operation = "netlink-request".to_owned();
            *by = vec![
                LossCount { owner: Some(Arc::clone(owner)), operation, count: 6, new: 2 };
                1024
            ];
            return event;
        }
        Operation::Health(_) => return event,
        Operation::Bind(bind) => bind.shares_port_with.clone_from(&parties),
        Operation::Listen(listen) => listen.shares_port_with.clone_from(&parties),
        Operation::DatagramClose(close) => {
            let flow = FlowCount { remote: local, sent: 1 << 48, received: 1 << 48 };
            close.flows = Flows::of(vec![flow; 40_000]);
        }
        Operation::Unix(unix) => {
            unix.name = UnixAddress::new(&[&b"\0"[..], &filled(payload, 107)].concat());
        }
        Operation::Finding(finding) => {
            finding.subject = text(payload, 4096);
            finding.sentence = text(payload, 4096);
        }
        Operation::CgroupMigration(migration) => {
            migration.from.path = text(payload, 1024);
            migration.to.path = text(payload, 1024);
        }
        _ => {}
    }
    event.owner = Some(Arc::clone(owner));
    event.creator = Some(Arc::clone(owner));
    event.process = Some(Arc::clone(process));
    event.peer = Some(
        Peer { possible: parties, listens_on: Some(local), method: PeerMethod::Wildcard }.into(),
    );
    event
}

#[test]
fn no_event_is_longer_than_its_bound_in_any_format() {
    for payload in HOSTILE {
        let identity = ecs::Identity::default();
        let mut encoder = ecs::Encoder::new(&identity);
        let mut writers = Format::ALL
            .map(|format| (format, Renderer::new(format), Lines::new(&identity, format)));
        let mut parser = Parser::default();
        let (owner, process) = (Arc::new(owner(payload)), Arc::new(process(payload)));
        for event in samples::all() {
            let event = hostile(event, payload, (&owner, &process));
            let is_health = matches!(event.operation, Operation::Health(_));
            let most = if is_health { MOST_BYTES_OF_THE_AGENT } else { MOST_BYTES };
            let record = Recorded { sequence: 1, seen_ns: 1, event };
            let mut line = Vec::new();
            encoder.encode(&record, &mut line).unwrap();
            let document: Value = serde_json::from_slice(&line).unwrap();
            let what = format!("{} of {}", document["event"]["action"], payload.escape_ascii());
            for (format, renderer, lines) in &mut writers {
                let mut written = Vec::new();
                renderer.render(&line, &mut written).unwrap();
                written.push(b'\n');
                assert!(written.len() <= most + 1, "{what} in {format:?}: {} bytes", written.len());
                // The same from the event itself, whatever was cut.
                if IN_FULL.contains(&payload) {
                    let mut typed = Vec::new();
                    lines.append(&record, &mut typed).unwrap();
                    assert_eq!(typed, written, "{what} in {format:?}");
                }
            }
            // It is still an event of ours, and says that it is not whole.
            parser.record(&line).unwrap_or_else(|why| panic!("{what}: {why}: {document:#}"));
            if !is_health {
                assert_eq!(document["container"]["id"], "ab".repeat(32), "{what}");
                let cut = document["hostnet"]["truncated"].as_array().expect("a list");
                assert!(cut.contains(&"container.labels".into()), "{what}: {cut:?}");
            }
        }
    }
}

#[test]
fn padding_hides_nothing_from_the_users_rules() {
    let identity = ecs::Identity::default();
    let (owner, process) = (owner(b"\x01").into(), process(b"\x01").into());
    let event = hostile(samples::all().swap_remove(0), b"\x01", (&owner, &process));
    let record = Recorded { sequence: 1, seen_ns: 1, event };
    let mut line = Vec::new();
    ecs::Encoder::whole(&identity).encode(&record, &mut line).unwrap();
    let document: Value = serde_json::from_slice(&line).unwrap();
    assert!(document["hostnet"].get("truncated").is_none());
    assert_eq!(document["process"]["args"].as_array().unwrap().len(), 64);
    assert_eq!(document["container"]["labels"].as_object().unwrap().len(), 67);
}
