//! Receivers that are slow, break off or talk nonsense: a delivery ends in time, says
//! that nothing was taken, and gives nothing up.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use hostnet::sink::{
    Sink, Then,
    http::{Framing, Http, Settings},
    kafka::{self, Kafka, Sasl},
    nats::{self, Nats},
    syslog::{self, Facility, Syslog},
};
use hostnet_tests::is_slow;
use socket2::SockRef;

use crate::{
    events::{deliver, plain},
    http::settings,
};

/// The time that each sink is given.
const TIMEOUT_S: u64 = 1;

/// What a receiver does with a connection.
type Behaviour = fn(TcpStream);

const BEHAVIOURS: [(&str, Behaviour); 8] = [
    ("closes at once", drop),
    ("resets", reset),
    ("reads and never answers", read_on),
    ("neither reads nor answers", hold),
    ("answers nonsense", |stream| answer(stream, b"\xff\x00\x1b[2J\n")),
    ("breaks off inside an answer", |stream| {
        answer(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
    }),
    ("has no room for it", |stream| {
        answer(stream, b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n");
    }),
    ("answers without end", |stream| {
        answer(stream.try_clone().expect("a descriptor"), b"HTTP/1.1 503 Oh\r\n\r\n");
        while (&stream).write_all(&[b'x'; 1 << 16]).is_ok() {}
    }),
];

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
}

fn read_on(mut stream: TcpStream) {
    let mut bytes = [0; 1 << 16];
    while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
}

/// Until the other side has given up.
fn hold(stream: TcpStream) {
    while !hung_up(&stream) {
        thread::sleep(Duration::from_millis(10));
    }
}

fn hung_up(stream: &TcpStream) -> bool {
    let status = rustix::event::poll(
        &mut [rustix::event::PollFd::new(stream, rustix::event::PollFlags::RDHUP)],
        Some(&rustix::event::Timespec::default()),
    );
    status.is_ok_and(|ready| ready > 0)
}

fn answer(mut stream: TcpStream, bytes: &[u8]) {
    let mut first = [0; 1];
    let _ = stream.read(&mut first);
    let _ = stream.write_all(bytes);
}

/// A receiver with room for little, and its address.
fn receiver(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    SockRef::from(&listener).set_recv_buffer_size(4096).expect("a socket");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || behaviour(stream));
        }
    });
    address
}

/// A sink, given the address of its receiver.
type Open = fn(&str) -> Box<dyn Sink>;

const HTTP: [Open; 5] = [
    |address| http(address, Framing::Ndjson),
    |address| http(address, Framing::Elasticsearch),
    |address| http(address, Framing::SplunkHec),
    |address| http(address, Framing::Loki),
    |address| http(address, Framing::Otlp),
];

fn http(address: &str, framing: Framing) -> Box<dyn Sink> {
    let settings = Settings {
        timeout_s: TIMEOUT_S,
        gzip: false,
        insecure: true,
        ..settings(format!("http://{address}"), framing)
    };
    Box::new(Http::open(settings).expect("settings"))
}

fn syslog(address: &str) -> Box<dyn Sink> {
    let settings = syslog::Settings {
        address: address.into(),
        tls: None,
        insecure: true,
        facility: Facility::Local0,
        max_message_bytes: 1 << 16,
        timeout_s: TIMEOUT_S,
    };
    Box::new(Syslog::open(settings).expect("settings"))
}

fn nats(address: &str) -> Box<dyn Sink> {
    let settings = nats::Settings {
        servers: vec![address.into()],
        subject: "hostnet".into(),
        tls: None,
        insecure: true,
        token: None,
        user: None,
        password: None,
        credentials: None,
        timeout_s: TIMEOUT_S,
    };
    Box::new(Nats::open(settings).expect("settings"))
}

fn kafka(address: &str) -> Box<dyn Sink> {
    let settings = kafka::Settings {
        brokers: vec![address.into()],
        topic: "events".into(),
        tls: None,
        insecure: true,
        user: None,
        password: None,
        sasl: Sasl::default(),
        timeout_s: TIMEOUT_S,
    };
    Box::new(Kafka::open(settings).expect("settings"))
}

fn refuses(open: Open, address: &str, what: &str) {
    let rows = plain(100);
    let mut sink = open(address);
    let start = Instant::now();
    let refused = deliver(sink.as_mut(), &rows).expect_err(what);
    assert_eq!(refused.settled, 0, "{what}: {refused:?}");
    assert!(matches!(refused.then, Some(Then::Again(_))), "{what}: {refused:?}");
    let shown = refused.reason.chars().all(|c| !c.is_control());
    assert!(shown, "{what}: {refused:?}");
    let most = Duration::from_secs(if is_slow() { 60 } else { 5 });
    assert!(start.elapsed() < most, "{what} took {:?}", start.elapsed());
}

#[test]
fn whatever_a_receiver_does_a_delivery_ends_in_time() {
    for (what, behaviour) in BEHAVIOURS {
        let address = receiver(behaviour);
        for open in HTTP.into_iter().chain([nats as Open, kafka]) {
            refuses(open, &address, what);
        }
    }
}

/// Syslog has no answers: one that reads has taken it.
#[test]
fn a_syslog_server_that_does_not_read_has_taken_nothing() {
    for behaviour in [drop as Behaviour, reset, hold] {
        refuses(syslog, &receiver(behaviour), "does not read");
    }
}

#[test]
fn a_name_that_is_gone() {
    for open in HTTP.into_iter().chain([nats as Open, kafka, syslog]) {
        // By RFC 6761 there is no such name.
        refuses(open, "hostnet.invalid:9", "no such name");
    }
}
