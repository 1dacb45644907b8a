//! Kafka: the receiver is librdkafka's mock cluster in Debian's kcat, which speaks the
//! protocol over TCP and reads its own topics, but is no production broker.

use std::{collections::BTreeMap, process::Command};

use hostnet::sink::{
    Then,
    kafka::{Kafka, Sasl, Settings},
};
use hostnet_tests::Server;

use crate::events::{deliver, documents, hostile, plain};

/// A cluster of one broker, and a reader of the topic `events`.
pub fn kcat() -> Option<Server> {
    Server::are_installed(&[("kcat", "kcat")]).then(|| {
        Server::start_where_it_likes(
            "kcat",
            |_| {
                let mut command = Command::new("kcat");
                // The mock takes the place of the brokers that are named.
                command.args([
                    "-b",
                    "mock",
                    "-C",
                    "-u",
                    "-q",
                    "-t",
                    "events",
                    "-o",
                    "beginning",
                    "-d",
                    "mock",
                ]);
                command.args(["-X", "test.mock.num.brokers=1"]);
                command.args(["-X", "allow.auto.create.topics=true"]);
                command.args(["-f", "%k\\t%p\\t%h\\t%s\\n"]);
                command
            },
            |said| {
                let at = said.rsplit_once("bootstrap.servers=127.0.0.1:")?.1;
                at.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            },
        )
    })
}

fn sink(server: &Server, topic: &str) -> Kafka {
    Kafka::open(Settings {
        brokers: vec![format!("127.0.0.1:{}", server.port)],
        topic: topic.into(),
        tls: None,
        insecure: false,
        user: None,
        password: None,
        sasl: Sasl::default(),
        timeout_s: 5,
    })
    .expect("settings")
}

/// The reader makes the topic by asking for it.
fn deliver_first(sink: &mut Kafka, rows: &[hostnet::row::Row]) {
    let deadline = std::time::Instant::now() + hostnet_tests::patience();
    while let Err(refused) = deliver(sink, rows) {
        assert!(refused.reason.contains("there is no topic"), "{refused:?}");
        assert!(std::time::Instant::now() < deadline, "{refused:?}");
    }
}

#[test]
fn every_byte_comes_back_in_the_order_of_its_owner() {
    let Some(server) = kcat() else { return };
    let rows = hostile();
    let mut sink = sink(&server, "events");
    deliver_first(&mut sink, &rows[..1]);
    deliver(&mut sink, &rows[1..]).expect("taken");
    let mut received: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut partitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in server.lines("stdout", rows.len()) {
        let mut parts = line.splitn(4, |byte| *byte == b'\t').map(<[u8]>::to_vec);
        let mut text = || String::from_utf8(parts.next().expect("four parts")).expect("text");
        let (key, partition, headers) = (text(), text(), text());
        assert!(headers.contains("event.dataset=hostnet.network"), "{headers}");
        partitions.entry(key.clone()).or_default().push(partition);
        received.entry(key).or_default().push(parts.next().expect("four parts"));
    }
    for (key, partitions) in &partitions {
        assert!(partitions.iter().all(|one| *one == partitions[0]), "{key} is in several");
    }
    let mut expected: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (row, document) in rows.iter().zip(documents(&rows)) {
        expected.entry(format!("4c4c4544/{}", row.owner)).or_default().push(document);
    }
    assert_eq!(received, expected);
}

#[test]
fn a_topic_and_a_broker_that_are_not_there() {
    let Some(mut server) = kcat() else { return };
    let mut sink = sink(&server, "no-such-topic");
    let refused = deliver(&mut sink, &plain(3)).expect_err("no such topic");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(refused.reason.contains("there is no topic no-such-topic"), "{}", refused.reason);
    server.kill();
    let start = std::time::Instant::now();
    let refused = deliver(&mut sink, &plain(3)).expect_err("no broker");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
}
