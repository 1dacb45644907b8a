//! Packet sockets: below IP, seeing what others send, with a filter attached as
//! a back door would have it.

use std::{io, os::fd::AsRawFd as _};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::{keep, outcome, set_option},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[("packet", packet), ("filter", filter)];

const ETH_P_ALL: u16 = 3;
const ETH_P_IP: u16 = 0x0800;

fn made(arguments: &Arguments, protocol: u16) -> Option<Socket> {
    let kind = if arguments.switch("--dgram") { Type::DGRAM } else { Type::RAW };
    let number = i32::from(protocol.to_be());
    let result = Socket::new(Domain::PACKET, kind, Some(Protocol::from(number)));
    let truth = tell("packet-socket").with("protocol", protocol).result(&result);
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

fn loopback(protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: all fields of an address may be zero.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    // SAFETY: a NUL-terminated name.
    address.sll_ifindex = unsafe { libc::if_nametoindex(c"lo".as_ptr()) } as i32;
    address
}

/// `packet [--dgram] [--send]`: makes a socket for everything, binds it to the
/// loopback interface, reads one packet, and sends one there when asked to.
pub fn packet(arguments: &Arguments) {
    let Some(socket) = made(arguments, ETH_P_ALL) else { return };
    let address = loopback(ETH_P_ALL);
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address lives until the call returns.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    tell("bind")
        .with("transport", "packet")
        .with("interface", address.sll_ifindex)
        .socket(&socket)
        .result(&outcome(bound.into()))
        .send();
    tell("data").with("sniffed", sniff(&socket).expect("a packet")).socket(&socket).send();
    if arguments.switch("--send") {
        // Addresses of nobody, and a type for local experiments (IEEE 802.1).
        let frame = [&[0; 12][..], &[0x88, 0xb5], &[0; 46]].concat();
        // SAFETY: frame and address live until the call returns.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const address).cast(),
                length,
            )
        };
        tell("send")
            .with("transport", "packet")
            .with("interface", address.sll_ifindex)
            .socket(&socket)
            .result(&outcome(sent as i64))
            .send();
    }
    keep(socket);
}

/// The length of a packet that somebody else sent over loopback.
fn sniff(socket: &Socket) -> io::Result<usize> {
    let other = std::net::UdpSocket::bind("127.0.0.1:0")?;
    other.send_to(b"private", other.local_addr()?)?;
    socket.recv(&mut [std::mem::MaybeUninit::uninit(); 2048])
}

/// `filter`: attaches a filter that lets through what begins with a magic word.
pub fn filter(arguments: &Arguments) {
    let Some(socket) = made(arguments, ETH_P_IP) else { return };
    let statement = |code: u32, k, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 28, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0x6d61_6769, 0, 1),
        statement(libc::BPF_RET | libc::BPF_K, 0xffff, 0, 0),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let attached = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let result = set_option(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &attached);
    // SAFETY: four statements of eight bytes, without padding.
    let bytes = unsafe { std::slice::from_raw_parts(program.as_ptr().cast::<u8>(), 32) };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    tell("filter")
        .with("instructions", program.len())
        .with("program_hex", hex)
        .socket(&socket)
        .result(&result)
        .send();
    keep(socket);
}
