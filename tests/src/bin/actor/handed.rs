//! Sockets that change hands: one actor makes a socket and passes it to another
//! by SCM_RIGHTS, over an abstract unix socket that both can reach.

use std::{
    ffi::OsStr,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    sync::Mutex,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    arguments::{Arguments, from_hex},
    sockets::{keep, local, socket_for},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[
    ("hand-over", hand_over),
    ("take-over", take_over),
    ("use-inherited", use_inherited),
    ("use-taken", use_taken),
];

/// What was taken and not used yet.
static TAKEN: Mutex<Option<Socket>> = Mutex::new(None);

fn rendezvous(arguments: &Arguments) -> (Socket, SockAddr) {
    let name = [&[0], from_hex(arguments.operands()[0]).as_slice()].concat();
    let address = SockAddr::unix(OsStr::from_bytes(&name)).expect("a short name");
    (Socket::new(Domain::UNIX, Type::STREAM, None).expect("a unix socket"), address)
}

/// `hand-over NAME_HEX ADDR PORT [--udp] [--listen] [--accept]`: binds, listens where that
/// is asked for, says so, and gives the socket, or the first connection that it accepts,
/// to whoever connects to the name.
pub fn hand_over(arguments: &Arguments) {
    let (meeting, name) = rendezvous(arguments);
    meeting.bind(&name).and_then(|()| meeting.listen(1)).expect("a free name");
    let address = arguments.peer(1);
    let kind = if arguments.switch("--udp") { Type::DGRAM } else { Type::STREAM };
    let socket = socket_for(address, kind);
    socket.bind(&SockAddr::from(address)).expect("bind");
    if arguments.switch("--listen") {
        socket.listen(8).expect("listen");
    }
    tell("ready-to-hand-over").socket(&socket).endpoint("local", local(&socket)).send();
    let accepts = arguments.switch("--accept");
    let socket = if accepts { socket.accept().expect("somebody connects").0 } else { socket };
    let (taker, _) = meeting.accept().expect("somebody takes it");
    let held = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&held)), "room for one");
    sendmsg(&taker, &[IoSlice::new(b"x")], &mut ancillary, SendFlags::empty()).expect("sendmsg");
    tell("handed-over").socket(&socket).send();
}

/// `take-over NAME_HEX [--later] …`: takes a socket and uses it as `use-taken` does,
/// or leaves it for that.
pub fn take_over(arguments: &Arguments) {
    let (meeting, name) = rendezvous(arguments);
    meeting.connect(&name).expect("somebody hands over");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&meeting, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty())
        .expect("recvmsg");
    let mut taken = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    let socket: OwnedFd = taken.next().expect("a socket came along");
    let socket = Socket::from(socket);
    if arguments.switch("--later") {
        tell("taken").socket(&socket).send();
        *TAKEN.lock().expect("one thread") = Some(socket);
    } else {
        use_socket(socket, arguments);
    }
}

/// `use-taken NAME_HEX [ADDR PORT] [--listen] [--serve]`: has the socket that was taken
/// listen, send to the address, accept.
pub fn use_taken(arguments: &Arguments) {
    let taken = TAKEN.lock().expect("one thread").take();
    use_socket(taken.expect("a socket was taken"), arguments);
}

/// `use-inherited FD [ADDR PORT] [--listen] [--serve]`: the same with a socket that was
/// there when the program began.
pub fn use_inherited(arguments: &Arguments) {
    let number = arguments.operands()[0].to_str().and_then(|word| word.parse().ok());
    // SAFETY: whoever started the program left it this descriptor, and nobody else
    // in it knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(number.expect("a descriptor")) };
    use_socket(socket.into(), arguments);
}

fn use_socket(socket: Socket, arguments: &Arguments) {
    if arguments.switch("--listen") {
        let result = socket.listen(8);
        tell("listen").socket(&socket).endpoint("local", local(&socket)).result(&result).send();
    }
    if arguments.operands().len() > 1 {
        let remote = arguments.peer(1);
        let result = socket.send_to(b"ping", &SockAddr::from(remote));
        tell("send").socket(&socket).endpoint("remote", Some(remote)).result(&result).send();
    }
    if arguments.switch("--serve") {
        let accepted = socket.accept();
        let remote = accepted.as_ref().ok().and_then(|(_, remote)| remote.as_socket());
        tell("accept").endpoint("remote", remote).result(&accepted).send();
    }
    keep(socket);
}
