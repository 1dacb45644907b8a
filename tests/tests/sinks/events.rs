//! Events as an attacker would have them: every byte that could end a line, a frame
//! or a string, in every place of an event that others choose.

use std::{collections::BTreeMap, sync::Arc};

use hostnet::{
    event::{
        Actor, Confidence, Connect, Container, Event, Location, Method, Outcome, Owner, OwnerKind,
        Process, Recorded, Unix, UnixAddress, UnixKind,
    },
    format::ecs::{Encoder, Identity},
    record::Sequence,
    row::Row,
    sink::{self, Message, Sink, Then, hand_over},
};
use serde_json::Value;

/// 2026-01-01T00:00:00.123456789Z
const START_NS: u64 = 1_767_225_600_123_456_789;

/// What an attacker writes.
pub fn payloads() -> Vec<Vec<u8>> {
    let text = |all: &str| all.as_bytes().to_vec();
    let mut payloads: Vec<Vec<u8>> = vec![
        text("plain"),
        text("\n{\"event\":{\"id\":\"forged\"}}\n"),
        text("\r\n<13>1 - forged - - - - forged\r\n"),
        text("\0<0>forged\0"),
        text("9 <13>1 - a"),
        text("\"},\"forged\":{\"a\":\"\\\"\\\\"),
        text("\u{feff}\u{2028}\u{2029}\u{85}\u{202e}\u{2066}\u{200b}\u{e0001}"),
        text("\x1b]0;owned\x07\x1b[2J\u{9b}31m\x7f"),
        text("{\"create\":{\"_index\":\"forged\"}}\n{}\n"),
        text("=cmd|' /C calc'!A0\t%s%n${jndi:x}"),
        text("\u{1f980}\u{10ffff}é\\"),
        b"\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\n\"".to_vec(),
    ];
    // In parts: all bytes in all places are longer than an event may be.
    payloads.extend((0..4).map(|part| (part * 64..=part * 64 + 63).collect()));
    for control in [0..=0x1f, 0x7f..=0x9f] {
        let control = control.filter_map(char::from_u32);
        payloads.push(control.collect::<String>().into_bytes());
    }
    payloads.extend((0..=255).map(|byte| vec![b'a', byte, b'z']));
    payloads
}

/// An event for each payload, which is everywhere in it.
pub fn hostile() -> Vec<Row> {
    let payloads = payloads();
    rows(payloads.iter().enumerate().map(|(index, payload)| event(index, payload)))
}

/// So many events of two owners.
pub fn plain(count: usize) -> Vec<Row> {
    rows((0..count).map(|index| event(index, format!("plain {}", index % 2).as_bytes())))
}

/// Not all of what was handed over was taken.
#[derive(Debug)]
pub struct Refused {
    /// How many are settled, and how many of these are dead letters.
    pub settled: usize,
    pub dead: usize,
    /// Why the next one is not, or else why the first dead letter was refused.
    pub reason: String,
    /// What is to be done about the next one; nothing when all are settled.
    pub then: Option<Then>,
}

/// Hands rows to a sink as they are. If need be the last of them decides whether the events
/// or the settings are at fault.
pub fn deliver(sink: &mut dyn Sink, rows: &[Row]) -> Result<(), Refused> {
    let messages: Vec<Message<'_>> =
        rows.iter().map(|row| Message { row, body: &row.document }).collect();
    let last = rows.last().expect("some rows").clone();
    let body = last.document.clone();
    let outcome =
        hand_over(sink, &messages, |refused| (refused.id != last.id).then_some((last, body)));
    let sink::Outcome { settled, dead, dead_reason, failure } = outcome;
    let (reason, then) = match failure {
        None if dead == 0 => {
            assert_eq!(settled, rows.len(), "all are settled");
            return Ok(());
        }
        None => (dead_reason, None),
        Some(failure) => (failure.reason, Some(failure.then)),
    };
    Err(Refused { settled, dead, reason, then })
}

/// The documents of rows.
pub fn documents(rows: &[Row]) -> Vec<Vec<u8>> {
    rows.iter().map(|row| row.document.clone()).collect()
}

