//! The whole agent, built with every sink: what a container does comes out at a socket for
//! datagrams, at JetStream, Kafka and OpenTelemetry, as on standard output, also what a
//! server missed while it was away.

use std::{
    collections::BTreeSet,
    os::unix::net::UnixDatagram,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use hostnet_tests::{Agent, Docker, needs_root, skip, want, web};
use serde_json::Value;

use crate::{kafka::kcat, nats::nats_server, nats_reader::Reader, otlp};

/// How often the container acts before, while and after a server is away.
const ACTS: usize = 300;

#[test]
fn what_a_container_does_comes_out_at_every_other_sink() {
    needs_root!();
    let Some(hostnet) = option_env!("CARGO_BIN_EXE_every_sink") else {
        return skip("built without --features every-sink");
    };
    let Some(mut nats) = nats_server("") else { return };
    let Some(kafka) = kcat() else { return };
    if !otlp::has_definitions() {
        return;
    }
    nats.resume();
    Reader::connect(nats.port).make_stream();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    let collector = web::serve(move |request| {
        kept.lock().expect("no panic").push(request.body.clone());
        web::Answer(200, "", String::new())
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("socket");
    let receiver = UnixDatagram::bind(&socket).expect("a socket");
    let datagrams = thread::spawn(move || all_until_stopped(&receiver));

    let mut actor = Docker::shared().launch("host").actor();
    let agent = Agent::setup()
        .wrapped(Command::new(hostnet))
        .sink(&format!("type = \"unix\"\nmode = \"datagram\"\npath = \"{}\"", socket.display()))
        .sink(&format!("name = \"bus\"\ntype = \"nats\"\nservers = [\"127.0.0.1:{}\"]", nats.port))
        .sink(&format!(
            "type = \"kafka\"\nbrokers = [\"127.0.0.1:{}\"]\ntopic = \"events\"",
            kafka.port
        ))
        .sink(&format!(
            "type = \"http\"\nframing = \"otlp\"\nurl = \"http://127.0.0.1:{collector}\""
        ))
        .start();
    let act = |actor: &mut hostnet_tests::ActorBox| {
        actor.one(&format!("marks 300 --times {ACTS}"));
        agent.marker();
    };
    let of_bus = |action| want().action(action).is("hostnet.health.sink", "bus");
    act(&mut actor);
    nats.kill();
    act(&mut actor);
    agent.expect(&of_bus("sink-failing"));
    nats.resume();
    agent.expect(&of_bus("sink-recovered"));
    act(&mut actor);
    // Well only if every sink has everything.
    let run = agent.stop();

    let acts = run.all(&want().action("connection_attempted").owned_by(&actor.container));
    assert_eq!(acts.len(), 3 * ACTS);
    let datagrams = datagrams.join().expect("datagrams");
    assert_same("datagrams", datagrams.iter().map(Vec::as_slice), &run.events);
    let stream = Reader::connect(nats.port).stream();
    assert_same("JetStream", stream.iter().map(|kept| kept.payload.as_slice()), &run.events);
    let lines = kafka.lines("stdout", run.events.len());
    assert_eq!(lines.len(), run.events.len(), "Kafka");
    let payload = |line: &Vec<u8>| {
        let payload = line.splitn(4, |byte| *byte == b'\t').last().expect("the last part");
        serde_json::from_slice::<Value>(payload).expect("an event").to_string()
    };
    let came: BTreeSet<String> = lines.iter().map(payload).collect();
    assert!(came == run.events.iter().map(Value::to_string).collect(), "Kafka has others");
    let ids: Vec<Value> =
        bodies.lock().expect("no panic").iter().flat_map(|body| ids(body)).collect();
    let told: Vec<Value> = run.events.iter().map(|event| event["event"]["id"].clone()).collect();
    assert_eq!(ids, told, "OpenTelemetry");
}

/// What came, to the end of the run.
fn all_until_stopped(receiver: &UnixDatagram) -> Vec<Vec<u8>> {
    let mut bytes = vec![0; 1 << 20];
    let mut all = Vec::new();
    loop {
        let length = receiver.recv(&mut bytes).expect("a datagram");
        all.push(bytes[..length].to_vec());
        let event: Value = serde_json::from_slice(&bytes[..length]).expect("an event");
        if event["event"]["action"] == "agent-stopped" {
            return all;
        }
    }
}

fn assert_same<'a>(what: &str, came: impl Iterator<Item = &'a [u8]>, told: &[Value]) {
    let came: Vec<Value> = came.map(|one| serde_json::from_slice(one).expect("JSON")).collect();
    let first = came.iter().zip(told).position(|(came, told)| came != told);
    assert_eq!((first, came.len()), (None, told.len()), "{what}: the first that differs, and all");
}

/// The `event.id`s of a request.
fn ids(body: &[u8]) -> Vec<Value> {
    let request = otlp::decoded(body);
    let records = request["resourceLogs"].as_array().expect("resources").iter();
    let records = records.flat_map(|one| one["scopeLogs"].as_array().expect("scopes"));
    let records = records.flat_map(|one| one["logRecords"].as_array().expect("records"));
    records.map(|record| otlp::attributes(record)["event.id"].clone()).collect()
}
