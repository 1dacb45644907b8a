//! The loopback interface of a network namespace that has nothing else.

use std::{
    io, mem,
    net::Ipv4Addr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::net::{AddressFamily, SocketType, socket};

/// Brings it up.
///
/// # Errors
/// Without the right to configure the network namespace.
pub fn up() -> io::Result<()> {
    let mut request = request("lo");
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    perform(libc::SIOCSIFFLAGS, &request)
}

/// Gives it an address beside its own, one for each last byte; packets to it stay on
/// this machine.
///
/// # Errors
/// Without the right to configure the network namespace.
pub fn add_address(address: Ipv4Addr) -> io::Result<()> {
    let mut request = request(&format!("lo:{}", address.octets()[3]));
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(address).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: both are socket addresses of the same size, made of integers.
    request.ifr_ifru.ifru_addr =
        unsafe { mem::transmute::<libc::sockaddr_in, libc::sockaddr>(address) };
    perform(libc::SIOCSIFADDR, &request)
}

fn request(interface: &str) -> libc::ifreq {
    // SAFETY: an ifreq is integers and byte arrays, for which zero is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn perform(number: libc::c_ulong, request: &libc::ifreq) -> io::Result<()> {
    let socket: OwnedFd = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: both requests read one ifreq.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), number, request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
