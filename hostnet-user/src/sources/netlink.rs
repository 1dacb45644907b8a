//! A netlink dump: one request out, all its answers in (netlink(7)). It knows
//! nothing of what is asked, and trusts no length the kernel's bytes name.

use std::{cell::Cell, io, os::fd::OwnedFd, time::Duration};

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType,
    netlink::{self, SocketAddrNetlink},
    recvfrom, send, socket_with, sockopt,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The kernel answers at once; waiting longer means that it never will.
const PATIENCE: Duration = Duration::from_secs(5);

/// Room for the largest answer (`netlink_dump` allocates at most 32 KiB).
const ANSWER: usize = 64 << 10;

// include/uapi/linux/netlink.h, include/uapi/linux/sock_diag.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
/// In an answer: what it is about changed while it was made.
const NLM_F_DUMP_INTR: u16 = 0x10;
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// `struct nlmsghdr`
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct MessageHeader {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// A netlink socket. It asks about the network namespace it was opened in,
/// wherever it is used afterwards.
///
/// Whoever has `CAP_NET_ADMIN` may send to it, too (`netlink_sendmsg` and
/// `NL_CFG_F_NONROOT_SEND`, net/netlink/af_netlink.c): only what the kernel sent counts,
/// and of that only what answers the question just asked.
pub struct Connection {
    socket: OwnedFd,
    /// The number of the last question.
    asked: Cell<u32>,
}

impl Connection {
    /// Opens one for sock_diag in this thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no such sockets.
    pub fn open() -> io::Result<Self> {
        Self::open_for(Some(netlink::SOCK_DIAG))
    }

    /// Opens one for another protocol of netlink.
    ///
    /// # Errors
    /// When the kernel has no such sockets.
    pub fn open_for(protocol: Option<Protocol>) -> io::Result<Self> {
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, protocol)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket, asked: Cell::new(0) })
    }

    /// The socket's own inode: it is in the answers, too.
    #[must_use]
    pub fn inode(&self) -> u32 {
        rustix::fs::fstat(&self.socket).map_or(0, |stat| stat.st_ino as u32)
    }

    /// Asks for every socket that `request` is about; `each` gets every answer.
    ///
    /// # Errors
    /// The kernel's refusal: `NotFound` when it cannot show that kind of socket.
    pub fn dump(&self, request: &[u8], each: impl FnMut(&[u8])) -> io::Result<()> {
        self.dump_as((SOCK_DIAG_BY_FAMILY, SOCK_DIAG_BY_FAMILY), request, each)
    }

    /// The same of another protocol, whose requests and answers are of these kinds.
    ///
    /// # Errors
    /// The kernel's refusal; `Interrupted` when what was asked for changed meanwhile, so
    /// that the answers may lack some or have some twice.
    pub fn dump_as(
        &self,
        (asks, answers): (u16, u16),
        request: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let question = self.asked.get().wrapping_add(1);
        self.asked.set(question);
        let header = MessageHeader {
            length: (size_of::<MessageHeader>() + request.len()) as u32,
            kind: asks,
            flags: NLM_F_REQUEST | NLM_F_DUMP,
            sequence: question,
            port: 0,
        };
        send(&self.socket, &[header.as_bytes(), request].concat(), SendFlags::empty())?;
        let mut buffer = vec![0; ANSWER];
        let mut changed = false;
        loop {
            let (_, length, sender) = recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty())?;
            if !is_kernel(sender) {
                continue;
            }
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((header, message, after)) = next_message(rest) {
                rest = after;
                if header.sequence != question {
                    continue;
                }
                changed |= header.flags & NLM_F_DUMP_INTR != 0;
                match header.kind {
                    // Both carry a negative errno, or 0.
                    NLMSG_DONE | NLMSG_ERROR if changed => {
                        return outcome(message).and(Err(io::ErrorKind::Interrupted.into()));
                    }
                    NLMSG_DONE | NLMSG_ERROR => return outcome(message),
                    kind if kind == answers => each(message),
                    _ => {}
                }
            }
        }
    }
}

/// Whether a message is the kernel's: nobody else can send from port 0.
pub fn is_kernel(sender: Option<SocketAddrAny>) -> bool {
    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
    sender.is_some_and(|sender| sender.pid() == 0)
}

