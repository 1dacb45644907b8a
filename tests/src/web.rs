//! A web server of the test's own, for receivers that cannot be installed: it takes
//! HTTP/1.1 apart strictly, and the test says what it answers.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use flate2::read::GzDecoder;

/// A request, unpacked.
#[derive(Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Header fields by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

/// Status, more header lines, and body.
pub struct Answer(pub u16, pub &'static str, pub String);

/// Serves until the test ends; returns the port.
pub fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || converse(&stream, &*answer));
        }
    });
    port
}

/// Answers the requests of one connection. A panic ends it, and shows in the test
/// as a request without an answer.
fn converse(stream: &TcpStream, answer: &dyn Fn(&Request) -> Answer) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let Answer(status, headers, body) = answer(&request);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n{headers}\r\n");
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_owned)
    };
    let first = line()?;
    let target = first.strip_prefix("POST ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let target = target.unwrap_or_else(|| panic!("no POST of HTTP/1.1: {first:?}")).to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").expect("a header field");
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length: usize = headers["content-length"].parse().expect("a number");
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).ok()?;
    let body = match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => {
            let mut body = Vec::new();
            GzDecoder::new(&*sent).read_to_end(&mut body).expect("gzip");
            body
        }
        None => sent,
        Some(other) => panic!("content-encoding: {other}"),
    };
    Some(Request { target, headers, body })
}
