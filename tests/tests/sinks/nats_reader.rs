//! A reader of JetStream in NATS' own text protocol, so that what is in a stream is
//! not told by the client that put it there.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use hostnet_tests::patience;
use serde_json::{Value, json};

/// A connection.
pub struct Reader {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    /// What came while something else was waited for: subject, headers, payload.
    early: VecDeque<(String, String, Vec<u8>)>,
}

/// A message as the server keeps it.
pub struct Kept {
    /// Its `Nats-Msg-Id`.
    pub id: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

impl Reader {
    /// Connects without TLS.
    pub fn connect(port: u16) -> Self {
        let writer = TcpStream::connect(("127.0.0.1", port)).expect("nats-server");
        writer.set_read_timeout(Some(patience())).expect("a socket");
        let reader = BufReader::new(writer.try_clone().expect("a descriptor"));
        let mut connection = Self { reader, writer, early: VecDeque::new() };
        connection.send(b"CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB here.answer 1\r\nSUB here.messages 2\r\n");
        connection
    }

    /// Asks the server's API, and returns what it answers.
    pub fn ask(&mut self, what: &str, parameters: &Value) -> Value {
        let parameters = parameters.to_string();
        let request =
            format!("PUB $JS.API.{what} here.answer {}\r\n{parameters}\r\n", parameters.len());
        self.send(request.as_bytes());
        let (_, payload) = self.next("here.answer");
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// Makes a stream for what hostnet publishes.
    pub fn make_stream(&mut self) {
        self.make_stream_of(-1);
    }

    /// The same, of messages of at most so many bytes.
    pub fn make_stream_of(&mut self, max_msg_size: i64) {
        let stream = json!({
            "max_msg_size": max_msg_size,
            "name": "EVENTS", "subjects": ["hostnet.>"], "storage": "file", "retention": "limits",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "discard": "old",
            "num_replicas": 1, "duplicate_window": 120_000_000_000_u64,
        });
        let made = self.ask("STREAM.CREATE.EVENTS", &stream);
        assert!(made["error"].is_null(), "{made}");
    }

    /// All that is in the stream, in its order.
    pub fn stream(&mut self) -> Vec<Kept> {
        let info = self.ask("STREAM.INFO.EVENTS", &json!({}));
        let count = info["state"]["messages"].as_u64().expect("a number");
        let config = json!({
            "deliver_subject": "here.messages", "deliver_policy": "all", "ack_policy": "none",
            "replay_policy": "instant",
        });
        let consumer = json!({"stream_name": "EVENTS", "config": config});
        let made = self.ask("CONSUMER.CREATE.EVENTS", &consumer);
        assert!(made["error"].is_null(), "{made}");
        let mut message = |_| {
            let (headers, payload) = self.next_that(|to| to != "here.answer");
            let id = headers.lines().find_map(|line| line.strip_prefix("Nats-Msg-Id: "));
            Kept { id: id.expect("an id").trim().to_owned(), payload }
        };
        (0..count).map(&mut message).collect()
    }

    fn next(&mut self, to: &str) -> (String, Vec<u8>) {
        self.next_that(|other| other == to)
    }

    /// Headers and payload of the next message on a subject.
    fn next_that(&mut self, wanted: impl Fn(&str) -> bool) -> (String, Vec<u8>) {
        if let Some(at) = self.early.iter().position(|(subject, ..)| wanted(subject)) {
            let (_, headers, payload) = self.early.remove(at).expect("it is there");
            return (headers, payload);
        }
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("nats-server goes on");
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |word: &str| word.parse::<usize>().expect("a number");
            let (headers, all) = match words.as_slice() {
                ["PING"] => {
                    self.send(b"PONG\r\n");
                    continue;
                }
                ["MSG", .., length] => (0, number(length)),
                ["HMSG", .., headers, all] => (number(headers), number(all)),
                ["-ERR", ..] => panic!("{line}"),
                _ => continue,
            };
            let mut bytes = vec![0; all + 2];
            self.reader.read_exact(&mut bytes).expect("a message");
            bytes.truncate(all);
            let payload = bytes.split_off(headers);
            let headers = String::from_utf8(bytes).expect("headers");
            if wanted(words[1]) {
                return (headers, payload);
            }
            self.early.push_back((words[1].to_owned(), headers, payload));
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("nats-server goes on");
    }
}
