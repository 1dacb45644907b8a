//! Netlink: asking the kernel, and changing its network configuration.

use std::{io, net::Ipv4Addr, os::fd::AsRawFd as _, time::Duration};

use rustix::thread::{UnshareFlags, unshare_unsafe};
use socket2::{Domain, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, outcome},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[
    ("netlink", open),
    ("netlink-write", write),
    ("netlink-write-elsewhere", write_elsewhere),
    ("netlink-batch", batch),
    ("netlink-nftables", nftables),
];

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

/// `netlink-batch QUESTIONS ADDR`: questions, and behind them in the same buffer a
/// change of the loopback interface; and then the change is taken back.
pub fn batch(arguments: &Arguments) {
    let questions: usize = parse(arguments.operands()[0]);
    let address: Ipv4Addr = parse(arguments.operands()[1]);
    assert!(address.is_loopback(), "only loopback may be changed here");
    let Ok(socket) = made(libc::NETLINK_ROUTE) else { return };
    let mut buffer = Vec::new();
    for _ in 0..questions {
        buffer.extend(question());
    }
    let change = address_message(RTM_NEWADDR, address);
    let length = change.len();
    buffer.extend(change);
    let sent = socket.send(&buffer);
    let answers = (0..=questions).filter(|_| answer(&socket).is_ok()).count();
    assert_eq!(answers, questions + 1, "each message is answered");
    tell("netlink-batch").with("last_bytes", length).socket(&socket).result(&sent).send();
    request(&socket, RTM_DELADDR, address).expect("the address is there");
    keep(socket);
}

/// `netlink-nftables TABLE`: makes a table of nftables and deletes it, and asks for it,
/// each message with both bits of `NLM_F_DUMP`. The table has nothing in it.
pub fn nftables(arguments: &Arguments) {
    const NFTABLES: u16 = 10 << 8;
    let name = arguments.operands()[0];
    let socket = Socket::new(
        Domain::from(libc::AF_NETLINK),
        Type::RAW,
        Some(libc::NETLINK_NETFILTER.into()),
    );
    let Ok(socket) = socket else { return tell("nftables").result(&socket).send() };
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut attribute = (4 + name.len() as u16 + 1).to_ne_bytes().to_vec();
    // NFTA_TABLE_NAME
    attribute.extend(1u16.to_ne_bytes());
    attribute.extend(name.as_encoded_bytes());
    attribute.push(0);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    // `struct nfgenmsg`: family, version, and what a batch is for.
    let message = |kind: u16, flags: u16, subsystem: u16, attribute: &[u8]| {
        let mut message = header(20 + attribute.len() as u32, kind);
        message[6..8].copy_from_slice(&flags.to_ne_bytes());
        message.extend([if attribute.is_empty() { 0 } else { libc::AF_INET as u8 }, 0]);
        message.extend(subsystem.to_be_bytes());
        message.extend(attribute);
        message
    };
    const DUMP: u16 = 0x300;
    const CREATE: u16 = 0x400;
    for (what, kind, flags) in [
        ("NEWTABLE", NFTABLES, DUMP | CREATE | NLM_F_REQUEST | NLM_F_ACK),
        ("DELTABLE", NFTABLES | 2, DUMP | NLM_F_REQUEST | NLM_F_ACK),
    ] {
        // NFNL_MSG_BATCH_BEGIN and _END around it.
        let batch = [
            message(0x10, NLM_F_REQUEST, 10, &[]),
            message(kind, flags, 0, &attribute),
            message(0x11, NLM_F_REQUEST, 10, &[]),
        ];
        let sent = socket.send(&batch.concat()).and_then(|_| match answer(&socket)? {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        });
        tell("nftables").with("what", what).with("type", kind).socket(&socket).result(&sent).send();
    }
    // GETTABLE, of all and of one.
    for flags in [DUMP | NLM_F_REQUEST, NLM_F_REQUEST] {
        socket.send(&message(NFTABLES | 1, flags, 0, &attribute)).expect("a question");
    }
    keep(socket);
}

/// `RTM_GETLINK` of an interface that is not there, which is answered by an error.
fn question() -> Vec<u8> {
    const RTM_GETLINK: u16 = 18;
    let mut message = header(32, RTM_GETLINK);
    // `struct ifinfomsg`: family, padding, type, index, flags, change.
    message.extend([0; 4]);
    message.extend(i32::MAX.to_ne_bytes());
    message.extend([0; 8]);
    message
}

/// One address request for the loopback interface, and the kernel's answer.
fn request(socket: &Socket, kind: u16, address: Ipv4Addr) -> io::Result<()> {
    socket.send(&address_message(kind, address))?;
    let error = answer(socket)?;
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-error)) }
}

/// `struct nlmsghdr` of a message of this many bytes.
fn header(length: u32, kind: u16) -> Vec<u8> {
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message.extend([0; 8]);
    message
}

fn address_message(kind: u16, address: Ipv4Addr) -> Vec<u8> {
    // SAFETY: a NUL-terminated name.
    let interface = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    // A header of 16 bytes, `struct ifaddrmsg` of 8, one attribute of 8.
    let mut message = header(32, kind);
    message.extend([libc::AF_INET as u8, 32, 0, 0]);
    message.extend(interface.to_ne_bytes());
    message.extend(8u16.to_ne_bytes());
    message.extend(IFA_LOCAL.to_ne_bytes());
    message.extend(address.octets());
    message
}

/// The error in the kernel's answer; 0 for none.
fn answer(socket: &Socket) -> io::Result<i32> {
    let mut answer = [std::mem::MaybeUninit::<u8>::uninit(); 256];
    let length = socket.recv(&mut answer)?;
    // SAFETY: `recv` has written this many bytes.
    let answer: Vec<u8> = answer[..length].iter().map(|b| unsafe { b.assume_init() }).collect();
    assert_eq!(u16::from_ne_bytes([answer[4], answer[5]]), NLMSG_ERROR);
    Ok(i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]))
}
