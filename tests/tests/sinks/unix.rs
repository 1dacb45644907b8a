//! Unix sockets: the receiver is whoever listens there.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    thread,
    time::{Duration, Instant},
};

use crate::events::{assert_same, deliver, documents, hostile, plain};
use hostnet::sink::{
    Then,
    unix::{Mode, Settings, Unix},
};

fn sink(directory: &tempfile::TempDir, mode: Mode) -> Unix {
    let path = directory.path().join("socket");
    Unix::open(Settings { path, mode, timeout_s: 1 }).expect("settings")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// So many lines, and the connection: what a reader has read when it hangs up,
/// nobody can tell.
fn read_lines(stream: UnixStream, count: usize) -> (Vec<Vec<u8>>, BufReader<UnixStream>) {
    let mut reader = BufReader::new(stream);
    let lines = reader.by_ref().split(b'\n').take(count);
    let lines = lines.map(|line| line.expect("a line")).collect();
    (lines, reader)
}

#[test]
fn a_stream_comes_back_to_the_byte() {
    let directory = directory();
    let rows = hostile();
    let mut sink = sink(&directory, Mode::Stream);
    let refused = deliver(&mut sink, &rows).expect_err("nobody listens");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
    let count = rows.len();
    let reader = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        read_lines(stream, count)
    });
    for some in rows.chunks(50) {
        deliver(&mut sink, some).expect("taken");
    }
    let (lines, _open) = reader.join().expect("lines");
    assert_same(&lines, &rows);
}

/// What was in the socket and not read when the reader died is not taken.
#[test]
fn what_was_not_read_is_sent_again() {
    let directory = directory();
    let rows = plain(40);
    let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
    let mut sink = sink(&directory, Mode::Stream);
    let reader = thread::spawn(move || {
        let (mut first, _) = listener.accept().expect("a connection");
        let mut bytes = [0_u8; 100];
        first.read_exact(&mut bytes).expect("some bytes");
        // With the rest unread.
        drop(first);
        let (second, _) = listener.accept().expect("another connection");
        read_lines(second, 40)
    });
    let refused = deliver(&mut sink, &rows).expect_err("the reader died");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))), "{}", refused.reason);
    deliver(&mut sink, &rows).expect("taken");
    let (lines, _open) = reader.join().expect("lines");
    assert_same(&lines, &rows);
}

#[test]
fn a_reader_that_sleeps_is_waited_for_no_longer_than_configured() {
    let directory = directory();
    let rows = plain(400);
    let _listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
    let mut sink = sink(&directory, Mode::Stream);
    let start = Instant::now();
    let refused = deliver(&mut sink, &rows).expect_err("nobody reads");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn datagrams_come_back_to_the_byte() {
    let directory = directory();
    let rows = hostile();
    let receiver = UnixDatagram::bind(directory.path().join("socket")).expect("a socket");
    let count = rows.len();
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; 1 << 20];
        let mut next = || receiver.recv(&mut bytes).map(|length| bytes[..length].to_vec());
        (0..count).map(|_| next().expect("a datagram")).collect::<Vec<_>>()
    });
    let mut sink = sink(&directory, Mode::Datagram);
    deliver(&mut sink, &rows).expect("taken");
    assert_same(&reader.join().expect("datagrams"), &rows);
}

#[test]
fn a_datagram_that_is_too_long_is_given_up_with_its_size() {
    let directory = directory();
    let mut rows = plain(3);
    rows[1].document = vec![b'x'; 4 << 20];
    let receiver = UnixDatagram::bind(directory.path().join("socket")).expect("a socket");
    let mut sink = sink(&directory, Mode::Datagram);
    let refused = deliver(&mut sink, &rows).expect_err("too long");
    assert_eq!((refused.settled, refused.dead, refused.then), (3, 1, None));
    assert!(refused.reason.contains("4194304 bytes"), "{}", refused.reason);
    let mut bytes = vec![0; 1 << 20];
    let received: Vec<_> = (0..2)
        .map(|_| receiver.recv(&mut bytes).map(|length| bytes[..length].to_vec()))
        .collect::<Result<_, _>>()
        .expect("two datagrams");
    assert_eq!(received, [documents(&rows[..1]), documents(&rows[2..])].concat());
}

/// A receiver that was restarted has another socket at the same path.
#[test]
fn a_new_receiver_of_datagrams_is_found() {
    let directory = directory();
    let path = directory.path().join("socket");
    let rows = plain(2);
    let receiver = UnixDatagram::bind(&path).expect("a socket");
    let mut sink = sink(&directory, Mode::Datagram);
    deliver(&mut sink, &rows[..1]).expect("taken");
    drop(receiver);
    std::fs::remove_file(&path).expect("it is there");
    let refused = deliver(&mut sink, &rows[1..]).expect_err("the receiver is gone");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    let receiver = UnixDatagram::bind(&path).expect("a socket");
    deliver(&mut sink, &rows[1..]).expect("taken");
    let mut bytes = vec![0; 1 << 20];
    let length = receiver.recv(&mut bytes).expect("a datagram");
    assert_eq!(bytes[..length], rows[1].document);
}
