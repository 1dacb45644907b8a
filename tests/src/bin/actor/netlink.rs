//! Netlink: asking the kernel, and changing its network configuration.

use std::{io, net::Ipv4Addr, os::fd::AsRawFd as _};

use rustix::thread::{UnshareFlags, unshare_unsafe};
use socket2::{Domain, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, outcome},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("netlink", open), ("netlink-write", write), ("netlink-write-elsewhere", write_elsewhere)];

// include/uapi/linux/netlink.h, rtnetlink.h, if_addr.h
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NLMSG_ERROR: u16 = 2;
const IFA_LOCAL: u16 = 2;

fn made(protocol: i32) -> io::Result<Socket> {
    let result = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(protocol.into()));
    let truth = tell("netlink-socket").with("protocol", protocol).result(&result);
    match &result {
        Ok(socket) => truth.socket(socket).send(),
        Err(_) => truth.send(),
    }
    result
}

fn bind(socket: &Socket, groups: u32) {
    // SAFETY: all fields of an address may be zero.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address lives until the call returns.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    tell("bind")
        .with("transport", "netlink")
        .with("groups", groups)
        .socket(socket)
        .result(&outcome(result.into()))
        .send();
}

/// `netlink PROTOCOL GROUPS`: makes a socket of a protocol and binds it to
/// multicast groups.
pub fn open(arguments: &Arguments) {
    let [protocol, groups] = [0, 1].map(|index| parse::<u32>(arguments.operands()[index]));
    if let Ok(socket) = made(protocol as i32) {
        bind(&socket, groups);
        keep(socket);
    }
}

/// `netlink-write ADDR`: gives the loopback interface an address of 127.0.0.0/8,
/// and takes it away again. It was local before and is after.
pub fn write(arguments: &Arguments) {
    let address: Ipv4Addr = parse(arguments.operands()[0]);
    assert!(address.is_loopback(), "only loopback may be changed here");
    let Ok(socket) = made(libc::NETLINK_ROUTE) else { return };
    for (name, kind) in [("RTM_NEWADDR", RTM_NEWADDR), ("RTM_DELADDR", RTM_DELADDR)] {
        let result = request(&socket, kind, address);
        tell("netlink-write")
            .with("type", kind)
            .with("name", name)
            .socket(&socket)
            .result(&result)
            .send();
    }
    keep(socket);
}

/// `netlink-write-elsewhere ADDR`: the same in a network namespace of its own.
pub fn write_elsewhere(arguments: &Arguments) {
    // SAFETY: a network namespace of one's own leaves memory and descriptors as they are.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("CAP_SYS_ADMIN");
    write(arguments);
}

/// One address request for the loopback interface, and the kernel's answer.
fn request(socket: &Socket, kind: u16, address: Ipv4Addr) -> io::Result<()> {
    // SAFETY: a NUL-terminated name.
    let interface = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    let flags = NLM_F_REQUEST | NLM_F_ACK;
    // A header of 16 bytes, `struct ifaddrmsg` of 8, one attribute of 8.
    let mut message = Vec::with_capacity(32);
    message.extend(32u32.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([libc::AF_INET as u8, 32, 0, 0]);
    message.extend(interface.to_ne_bytes());
    message.extend(8u16.to_ne_bytes());
    message.extend(IFA_LOCAL.to_ne_bytes());
    message.extend(address.octets());
    socket.send(&message)?;
    let mut answer = [std::mem::MaybeUninit::<u8>::uninit(); 256];
    let length = socket.recv(&mut answer)?;
    // SAFETY: `recv` has written this many bytes.
    let answer: Vec<u8> = answer[..length].iter().map(|b| unsafe { b.assume_init() }).collect();
    assert_eq!(u16::from_ne_bytes([answer[4], answer[5]]), NLMSG_ERROR);
    let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-error)) }
}
