//! io_uring: the same operations without a system call for each. With SQPOLL a
//! kernel thread does them, with `--async` a worker of the process, and with
//! `--direct` the sockets have no file descriptor.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd},
};

use io_uring::{
    IoUring, opcode,
    squeue::{Entry, Flags},
    types,
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::keep,
    truth::{Truth, tell},
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("uring-tcp", tcp), ("uring-udp", udp), ("uring-unix", unix)];

/// Milliseconds until an idle SQPOLL thread sleeps.
const IDLE_MS: u32 = 1000;

struct Ring {
    ring: IoUring,
    direct: bool,
    asynchronous: bool,
    slots: u32,
}

/// A socket of a ring. A direct one is duplicated into a descriptor, only to
/// look at it.
struct RingSocket {
    slot: Option<u32>,
    descriptor: Socket,
}

macro_rules! on {
    ($socket:expr, |$target:ident| $entry:expr) => {
        match $socket.slot {
            Some(slot) => {
                let $target = types::Fixed(slot);
                $entry
            }
            None => {
                let $target = types::Fd($socket.descriptor.as_raw_fd());
                $entry
            }
        }
    };
}

impl Ring {
    fn new(arguments: &Arguments) -> Self {
        let mut builder = IoUring::builder();
        if arguments.switch("--sqpoll") {
            builder.setup_sqpoll(IDLE_MS);
        }
        let ring = builder.build(8).expect("io_uring_setup");
        let direct = arguments.switch("--direct");
        if direct {
            ring.submitter().register_files_sparse(16).expect("IORING_REGISTER_FILES2");
        }
        Self { ring, direct, asynchronous: arguments.switch("--async"), slots: 0 }
    }

    fn perform(&mut self, entry: Entry) -> io::Result<i32> {
        let entry = if self.asynchronous { entry.flags(Flags::ASYNC) } else { entry };
        // SAFETY: what the entry points to lives in the caller until this returns.
        unsafe { self.ring.submission().push(&entry) }.expect("the ring has room for one");
        self.ring.submit_and_wait(1)?;
        let result = self.ring.completion().next().expect("waited for one").result();
        if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
    }

    fn slot(&mut self) -> Option<types::DestinationSlot> {
        if !self.direct {
            return None;
        }
        self.slots += 1;
        let slot = types::DestinationSlot::try_from_slot_target(self.slots);
        Some(slot.expect("a small number"))
    }

    fn socket(&mut self, domain: Domain, kind: Type) -> RingSocket {
        let slot = self.slot();
        let entry = opcode::Socket::new(domain.into(), kind.into(), 0).file_index(slot).build();
        let made = self.perform(entry).expect("IORING_OP_SOCKET");
        self.made(made)
    }

    /// What a socket or accept request made: a descriptor, or the newest slot.
    fn made(&mut self, result: RawFd) -> RingSocket {
        let slot = self.direct.then_some(self.slots);
        let descriptor = match slot {
            Some(slot) => {
                let install = opcode::FixedFdInstall::new(types::Fixed(slot), 0).build();
                // A worker of the ring has no descriptor table to install into.
                let asynchronous = std::mem::replace(&mut self.asynchronous, false);
                let installed = self.perform(install).expect("IORING_OP_FIXED_FD_INSTALL");
                self.asynchronous = asynchronous;
                installed
            }
            None => result,
        };
        // SAFETY: the kernel has just made this descriptor for us.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        RingSocket { slot, descriptor: descriptor.into() }
    }

    fn bind(&mut self, socket: &RingSocket, address: &SockAddr) -> io::Result<i32> {
        let (pointer, length) = (address.as_ptr().cast(), address.len());
        let bind = on!(socket, |target| opcode::Bind::new(target, pointer, length).build());
        self.perform(bind).or_else(|error| before_6_11(error, || socket.descriptor.bind(address)))
    }

    fn listen(&mut self, socket: &RingSocket) -> io::Result<i32> {
        let listen = on!(socket, |target| opcode::Listen::new(target, 8).build());
        self.perform(listen).or_else(|error| before_6_11(error, || socket.descriptor.listen(8)))
    }

    fn connect(&mut self, socket: &RingSocket, address: &SockAddr) -> io::Result<i32> {
        let (pointer, length) = (address.as_ptr().cast(), address.len());
        self.perform(on!(socket, |target| opcode::Connect::new(target, pointer, length).build()))
    }

    fn accept(&mut self, socket: &RingSocket, multishot: bool) -> io::Result<RingSocket> {
        let null = std::ptr::null_mut();
        let entry = if multishot {
            assert!(!self.direct, "a multishot accept chooses its slots itself");
            on!(socket, |target| opcode::AcceptMulti::new(target).build())
        } else {
            let slot = self.slot();
            on!(socket, |target| opcode::Accept::new(target, null, null.cast())
                .file_index(slot)
                .build())
        };
        let result = self.perform(entry)?;
        Ok(self.made(result))
    }

    fn send(&mut self, socket: &RingSocket, bytes: &[u8]) -> io::Result<i32> {
        let (pointer, length) = (bytes.as_ptr(), bytes.len() as u32);
        self.perform(on!(socket, |target| opcode::Send::new(target, pointer, length).build()))
    }

