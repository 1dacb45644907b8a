//! Unix sockets, in the abstract namespace of the network namespace or in the
//! file system, with names of any bytes.

use std::{
    ffi::OsStr,
    fs, io,
    mem::MaybeUninit,
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::Path,
};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    arguments::{Arguments, from_hex},
    sockets::{keep, outcome},
    truth::{Truth, tell},
};

pub const SUBCOMMANDS: crate::Subcommands = &[
    ("unix-stream", stream),
    ("unix-dgram", datagrams),
    ("unix-refused", refused),
    ("unix-connect", connect),
    ("unix-connect-dgram", connect_datagrams),
    ("unix-autobind", autobind),
    ("unix-send", send),
];

/// A socket's name.
pub enum Name {
    /// Without the NUL in front.
    Abstract(Vec<u8>),
    Path(Vec<u8>),
}

impl Name {
    /// Operand `index` in hexadecimal; a path with `--path`.
    fn operand(arguments: &Arguments, index: usize) -> Self {
        let bytes = from_hex(arguments.operands()[index]);
        if arguments.switch("--path") { Self::Path(bytes) } else { Self::Abstract(bytes) }
    }

    pub fn socket_address(&self) -> SockAddr {
        let bytes = self.bytes();
        let path = Path::new(OsStr::from_bytes(&bytes));
        SockAddr::unix(path).expect("at most 108 bytes")
    }

    /// As `sun_path` has them: an abstract name begins with NUL.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Abstract(name) => [&[0], name.as_slice()].concat(),
            Self::Path(path) => path.clone(),
        }
    }

    pub fn tell(&self, truth: Truth) -> Truth {
        let hex: String = self.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        truth.with("transport", "unix").with("path_hex", hex)
    }

    fn remove(&self) {
        if let Self::Path(path) = self {
            let _ = fs::remove_file(Path::new(OsStr::from_bytes(path)));
        }
    }
}

fn socket(kind: Type) -> Socket {
    Socket::new(Domain::UNIX, kind, None).expect("socket")
}

fn told<T>(op: &str, socket: &Socket, name: &Name, result: &io::Result<T>) {
    name.tell(tell(op).socket(socket)).result(result).send();
}

/// `unix-stream NAME_HEX [--path] [--seqpacket]`: binds, listens, connects to
/// itself, accepts, and passes a byte.
pub fn stream(arguments: &Arguments) {
    let name = Name::operand(arguments, 0);
    let kind = if arguments.switch("--seqpacket") { Type::SEQPACKET } else { Type::STREAM };
    name.remove();
    let listener = socket(kind);
    told("bind", &listener, &name, &listener.bind(&name.socket_address()));
    told("listen", &listener, &name, &listener.listen(8));
    let client = socket(kind);
    told("connect", &client, &name, &client.connect(&name.socket_address()));
    let accepted = listener.accept().map(|(socket, _)| socket);
    let server = accepted.expect("accept");
    told::<()>("accept", &server, &name, &Ok(()));
    told("data", &client, &name, &client.send(b"x"));
    server.recv(&mut [MaybeUninit::uninit()]).expect("a byte");
    for socket in [listener, client, server] {
        keep(socket);
    }
}

/// `unix-dgram NAME_HEX [--path] [--receive]`: binds; another socket sends by name, a third
/// connects and sends; the first may receive that.
pub fn datagrams(arguments: &Arguments) {
    let name = Name::operand(arguments, 0);
    name.remove();
    let receiver = socket(Type::DGRAM);
    told("bind", &receiver, &name, &receiver.bind(&name.socket_address()));
    let sender = socket(Type::DGRAM);
    told("send", &sender, &name, &sender.send_to(b"unix", &name.socket_address()));
    let connected = socket(Type::DGRAM);
    told("connect", &connected, &name, &connected.connect(&name.socket_address()));
    told("data", &connected, &name, &connected.send(b"unix"));
    if arguments.switch("--receive") {
        receiver.recv(&mut [MaybeUninit::uninit(); 4]).expect("a datagram");
    }
    for socket in [receiver, sender, connected] {
        keep(socket);
    }
}

/// `unix-send NAME_HEX NAME_HEX`: one socket sends to both, where nobody may be.
pub fn send(arguments: &Arguments) {
    let sender = socket(Type::DGRAM);
    for index in 0..2 {
        let name = Name::operand(arguments, index);
        told("send", &sender, &name, &sender.send_to(b"unix", &name.socket_address()));
    }
    keep(sender);
}

/// `unix-refused NAME_HEX [--path]`: connects to a name that nobody has.
pub fn refused(arguments: &Arguments) {
    let name = Name::operand(arguments, 0);
    let client = socket(Type::STREAM);
    told("connect", &client, &name, &client.connect(&name.socket_address()));
}

/// `unix-connect NAME_HEX [--path]`: connects and sends a byte.
pub fn connect(arguments: &Arguments) {
    connect_as(arguments, Type::STREAM);
}

/// `unix-connect-dgram NAME_HEX [--path]`: the same with datagrams.
pub fn connect_datagrams(arguments: &Arguments) {
    connect_as(arguments, Type::DGRAM);
}

fn connect_as(arguments: &Arguments, kind: Type) {
    let name = Name::operand(arguments, 0);
    let client = socket(kind);
    told("connect", &client, &name, &client.connect(&name.socket_address()));
    told("data", &client, &name, &client.send(b"x"));
    keep(client);
}

/// `unix-autobind`: binds without a name, so that the kernel chooses an abstract one.
pub fn autobind(_arguments: &Arguments) {
    let socket = socket(Type::STREAM);
    let family = libc::AF_UNIX as libc::sa_family_t;
    // SAFETY: an address of the family alone.
    let result = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const family).cast(), size_of_val(&family) as u32)
    };
    let result = outcome(result.into());
    let address = socket.local_addr().expect("bound");
    let given = address.as_abstract_namespace().expect("an abstract name").to_vec();
    told("bind", &socket, &Name::Abstract(given), &result);
    keep(socket);
}
