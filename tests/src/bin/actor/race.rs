//! The address changes while the kernel reads it: flipped by another thread all
//! the time, rewritten while the connect waits, or supplied only when the kernel
//! asks for the page it is on (userfaultfd).

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use socket2::{Socket, Type};

use crate::{
    arguments::Arguments,
    listeners,
    sockets::{get_option, keep, local, outcome, socket_for},
    truth::tell,
    user_fault::UserFault,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("race", race), ("blocked", blocked), ("fault", fault)];

const TCP_SYN_SENT: u8 = 2;

/// A `sockaddr_in` in two words, so that its family, port and address change at
/// once; the second word is padding.
#[repr(C, align(16))]
struct Shared([AtomicU64; 2]);

impl Shared {
    fn new(address: SocketAddrV4) -> Self {
        Self([AtomicU64::new(word(address)), AtomicU64::new(0)])
    }

    fn set(&self, address: SocketAddrV4) {
        self.0[0].store(word(address), Ordering::Relaxed);
    }

    /// `connect(2)` with the address wherever it is at the moment.
    fn connect(&self, socket: &Socket) -> std::io::Result<i64> {
        // SAFETY: 16 bytes that live as long as the call; only the kernel reads them.
        let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const self.0).cast(), 16) };
        outcome(result.into())
    }
}

fn word(address: SocketAddrV4) -> u64 {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    bytes[4..].copy_from_slice(&address.ip().octets());
    u64::from_ne_bytes(bytes)
}

fn peer_of(socket: &Socket) -> Option<SocketAddr> {
    socket.peer_addr().ok().and_then(|address| address.as_socket())
}

fn peers<const N: usize>(arguments: &Arguments) -> [SocketAddrV4; N] {
    std::array::from_fn(|index| match arguments.peer(2 * index) {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address} is not IPv4"),
    })
}

/// `race ADDR PORT ADDR PORT ADDR PORT ADDR PORT --count N`: connects one UDP
/// socket N times to an address that another thread keeps changing from one of
/// the four to the next, and asks each time the server that it reached which one
/// it is. Tells the answers, a digit each, and how often the address that was
/// there just before the call was another.
pub fn race(arguments: &Arguments) {
    let peers: [SocketAddrV4; 4] = peers(arguments);
    let count: usize = arguments.option("--count").expect("--count");
    let words = peers.map(word);
    let shared = Shared::new(peers[0]);
    let over = AtomicBool::new(false);
    let socket = socket_for(SocketAddr::V4(peers[0]), Type::DGRAM);
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("SO_RCVTIMEO");
    let mut reached = String::with_capacity(count);
    let mut raced = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            for peer in peers.iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                shared.set(*peer);
            }
        });
        for _ in 0..count {
            let seen = shared.0[0].load(Ordering::Relaxed);
            shared.connect(&socket).expect("a UDP connect to loopback succeeds");
            socket.send(b"?").expect("send");
            let mut answer = [std::mem::MaybeUninit::uninit(); 1];
            socket.recv(&mut answer).expect("the server answers");
            // SAFETY: the answer is one byte, and `recv` has returned it.
            let server = unsafe { answer[0].assume_init() };
            let Some(SocketAddr::V4(peer)) = peer_of(&socket) else { panic!("not connected") };
            assert_eq!(peer, peers[usize::from(server)], "the kernel's own account");
            raced += u64::from(seen != words[usize::from(server)]);
            reached.push(char::from(b'0' + server));
        }
        over.store(true, Ordering::Relaxed);
    });
    tell("race").socket(&socket).with("raced", raced).with("reached", reached).send();
    keep(socket);
}

/// `blocked ADDR PORT --times N`: N connects at once wait for a full backlog
/// while their addresses are overwritten with ADDR PORT.
pub fn blocked(arguments: &Arguments) {
    let [decoy]: [SocketAddrV4; 1] = peers(arguments);
    thread::scope(|scope| {
        for _ in 0..arguments.option("--times").unwrap_or(1) {
            scope.spawn(move || blocked_once(decoy));
        }
    });
}

fn blocked_once(decoy: SocketAddrV4) {
    let listener = listeners::open((Ipv4Addr::LOCALHOST, 0).into(), 0);
    let peer = local(&listener).expect("bound");
    let SocketAddr::V4(wanted) = peer else { unreachable!("bound to IPv4") };
    let filling = socket_for(peer, Type::STREAM);
    filling.connect(&peer.into()).expect("room for one");
    let shared = Shared::new(wanted);
    let socket = socket_for(peer, Type::STREAM);
    thread::scope(|scope| {
        let connecting = scope.spawn(|| shared.connect(&socket));
        let deadline = Instant::now() + Duration::from_secs(10);
        let state = || get_option::<[u8; 8]>(&socket, libc::IPPROTO_TCP, libc::TCP_INFO);
        while state().is_ok_and(|info| info[0] != TCP_SYN_SENT) {
            assert!(Instant::now() < deadline, "the connect did not begin to wait");
            thread::yield_now();
        }
        shared.set(decoy);
        let accepted = listener.accept().expect("the one that filled the backlog");
        let result = connecting.join().expect("no panic");
        tell("connect")
            .with("blocked", true)
            .socket(&socket)
            .endpoint("local", local(&socket))
            .endpoint("remote", peer_of(&socket))
            .endpoint("asked", Some(peer))
            .result(&result)
            .send();
        keep(accepted.0);
    });
    for socket in [listener, filling, socket] {
        keep(socket);
    }
}

/// `fault ADDR PORT ADDR PORT`: the port is on a page that is there, the address
/// on one that comes when the kernel reads it. Then the port of the first peer
/// is replaced by the second's, and so is the address once it was read.
pub fn fault(arguments: &Arguments) {
    let [first, second]: [SocketAddrV4; 2] = peers(arguments);
    let mut fault = match UserFault::new() {
        Ok(fault) => fault,
        Err(error) => return tell("connect").result::<()>(&Err(error)).send(),
    };
    let (before, after) = (word(first).to_ne_bytes(), word(second).to_ne_bytes());
    let (pages, address) = fault.straddling(before);
    let socket = socket_for(SocketAddr::V4(first), Type::STREAM);
    let descriptor = socket.as_raw_fd();
    let connecting = thread::spawn(move || {
        // SAFETY: 16 bytes of the two pages, which outlive this thread.
        outcome(unsafe { libc::connect(descriptor, address as *const libc::sockaddr, 16) }.into())
    });
    fault.wait();
    // The kernel waits in the middle of its copy.
    pages.overwrite(after);
    fault.supply(before);
    let result = connecting.join().expect("no panic");
    pages.overwrite(after);
    tell("connect")
        .with("via", "userfaultfd")
        .socket(&socket)
        .endpoint("local", local(&socket))
        .endpoint("remote", peer_of(&socket))
        .endpoint("asked", Some(first.into()))
        .result(&result)
        .send();
    keep(socket);
}