    fn send_to(&mut self, socket: &RingSocket, to: &SockAddr) -> io::Result<i32> {
        let (pointer, length) = (b"ring".as_ptr(), 4);
        self.perform(on!(socket, |target| {
            let send = opcode::Send::new(target, pointer, length);
            send.dest_addr(to.as_ptr().cast()).dest_addr_len(to.len()).build()
        }))
    }

    fn send_message(&mut self, socket: &RingSocket, to: &SockAddr) -> io::Result<i32> {
        let mut part = libc::iovec { iov_base: b"ring".as_ptr().cast_mut().cast(), iov_len: 4 };
        // SAFETY: all fields of a message may be zero.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = to.as_ptr().cast_mut().cast();
        message.msg_namelen = to.len();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        let message = &raw const message;
        self.perform(on!(socket, |target| opcode::SendMsg::new(target, message).build()))
    }
}

/// A ring binds and listens from Linux 6.11 on; before, its sockets are bound by
/// system calls, as programs have to do it there.
fn before_6_11(error: io::Error, call: impl FnOnce() -> io::Result<()>) -> io::Result<i32> {
    if error.kind() == io::ErrorKind::InvalidInput { call().map(|()| 0) } else { Err(error) }
}

fn told(op: &str, socket: &RingSocket) -> Truth {
    tell(op).with("via", "io_uring").socket(&socket.descriptor)
}

fn local(socket: &RingSocket) -> Option<SocketAddr> {
    crate::sockets::local(&socket.descriptor)
}

/// `uring-tcp ADDR [--sqpoll] [--async] [--direct] [--multishot]`: binds,
/// listens, connects to itself, accepts and sends, all by the ring.
pub fn tcp(arguments: &Arguments) {
    let mut ring = Ring::new(arguments);
    let asked = SocketAddr::new(crate::arguments::parse(arguments.operands()[0]), 0);
    let domain = Domain::for_address(asked);
    let listener = ring.socket(domain, Type::STREAM);
    let result = ring.bind(&listener, &asked.into());
    let address = local(&listener).expect("bound");
    told("bind", &listener)
        .endpoint("requested", Some(asked))
        .endpoint("local", Some(address))
        .result(&result)
        .send();
    let result = ring.listen(&listener);
    told("listen", &listener).endpoint("local", Some(address)).result(&result).send();
    let client = ring.socket(domain, Type::STREAM);
    let result = ring.connect(&client, &address.into());
    told("connect", &client)
        .endpoint("local", local(&client))
        .endpoint("remote", Some(address))
        .result(&result)
        .send();
    let server = ring.accept(&listener, arguments.switch("--multishot")).expect("IORING_OP_ACCEPT");
    let peer = server.descriptor.peer_addr().ok().and_then(|address| address.as_socket());
    told("accept", &server)
        .endpoint("local", local(&server))
        .endpoint("remote", peer)
        .with("result", "ok")
        .send();
    let result = ring.send(&client, b"by a ring");
    told("data", &client).result(&result).send();
    for socket in [listener, client, server] {
        keep(socket.descriptor);
    }
}

/// `uring-udp ADDR PORT PORT PORT`: SENDMSG to the first peer, SEND with an
/// address to the second, CONNECT to the third, by one socket.
pub fn udp(arguments: &Arguments) {
    let mut ring = Ring::new(arguments);
    let ip = crate::arguments::parse(arguments.operands()[0]);
    let peers = [1, 2, 3]
        .map(|index| SocketAddr::new(ip, crate::arguments::parse(arguments.operands()[index])));
    let socket = ring.socket(Domain::for_address(peers[0]), Type::DGRAM);
    let result = ring.send_message(&socket, &peers[0].into());
    told("send", &socket).endpoint("remote", Some(peers[0])).result(&result).send();
    let result = ring.send_to(&socket, &peers[1].into());
    told("send", &socket).endpoint("remote", Some(peers[1])).result(&result).send();
    let result = ring.connect(&socket, &peers[2].into());
    told("connect", &socket)
        .with("transport", "udp")
        .endpoint("remote", Some(peers[2]))
        .result(&result)
        .send();
    keep(socket.descriptor);
}

/// `uring-unix NAME_HEX`: an abstract stream socket, bound, listened on,
/// connected to and accepted from.
pub fn unix(arguments: &Arguments) {
    let mut ring = Ring::new(arguments);
    let name = crate::arguments::from_hex(arguments.operands()[0]);
    let address = crate::unix::Name::Abstract(name);
    let raw = address.socket_address();
    let listener = ring.socket(Domain::UNIX, Type::STREAM);
    let result = ring.bind(&listener, &raw);
    address.tell(told("bind", &listener)).result(&result).send();
    let result = ring.listen(&listener);
    address.tell(told("listen", &listener)).result(&result).send();
    let client = ring.socket(Domain::UNIX, Type::STREAM);
    let result = ring.connect(&client, &raw);
    address.tell(told("connect", &client)).result(&result).send();
    let server = ring.accept(&listener, false).expect("IORING_OP_ACCEPT");
    address.tell(told("accept", &server)).with("result", "ok").send();
    for socket in [listener, client, server] {
        keep(socket.descriptor);
    }
}
