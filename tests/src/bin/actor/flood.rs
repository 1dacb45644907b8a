//! More acts than anybody can be told of, all alike, and a few among them that are
//! not: with its own account of how many there were.

use std::{
    cell::Cell,
    net::{Ipv4Addr, SocketAddr},
    os::fd::{FromRawFd as _, OwnedFd},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use socket2::{Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    sockets::{outcome, socket_for},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("flood", flood), ("flood-processes", flood_processes), ("marks", marks)];

/// The pause between two acts of one process of many.
const PAUSE: Duration = Duration::from_millis(100);

/// `flood KIND MILLISECONDS [--count THREADS] [--times RARE] [--api PORT]`: each thread does
/// the same act again and again for that long; meanwhile `RARE` connects go to that many
/// addresses, 127.2.0.0 and up. At the end of it, while it goes on, a TCP connect goes to
/// `PORT` of 127.0.0.1, and a UDP socket gets the cloud's metadata service as its peer.
pub fn flood(arguments: &Arguments) {
    let operands = arguments.operands();
    let kind: String = parse(operands[0]);
    let lasts = Duration::from_millis(parse(operands[1]));
    let rare: u32 = arguments.option("--times").unwrap_or(0);
    let (done, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..arguments.option("--count").unwrap_or(1) {
            scope.spawn(|| done.fetch_add(repeat(&kind, &is_over), Ordering::Relaxed));
        }
        paced(rare, lasts, Ipv4Addr::new(127, 2, 0, 0));
        if let Some(port) = arguments.option("--api") {
            hidden(port);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    tell("flood").with("acts", done.into_inner()).with("rare", rare).send();
}

/// `flood-processes MILLISECONDS --count N`: that many processes, each of which binds again
/// and again for that long; meanwhile others begin and end as fast as they can.
pub fn flood_processes(arguments: &Arguments) {
    let ends = Instant::now() + Duration::from_millis(parse(arguments.operands()[0]));
    let count: u32 = arguments.option("--count").expect("--count N");
    let act = || {
        while Instant::now() < ends {
            bind();
            thread::sleep(PAUSE);
        }
    };
    let children: Vec<i32> = (0..count).map(|_| child(act)).collect();
    let mut short: u64 = 0;
    while Instant::now() < ends {
        wait_for(child(|| {}));
        short += 1;
    }
    children.into_iter().for_each(wait_for);
    tell("flood-processes").with("processes", count).with("short", short).send();
}

/// A process that does this and ends.
fn child(act: impl Fn()) -> i32 {
    // SAFETY: the actor has one thread, so the child may run any code.
    let child = unsafe { libc::fork() };
    outcome(child.into()).expect("fork");
    if child == 0 {
        act();
        // SAFETY: ends this process, whose output is not its own.
        unsafe { libc::_exit(0) };
    }
    child
}

fn wait_for(child: i32) {
    // SAFETY: nothing is written where there is no place for the answer.
    let waited = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    outcome(waited.into()).expect("waitpid");
}

/// What a flood might hide.
fn hidden(port: u16) {
    let api = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    socket_for(api, Type::STREAM).connect(&api.into()).expect("somebody listens");
    let metadata = SocketAddr::new(Ipv4Addr::new(169, 254, 169, 254).into(), 80);
    // Nothing is sent.
    let aimed = socket_for(metadata, Type::DGRAM);
    aimed.connect(&metadata.into()).expect("UDP connects to any address");
}

/// `marks MILLISECONDS --times N`: connects to N addresses in that time, 127.3.0.0 and up.
pub fn marks(arguments: &Arguments) {
    let lasts = Duration::from_millis(parse(arguments.operands()[0]));
    let marks: u32 = arguments.option("--times").expect("--times N");
    paced(marks, lasts, Ipv4Addr::new(127, 3, 0, 0));
    tell("marks").with("acts", marks).send();
}

/// Connects to `count` addresses from `first` on, evenly in the given time.
fn paced(count: u32, lasts: Duration, first: Ipv4Addr) {
    let address = |at: u32| SocketAddr::new(Ipv4Addr::from_bits(first.to_bits() + at).into(), 7);
    let (socket, began) = (socket_for(address(0), Type::DGRAM), Instant::now());
    for at in 0..count {
        let due = lasts.mul_f64(f64::from(at) / f64::from(count));
        if let Some(early) = due.checked_sub(began.elapsed()) {
            thread::sleep(early);
        }
        socket.connect(&address(at).into()).expect("UDP connects to any address");
    }
    if let Some(rest) = lasts.checked_sub(began.elapsed()) {
        thread::sleep(rest);
    }
}

/// How often one thread did it.
fn repeat(kind: &str, is_over: &AtomicBool) -> u64 {
    let peer = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
    let socket = socket_for(peer, Type::DGRAM);
    let next = Cell::new(0);
    let anywhere = |kind| {
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(127, 64, 0, 0).to_bits() + next.get());
        next.set((next.get() + 1) % (1 << 23));
        let peer = SocketAddr::new(address.into(), 9);
        if kind == Type::DGRAM {
            socket.connect(&peer.into())
        } else {
            socket_for(peer, kind).connect(&peer.into())
        }
    };
    let act: &dyn Fn() = match kind {
        "anywhere" => &|| anywhere(Type::DGRAM).expect("UDP connects to any address"),
        "refused" => &|| drop(anywhere(Type::STREAM).expect_err("nobody listens")),
        "connect" => &|| socket.connect(&peer.into()).expect("UDP connects to any address"),
        "raw-socket" => &raw_socket,
        "bind" => &bind,
        "listen" => &listen,
        other => panic!("no such flood: {other}"),
    };
    let mut done = 0;
    while !is_over.load(Ordering::Relaxed) {
        act();
        done += 1;
    }
    done
}

fn raw_socket() {
    // SAFETY: opens a socket, whose descriptor is then ours alone.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP) };
    let raw = outcome(raw.into()).expect("CAP_NET_RAW");
    // SAFETY: as above.
    drop(unsafe { OwnedFd::from_raw_fd(raw as i32) });
}

fn bind() {
    let any_port = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let socket: Socket = socket_for(any_port, Type::DGRAM);
    socket.bind(&any_port.into()).expect("a free port");
}

/// Without a bind: the kernel chooses the port after it has said that there is a listener.
fn listen() {
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    socket_for(any, Type::STREAM).listen(1).expect("a free port");
}