/// Compares what came back with what was sent, and shows the first difference.
pub fn assert_same(received: &[Vec<u8>], rows: &[Row]) {
    let shown = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.escape_ascii().to_string());
    for (index, row) in rows.iter().enumerate() {
        let came = received.get(index).map(Vec::as_slice);
        assert_eq!(shown(came), shown(Some(&row.document)), "event {index}");
    }
    assert_eq!(received.len(), rows.len(), "one event is one message");
}

fn rows(events: impl Iterator<Item = Event>) -> Vec<Row> {
    let identity =
        Identity { host_name: "node1".into(), host_id: "4c4c4544".into(), ..Identity::default() };
    let mut encoder = Encoder::new(&identity);
    let mut sequence = Sequence::default();
    events.map(|event| row(&mut encoder, &sequence.record(event, START_NS))).collect()
}

fn row(encoder: &mut Encoder, recorded: &Recorded) -> Row {
    let mut document = Vec::new();
    encoder.encode(recorded, &mut document).expect("an event can be encoded");
    assert_eq!(document.pop(), Some(b'\n'));
    let value: Value = serde_json::from_slice(&document).expect("JSON");
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).expect(path).to_owned();
    Row {
        id: recorded.sequence,
        sequence: recorded.sequence,
        time_ns: recorded.event.wall_ns,
        event_id: text("/event/id"),
        dataset: "hostnet.network",
        action: text("/event/action"),
        owner: text("/container/id"),
        document,
        ..Row::default()
    }
}

fn event(index: usize, payload: &[u8]) -> Event {
    let text = hostnet::text::text(payload).readable;
    let path = |name: &str| [format!("/{name}").as_bytes(), payload].concat();
    let container = Container {
        id: format!("{:064x}", index % 2),
        name: text.clone(),
        image: text.clone(),
        labels: BTreeMap::from([(format!("hostnet.{text}"), text.clone())]),
        created: "2026-01-01T00:00:00Z".into(),
        runtime: "docker".into(),
        ..Container::default()
    };
    let process = Process {
        pid: 7,
        name: payload.to_vec(),
        executable: Location { path: path("exe"), ..Location::default() },
        directory: Location { path: path("cwd"), ..Location::default() },
        called: payload.to_vec(),
        arguments: vec![b"arg".to_vec(), payload.to_vec()],
        ..Process::default()
    };
    let operation = if index.is_multiple_of(2) {
        let name = [b"\0", payload].concat();
        let name = UnixAddress::new(&name);
        Unix { kind: UnixKind::Bind, name, outcome: Outcome::Success }.into()
    } else {
        let remote = "127.0.0.1:9".parse().expect("an address");
        let outcome = Outcome::Failure(Some(111));
        Connect { local: None, remote, rewritten_to: None, outcome, sent: None }.into()
    };
    let id = uuid::Uuid::from_u128(0x0193_599e_7d4b_7c31_9b2e_0000_0000_0000 | index as u128);
    let (boot_ns, wall_ns) = (1 + index as u64, START_NS + index as u64 * 1_000_000);
    Event {
        owner: Some(Arc::new(Owner {
            kind: OwnerKind::Container,
            container_id: Some(container.id.clone()),
            runtime: Some("docker"),
            container: Some(Arc::new(container)),
            method: Method::CgroupId,
            confidence: Confidence::Confirmed,
            cgroup_path: format!("/docker/{text}"),
            ..Owner::unknown(1, None)
        })),
        process: Some(Arc::new(process)),
        actor: Some(Actor { tgid: 7, tid: 7, uid: 0, gid: 0 }),
        ..Event::new(id, boot_ns, wall_ns, operation)
    }
}

/// What the other tests rest on: nothing of a payload is lost in a document, and no
/// document has a byte that could end it.
#[test]
fn every_payload_is_in_its_document() {
    for (payload, row) in payloads().iter().zip(hostile()) {
        let document: Value = serde_json::from_slice(&row.document).expect("JSON");
        let shown = payload.escape_ascii();
        let exact = match str::from_utf8(payload) {
            Ok(text) => document["process"]["args"][1] == text,
            Err(_) => {
                let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
                document["hostnet"]["process"]["args_hex"][1] == hex
            }
        };
        assert!(exact, "{shown}: {document}");
        assert!(row.document.iter().all(|byte| *byte >= b' ' && *byte != 0x7f), "{shown}");
    }
}