fn next_message(bytes: &[u8]) -> Option<(MessageHeader, &[u8], &[u8])> {
    let (header, _) = MessageHeader::read_from_prefix(bytes).ok()?;
    let message = bytes.get(size_of::<MessageHeader>()..header.length as usize)?;
    let after = (header.length as usize).next_multiple_of(4);
    Some((header, message, bytes.get(after..).unwrap_or_default()))
}

fn outcome(message: &[u8]) -> io::Result<()> {
    match i32::read_from_prefix(message) {
        Ok((errno, _)) if errno < 0 => Err(io::Error::from_raw_os_error(-errno)),
        _ => Ok(()),
    }
}

/// The attributes that follow an answer's fixed part: kind and value.
pub fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (length, _) = u16::read_from_prefix(rest).ok()?;
        let (kind, _) = u16::read_from_prefix(rest.get(2..)?).ok()?;
        let value = rest.get(4..usize::from(length))?;
        rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The number in an attribute's value.
pub fn number<T: FromBytes>(value: &[u8]) -> Option<T> {
    T::read_from_prefix(value).ok().map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use rustix::{
        net::{getsockname, sendto},
        thread::{UnshareFlags, unshare_unsafe},
    };

    use super::*;

    #[test]
    fn attributes_end_where_the_bytes_do() {
        let bytes = [5, 0, 7, 0, b'x', 0, 0, 0, 8, 0, 2, 0, 1, 0, 0, 0];
        let found: Vec<_> = attributes(&bytes).collect();
        assert_eq!(found, [(7, &b"x"[..]), (2, &[1, 0, 0, 0])]);
        assert_eq!(number::<u32>(found[1].1), Some(1));
        // A length of nothing, and one beyond the end.
        assert_eq!(attributes(&[0, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[9, 0, 1, 0, 1]).count(), 0);
    }

    #[test]
    fn a_message_that_lies_about_its_length_ends_the_answer() {
        let header = |length| MessageHeader { length, kind: 20, flags: 0, sequence: 0, port: 0 };
        assert!(next_message(header(4).as_bytes()).is_none());
        assert!(next_message(header(400).as_bytes()).is_none());
        assert!(next_message(header(16).as_bytes()).is_some());
    }

    /// Runs it in a network namespace of its own; not at all where that takes more rights.
    fn in_own_namespace(what: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let run = || {
                // SAFETY: a network namespace of one's own leaves memory and descriptors as they are.
                let is_own = unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.is_ok();
                if is_own {
                    what();
                }
            };
            scope.spawn(run).join().expect("it does not panic");
        });
    }

    /// An answer of somebody's own to a question, sent to the asker's port as whoever has
    /// `CAP_NET_ADMIN` may.
    fn forge(connection: &Connection, answer: MessageHeader) {
        let to = SocketAddrNetlink::try_from(getsockname(&connection.socket).unwrap()).unwrap();
        let forger = Connection::open().unwrap();
        let message = [answer.as_bytes(), &[0; 4]].concat();
        sendto(&forger.socket, &message, SendFlags::empty(), &to).expect("it has the right");
    }

    /// TCP listeners over IPv4 (`struct inet_diag_req_v2`).
    fn listeners(connection: &Connection) -> usize {
        const LISTEN: u32 = 1 << 10;
        let mut request = [0_u8; 56];
        request[..2].copy_from_slice(&[libc::AF_INET as u8, libc::IPPROTO_TCP as u8]);
        request[4..8].copy_from_slice(&LISTEN.to_ne_bytes());
        let mut found = 0;
        connection.dump(&request, |_| found += 1).expect("the kernel answers");
        found
    }

    #[test]
    fn an_answer_that_is_not_the_kernels_is_none() {
        in_own_namespace(|| {
            let connection = Connection::open().unwrap();
            // The kernel gives the socket its port with the first question.
            assert_eq!(listeners(&connection), 0);
            let _listener = std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap();
            for kind in [NLMSG_DONE, NLMSG_ERROR, SOCK_DIAG_BY_FAMILY] {
                // Read first, and numbered as the next question will be.
                let sequence = connection.asked.get() + 1;
                forge(&connection, MessageHeader { length: 20, kind, flags: 0, sequence, port: 0 });
                assert_eq!(listeners(&connection), 1, "after a forged message of kind {kind}");
            }
            // Nor is what is left over of one question the answer to the next.
            assert_eq!(listeners(&connection), 1);
        });
    }
}
