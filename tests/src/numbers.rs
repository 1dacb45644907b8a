//! The agent's page of numbers, as a test reads it.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::Instant,
};

use crate::patience;

/// What a path answers: status and body.
pub fn get(socket: &Path, path: &str) -> (String, String) {
    let mut stream = UnixStream::connect(socket).expect("the agent serves");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: hostnet\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    (status.to_owned(), body.to_owned())
}

/// A number on a page, 0 when it is not there.
pub fn number(page: &str, name: &str) -> u64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse::<f64>().expect("a number") as u64)
}

/// The page once it shows `fact`.
pub fn page_that(socket: &Path, mut fact: impl FnMut(&str) -> bool) -> String {
    let deadline = Instant::now() + patience();
    loop {
        let (_, page) = get(socket, "/metrics");
        if fact(&page) {
            return page;
        }
        assert!(Instant::now() < deadline, "{page}");
        thread::yield_now();
    }
}
