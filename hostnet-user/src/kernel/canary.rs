//! Proof that each hook fires: the agent does every operation once itself and
//! waits for it to come back. Attaching proves nothing (LSM programs attach on
//! kernels where they never run).

use std::{
    collections::HashSet,
    fs,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hostnet_abi::{Hook, Set, decode};

use super::{CgroupRoot, Coverage, Rings, State, boot_clock, canary_beyond_ip, canary_multicast};

/// How long a record may take; the operations themselves have returned by then.
const PATIENCE: Duration = Duration::from_millis(500);

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
    let mut reasons = Vec::new();
    let operations = [
        (Canary::Ipv4, internet(Ipv4Addr::LOCALHOST.into())),
        (Canary::Ipv6, internet(Ipv6Addr::LOCALHOST.into())),
        (Canary::RawSocket, raw_socket()),
        (Canary::Process, process_and_cgroup(root)),
    ];
    // Sockets are opened for hooks that are there; not everybody may open them.
    let beyond_ip: [(Canary, Operation); 6] = [
        (Canary::Refusals, refusals),
        (Canary::Unix, canary_beyond_ip::unix),
        (Canary::Netlink, canary_beyond_ip::netlink),
        (Canary::Packet, canary_beyond_ip::packet),
        (Canary::Multicast4, canary_multicast::ipv4),
        (Canary::Multicast6, canary_multicast::ipv6),
    ];
    let beyond_ip = beyond_ip
        .into_iter()
        .filter(|(canary, _)| coverage.attached().any(|hook| canary.proves(hook)))
        .map(|(canary, operation)| (canary, operation()));
    let operations = operations.into_iter().chain(beyond_ip);
    for (canary, outcome) in operations {
        if let Err(error) = outcome {
            reasons.push((canary, format!("the canary failed: {error:#}")));
        }
    }
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

type Operation = fn() -> Result<()>;

/// The operations, by what they have to prove.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Canary {
    Ipv4,
    Ipv6,
    RawSocket,
    Process,
    Refusals,
    Unix,
    Netlink,
    Packet,
    Multicast4,
    Multicast6,
}

impl Canary {
    /// Whether a failure of this operation explains that `hook` was not proven.
    fn proves(self, hook: Hook) -> bool {
        use Hook::*;
        match hook {
            Bind6 | PostBind6 | Connect6 | Sendmsg6 | Recvmsg6 | TcpV6Connect | Udpv6Sendmsg => {
                self == Self::Ipv6
            }
            SockCreate => self == Self::RawSocket,
            InetBind | Inet6Bind | InetStreamConnect => self == Self::Refusals,
            InetAccept | UdpSendmsg => self == Self::Ipv4,
            NetlinkBind | NetlinkUnicast | SocketPostCreate => self == Self::Netlink,
            IpMcJoinGroup | IpMcSource => self == Self::Multicast4,
            Ipv6SockMcJoin | Ip6McSource => self == Self::Multicast6,
            PacketBind | SkAttachFilter => self == Self::Packet,
            _ if matches!(hook.set(), Set::Families | Set::FirstUse) => self == Self::Unix,
            _ if hook.set() == Set::Life => self == Self::Process,
            _ => self == Self::Ipv4,
        }
    }
}

fn internet(loopback: std::net::IpAddr) -> Result<()> {
    let any_port = SocketAddr::new(loopback, 0);
    let listener = TcpListener::bind(any_port).context("cannot listen")?;
    let client = TcpStream::connect(listener.local_addr()?).context("cannot connect")?;
    let (server, _) = listener.accept().context("cannot accept")?;
    drop((client, server, listener));

    let receiver = UdpSocket::bind(any_port).context("cannot bind a UDP socket")?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    let sender = UdpSocket::bind(any_port).context("cannot bind a UDP socket")?;
    sender.send_to(b"canary", receiver.local_addr()?).context("cannot send a datagram")?;
    receiver.recv_from(&mut [0; 16]).context("cannot receive a datagram")?;
    sender.connect(receiver.local_addr()?).context("cannot connect a UDP socket")?;
    sender.send(b"canary").context("cannot send over a connected UDP socket")?;
    Ok(())
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

fn process_and_cgroup(root: &CgroupRoot) -> Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg(WAIT_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a process")?;
    let directory = root.path().join(format!("hostnet-canary-{}", child.id()));
    let moved = move_into(&directory, child.id());
    // Closing its standard input lets the process end.
    drop(child.stdin.take());
    child.wait().context("cannot wait for the canary process")?;
    let removed = fs::remove_dir(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()));
    moved.and(removed)
}

fn move_into(directory: &std::path::Path, process: u32) -> Result<()> {
    fs::create_dir(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let procs = directory.join("cgroup.procs");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(&procs)
        .with_context(|| format!("cannot open {}", procs.display()))?;
    file.write_all(process.to_string().as_bytes())
        .with_context(|| format!("cannot move a process into {}", directory.display()))
}
