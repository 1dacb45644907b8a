//! Sockets that come and go without a pause, each with its own account of when
//! it was there.

use std::{collections::VecDeque, io, thread, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use socket2::Socket;

use crate::{
    arguments::Arguments,
    held::{connection, described, open},
    truth::tell,
};

/// How many stay open at a time.
const OPEN: usize = 60;

/// Milliseconds between two rounds, so that whoever observes gets some time, too.
const PAUSE: u64 = 2;

/// What is opened in turn; each is told of by a record when it is made.
const KINDS: [&str; 5] =
    ["tcp-listener", "udp-bound", "tcp-connection", "udp-connected", "tcp-bound"];

/// `churn [--pause MILLISECONDS] [--open N]`: until the next line comes in, opens a socket and
/// closes the oldest, again and again, beside a connection that lives for a moment.
pub fn churn(arguments: &Arguments) {
    let pause = Duration::from_millis(arguments.option("--pause").unwrap_or(PAUSE));
    let most = arguments.option("--open").unwrap_or(OPEN);
    let mut held: VecDeque<Socket> = VecDeque::new();
    for kind in KINDS.iter().cycle() {
        let from = boot_clock();
        for (kind, _, socket) in open(kind) {
            let truth = described(tell("opened"), &socket).with("kind", kind);
            truth.with("from_ns", from).with("to_ns", boot_clock()).send();
            held.push_back(socket);
        }
        drop(connection(([127, 0, 0, 1], 0).into()));
        while held.len() > most
            && let Some(oldest) = held.pop_front()
        {
            let truth = described(tell("closed"), &oldest).with("from_ns", boot_clock());
            drop(oldest);
            truth.send();
        }
        if is_asked_to_stop() {
            return;
        }
        thread::sleep(pause);
    }
}

fn boot_clock() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn is_asked_to_stop() -> bool {
    let mut poll = libc::pollfd { fd: 0, events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd for the length of the call.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
    assert!(ready >= 0, "poll: {}", io::Error::last_os_error());
    ready > 0
}
