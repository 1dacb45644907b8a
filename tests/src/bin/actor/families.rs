//! Every other address family: what can be made, and the first step with what
//! there is.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use socket2::Socket;

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, outcome, set_option},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("family", family), ("families", families), ("vsock", vsock), ("xdp", xdp), ("alg", alg)];

// include/uapi/linux/if_xdp.h
const SOL_XDP: i32 = 283;
const XDP_RX_RING: i32 = 2;

/// The last family of Linux 7.1 is MCTP, 45.
const FAMILIES: i32 = 46;
const KINDS: [i32; 5] =
    [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET];

fn make(family: i32, kind: i32, protocol: i32) -> io::Result<Socket> {
    // SAFETY: makes a descriptor and touches nothing else.
    let made =
        outcome(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) }.into())?;
    // SAFETY: just made, and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(made as i32) }.into())
}

fn made(family: i32, kind: i32, protocol: i32) -> Option<Socket> {
    let result = make(family, kind, protocol);
    let truth = tell("socket")
        .with("family", family)
        .with("kind", kind)
        .with("protocol", protocol)
        .result(&result);
    match result {
        Ok(socket) => {
            truth.socket(&socket).send();
            Some(socket)
        }
        Err(_) => {
            truth.send();
            None
        }
    }
}

/// `family FAMILY KIND PROTOCOL`, all numbers: makes one socket.
pub fn family(arguments: &Arguments) {
    let [family, kind, protocol] = [0, 1, 2].map(|index| parse(arguments.operands()[index]));
    if let Some(socket) = made(family, kind, protocol) {
        keep(socket);
    }
}

/// `families`: makes a socket of every family and type that this kernel has;
/// only those are told.
pub fn families(_arguments: &Arguments) {
    for family in 0..FAMILIES {
        for kind in KINDS {
            if let Ok(socket) = make(family, kind, 0) {
                tell("socket")
                    .with("family", family)
                    .with("kind", kind)
                    .with("result", "ok")
                    .socket(&socket)
                    .send();
                keep(socket);
            }
        }
    }
}

fn told<T>(op: &str, transport: &str, socket: &Socket, result: &io::Result<T>) {
    tell(op).with("transport", transport).socket(socket).result(result).send();
}

/// `vsock PORT`: binds any context id, listens, and connects to the host (CID 2).
pub fn vsock(arguments: &Arguments) {
    let port: u32 = parse(arguments.operands()[0]);
    let at = |cid| {
        // SAFETY: all fields of an address may be zero.
        let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
        address.svm_family = libc::AF_VSOCK as u16;
        address.svm_port = port;
        address.svm_cid = cid;
        address
    };
    let length = size_of::<libc::sockaddr_vm>() as libc::socklen_t;
    let Some(listener) = made(libc::AF_VSOCK, libc::SOCK_STREAM, 0) else { return };
    let own = at(libc::VMADDR_CID_ANY);
    // SAFETY: the address lives until the call returns.
    let bound = unsafe { libc::bind(listener.as_raw_fd(), (&raw const own).cast(), length) };
    told("bind", "vsock", &listener, &outcome(bound.into()));
    told("listen", "vsock", &listener, &listener.listen(8));
    let Some(client) = made(libc::AF_VSOCK, libc::SOCK_STREAM, 0) else { return };
    // Nothing may wait for a host that does not answer.
    client.set_nonblocking(true).expect("O_NONBLOCK");
    let peer = at(libc::VMADDR_CID_HOST);
    // SAFETY: the address lives until the call returns.
    let connected = unsafe { libc::connect(client.as_raw_fd(), (&raw const peer).cast(), length) };
    told("connect", "vsock", &client, &outcome(connected.into()));
    keep(listener);
    keep(client);
}

/// `xdp`: makes an `AF_XDP` socket and gives it a receive ring.
pub fn xdp(_arguments: &Arguments) {
    let Some(socket) = made(libc::AF_XDP, libc::SOCK_RAW, 0) else { return };
    let result = set_option(&socket, SOL_XDP, XDP_RX_RING, &64u32);
    told("data", "xdp", &socket, &result);
    keep(socket);
}

/// `alg`: binds a socket of the kernel's cryptography to SHA-256.
pub fn alg(_arguments: &Arguments) {
    let Some(socket) = made(libc::AF_ALG, libc::SOCK_SEQPACKET, 0) else { return };
    // SAFETY: all fields of an address may be zero.
    let mut address: libc::sockaddr_alg = unsafe { std::mem::zeroed() };
    address.salg_family = libc::AF_ALG as u16;
    address.salg_type[..4].copy_from_slice(b"hash");
    address.salg_name[..6].copy_from_slice(b"sha256");
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address lives until the call returns.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    told("bind", "alg", &socket, &outcome(bound.into()));
    keep(socket);
}
