//! Proof that each hook fires: the agent does every operation once itself and
//! waits for it to come back. Attaching proves nothing (LSM programs attach on
//! kernels where they never run).
//!
//! An operation may hang: a packet filter drops what it sends, or a lock in the kernel is
//! held. It is done on a thread that may, and waited for a moment only; its hooks are then
//! not proven, and the reason says so.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hostnet_abi::{Hook, Set, decode};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::{CgroupRoot, Coverage, Rings, State, boot_clock, canary_beyond_ip, canary_multicast};
use crate::ask::{
    desk::{Desk, Limits},
    in_time::{self, Unanswered},
};

/// How long a record may take; the operations themselves have returned by then.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a step of an operation may take, where the operation itself can end it: less
/// than what all of it is waited for, and nothing of it stays behind.
const STEP: Duration = Duration::from_secs(1);

/// Argument with which the agent's own binary waits for its standard input to
/// end: a process to move between cgroups.
pub const WAIT_ARGUMENT: &str = "canary-process";

/// Does every operation and notes in `coverage` which hooks answered. The records are
/// only looked at: they are taken once more afterwards, the canary's own among them.
///
/// # Errors
/// When the ring cannot be read.
pub fn prove(rings: &mut Rings, root: &CgroupRoot, coverage: &mut Coverage) -> Result<()> {
    let began_ns = boot_clock();
    // Sockets are opened for hooks that are there; not everybody may open them.
    let is_wanted = |canary: &Canary| {
        canary.is_always_done() || coverage.attached().any(|hook| canary.proves(hook))
    };
    let wanted = Canary::ALL.iter().copied().filter(is_wanted).collect();
    let cgroups = root.path().to_owned();
    let reasons = perform(wanted, in_time::PATIENCE, move |canary| canary.operate(&cgroups));
    // What an agent before this one has left comes before the canary, and proves nothing.
    let beginning = rings.bookmark();
    let mut seen = HashSet::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        while let Some(record) = rings.take()? {
            if let Ok((header, hook, ..)) = decode(&record)
                && header.boot_ns >= began_ns
            {
                seen.insert(hook);
            }
        }
        let missing = coverage.attached().any(|hook| !seen.contains(&hook));
        if !missing || Instant::now() > deadline {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let attached: Vec<Hook> = coverage.attached().collect();
    for hook in &attached {
        let state = if seen.contains(hook) {
            State::Proven
        } else {
            let failed = reasons.iter().find(|(canary, _)| canary.proves(*hook));
            let silent = || "the canary's operation did not come back".to_owned();
            State::Unproven(failed.map_or_else(silent, |(_, reason)| reason.clone()))
        };
        coverage.set(*hook, state);
    }
    rings.return_to(&beginning);
    Ok(())
}

/// Has these operations done; why those failed that did, or are not done although none was
/// for as long as `patience`.
fn perform(
    mut open: Vec<Canary>,
    patience: Duration,
    operate: impl Fn(Canary) -> Result<()> + Send + Sync + 'static,
) -> Vec<(Canary, String)> {
    // One thread does all of them, in their order; others take over what is left from those
    // that hang.
    let limits = Limits { questions: Canary::ALL.len(), threads: Canary::ALL.len() };
    let mut desk = Desk::new("canary", limits, move |canary| (canary, operate(canary)));
    for canary in &open {
        // One that cannot be asked stays open.
        let _number = desk.ask(*canary);
    }
    let mut reasons = Vec::new();
    loop {
        let answers = desk.wait_while_moving(patience);
        if answers.is_empty() {
            break;
        }
        for (_, (canary, outcome)) in answers {
            open.retain(|one| *one != canary);
            if let Err(error) = outcome {
                reasons.push((canary, format!("the canary failed: {error:#}")));
            }
        }
    }
    let late = Unanswered::Late(patience);
    reasons.extend(open.into_iter().map(|canary| (canary, format!("the canary hangs: {late}"))));
    reasons
}

macro_rules! canaries {
    ($($name:ident = $operation:expr, [$($hook:ident),*];)*) => {
        /// The operations, by what they have to prove.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Canary { $($name,)* }

        impl Canary {
            /// All of them, in the order in which they are done.
            const ALL: &[Self] = &[$(Self::$name,)*];

            /// Does it, with cgroups below `root`.
            fn operate(self, root: &Path) -> Result<()> {
                let operation: fn(&Path) -> Result<()> = match self {
                    $(Self::$name => $operation,)*
                };
                operation(root)
            }

            /// The hooks that it proves beside those that go by their set.
            const fn hooks(self) -> &'static [Hook] {
                match self { $(Self::$name => &[$(Hook::$hook),*],)* }
            }
        }
    };
}

// What is done, with cgroups below a path.
canaries! {
    Ipv4 = |_| internet(Ipv4Addr::LOCALHOST.into()), [InetAccept, UdpSendmsg];
    Ipv6 = |_| internet(Ipv6Addr::LOCALHOST.into()),
        [Bind6, PostBind6, Connect6, Sendmsg6, Recvmsg6, TcpV6Connect, Udpv6Sendmsg];
    RawSocket = |_| raw_socket(), [SockCreate];
    Process = process_and_cgroup, [];
    Refusals = |_| refusals(), [InetBind, Inet6Bind, InetStreamConnect];
    Unix = |_| canary_beyond_ip::unix(), [];
    Netlink = |_| canary_beyond_ip::netlink(), [NetlinkBind, NetlinkUnicast, SocketPostCreate];
    Packet = |_| canary_beyond_ip::packet(), [PacketBind, SkAttachFilter];
    Multicast4 = |_| canary_multicast::ipv4(), [IpMcJoinGroup, IpMcSource];
    Multicast6 = |_| canary_multicast::ipv6(), [Ipv6SockMcJoin, Ip6McSource];
}

impl Canary {
    /// Whether it is done whichever hooks there are.
    const fn is_always_done(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Ipv6 | Self::RawSocket | Self::Process)
    }

    /// Whether a failure of this operation explains that `hook` was not proven.
    fn proves(self, hook: Hook) -> bool {
        let own = Self::ALL.iter().find(|canary| canary.hooks().contains(&hook));
        let by_set = match hook.set() {
            Set::Families | Set::FirstUse => Self::Unix,
            Set::Life => Self::Process,
            Set::Inet | Set::Connect => Self::Ipv4,
        };
        self == *own.unwrap_or(&by_set)
    }
}

/// Both protocols, whatever becomes of the first.
fn internet(loopback: IpAddr) -> Result<()> {
    let any_port = SocketAddr::new(loopback, 0);
    let tcp = tcp(any_port);
    tcp.and(udp(any_port))
}

fn tcp(any_port: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(any_port).context("cannot listen")?;
    // It holds for accept(2), too.
    set_socket_timeout(&listener, Timeout::Recv, Some(STEP))?;
    let client = TcpStream::connect_timeout(&listener.local_addr()?, STEP)
        .with_context(|| format!("cannot connect over {} by TCP", any_port.ip()))?;
    let (server, _) = listener.accept().context("cannot accept")?;
    drop((client, server, listener));
    Ok(())
}

fn udp(any_port: SocketAddr) -> Result<()> {
    let receiver = UdpSocket::bind(any_port).context("cannot bind a UDP socket")?;
    receiver.set_read_timeout(Some(STEP))?;
    let sender = UdpSocket::bind(any_port).context("cannot bind a UDP socket")?;
    sender.send_to(b"canary", receiver.local_addr()?).context("cannot send a datagram")?;
    let received = receiver.recv_from(&mut [0; 16]);
    sender.connect(receiver.local_addr()?).context("cannot connect a UDP socket")?;
    sender.send(b"canary").context("cannot send over a connected UDP socket")?;
    received.map(drop).context("cannot receive a datagram")
}

/// A bind to a port in use, and a connect that sends nothing.
fn refusals() -> Result<()> {
    for loopback in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        let listener = TcpListener::bind(SocketAddr::new(loopback, 0)).context("cannot listen")?;
        if TcpListener::bind(listener.local_addr()?).is_ok() {
            bail!("a port in use was given twice");
        }
        // The broadcast address takes no TCP, and the kernel says so without sending.
        let broadcast = SocketAddr::new(Ipv4Addr::BROADCAST.into(), 9);
        if TcpStream::connect(broadcast).is_ok() {
            bail!("the broadcast address took a connection");
        }
    }
    Ok(())
}

fn raw_socket() -> Result<()> {
    let icmp = rustix::net::ipproto::ICMP;
    rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::RAW, Some(icmp))
        .context("cannot open a raw socket (CAP_NET_RAW is needed)")?;
    Ok(())
}

fn process_and_cgroup(root: &Path) -> Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg(WAIT_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a process")?;
    let directory = root.join(format!("hostnet-canary-{}", child.id()));
    let moved = move_into(&directory, child.id());
    // Closing its standard input lets the process end.
    drop(child.stdin.take());
    child.wait().context("cannot wait for the canary process")?;
    let removed = fs::remove_dir(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()));
    moved.and(removed)
}

fn move_into(directory: &Path, process: u32) -> Result<()> {
    fs::create_dir(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let procs = directory.join("cgroup.procs");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(&procs)
        .with_context(|| format!("cannot open {}", procs.display()))?;
    file.write_all(process.to_string().as_bytes())
        .with_context(|| format!("cannot move a process into {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    #[test]
    fn operations_that_hang_are_not_proven_and_hold_up_no_others() {
        let (_never, gate) = mpsc::sync_channel::<()>(1);
        let gate = Mutex::new(gate);
        let operate = move |canary| match canary {
            Canary::Ipv4 | Canary::Process => {
                let _ended = gate.lock().map(|gate| gate.recv());
                Ok(())
            }
            Canary::Ipv6 => bail!("no IPv6"),
            _ => Ok(()),
        };
        let patience = Duration::from_millis(500);
        let mut reasons = perform(Canary::ALL.to_vec(), patience, operate);
        reasons.sort_by_key(|(canary, _)| *canary as usize);
        let of = |canary, reason: &str| (canary, reason.to_owned());
        let hangs = "the canary hangs: no answer within 500ms";
        let failed = of(Canary::Ipv6, "the canary failed: no IPv6");
        assert_eq!(reasons, [of(Canary::Ipv4, hangs), failed, of(Canary::Process, hangs)]);
    }
}
