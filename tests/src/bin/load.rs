//! The load of `cargo xtask bench`: one system call, or one short sequence of
//! them, again and again, and what it cost this process.
//!
//! It pins itself to CPU 0, says its process id and its listener's descriptor,
//! and takes one order per line: `KIND COUNT [RATE]`. With a rate (per second)
//! it works in bursts, one per [`TICK`]; without, as fast as it can. Each order
//! is answered by one line: failures, CPU nanoseconds, wall nanoseconds.

use std::{
    fs::File,
    io::{self, BufRead as _, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, OwnedFd},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SendFlags, SocketType, accept, bind, connect, getsockname, listen, sendto,
        socket, sockopt,
    },
    process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, getppid, pidfd_getfd, pidfd_open},
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// How often a paced load works.
const TICK: Duration = Duration::from_millis(10);

/// Any free port.
const LOOPBACK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Nobody needs to be there: connecting a datagram socket only notes the peer.
const DISCARD: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9);

fn main() -> io::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(0);
    sched_setaffinity(None, &cpus)?;
    let mut scene = Scene::set()?;
    answer(&format!("{} {}", getpid().as_raw_nonzero(), scene.listener.as_raw_fd()))?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let numbers: Vec<u64> =
            words.map(|word| word.parse().unwrap_or_else(|_| panic!("order {line:?}"))).collect();
        match (kind, &numbers[..]) {
            ("listener-of", &[pid, fd]) => {
                scene.borrow_listener(pid as i32, fd as i32)?;
                answer("ok")?;
            }
            (kind, &[count]) => answer(&scene.perform(kind, count, None))?,
            (kind, &[count, rate]) => answer(&scene.perform(kind, count, Some(rate)))?,
            _ => panic!("order {line:?}"),
        }
    }
    Ok(())
}

fn answer(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// What the kinds of load need, made before anything is measured.
struct Scene {
    /// Bound already: another bind is refused, and costs nothing but the call.
    bound: OwnedFd,
    /// Connected again and again.
    connected: OwnedFd,
    /// Sends without being connected.
    sender: OwnedFd,
    /// Where datagrams go. It keeps what fits its buffer and drops the rest;
    /// without it the kernel would answer each with an ICMP error.
    drain: OwnedFd,
    listener: OwnedFd,
    zero: File,
    /// How many peers datagrams were sent to.
    peers: u32,
}

impl Scene {
    fn set() -> io::Result<Self> {
        let scene = Self {
            bound: udp()?,
            connected: udp()?,
            sender: udp()?,
            drain: udp()?,
            listener: tcp()?,
            zero: File::open("/dev/zero")?,
            peers: 0,
        };
        bind(&scene.bound, &LOOPBACK)?;
        bind(&scene.drain, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        bind(&scene.listener, &LOOPBACK)?;
        listen(&scene.listener, 128)?;
        Ok(scene)
    }

    /// Takes another process's listener, so that a connection has one end there
    /// and one here, without a second process that would have to be scheduled.
    fn borrow_listener(&mut self, pid: i32, fd: i32) -> io::Result<()> {
        let process = pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        self.listener = pidfd_getfd(process, fd, PidfdGetfdFlags::empty())?;
        Ok(())
    }

    fn perform(&mut self, kind: &str, count: u64, rate: Option<u64>) -> String {
        let port = |fd: &OwnedFd| -> Result<u16, Errno> {
            Ok(SocketAddrV4::try_from(getsockname(fd)?)?.port())
        };
        let load = Load { count, rate };
        match kind {
            "bind-refused" => load.measure(|| {
                let refused = bind(&self.bound, &LOOPBACK) == Err(Errno::INVAL);
                if refused { Ok(()) } else { Err(Errno::EXIST) }
            }),
            "bind-udp" => load.measure(|| bind(udp()?, &LOOPBACK)),
            "bind-tcp" => load.measure(|| bind(tcp()?, &LOOPBACK)),
            "connect" => load.measure(|| connect(&self.connected, &DISCARD)),
            "tcp" => {
                let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port(&self.listener).unwrap_or(0));
                load.measure(|| {
                    let client = tcp()?;
                    // Closing resets, so that no port is left in TIME_WAIT.
                    sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
                    connect(&client, &to)?;
                    accept(&self.listener).map(drop)
                })
            }
            "send-first" => {
                let to = port(&self.drain).unwrap_or(0);
                let next = &mut self.peers;
                load.measure(|| {
                    // Of more peers of a socket than 256 there are only counts.
                    if (*next).is_multiple_of(250) {
                        self.sender = udp()?;
                    }
                    *next = (*next + 1) % (1 << 23);
                    let peer = Ipv4Addr::from(0x7f00_0000 | *next);
                    send(&self.sender, SocketAddrV4::new(peer, to))
                })
            }
            "send-again" => {
                let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port(&self.drain).unwrap_or(0));
                load.measure(|| send(&self.sender, to))
            }
            // Forgets all peers: the flows of a socket end with it.
            "send-end" => load.measure(|| {
                self.sender = udp()?;
                Ok(())
            }),
            "getppid" => load.measure(|| {
                let _own_parent = getppid();
                Ok(())
            }),
            "read" => load.measure(|| {
                let read = (&self.zero).read_exact(&mut [0]);
                read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            }),
            other => panic!("no such kind: {other}"),
        }
    }
}

fn udp() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::INET, SocketType::DGRAM, None)
}

fn tcp() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::INET, SocketType::STREAM, None)
}

fn send(from: &OwnedFd, to: SocketAddrV4) -> Result<(), Errno> {
    sendto(from, b"x", SendFlags::empty(), &to).map(drop)
}

#[derive(Clone, Copy)]
struct Load {
    count: u64,
    rate: Option<u64>,
}

impl Load {
    fn measure(self, mut operation: impl FnMut() -> Result<(), Errno>) -> String {
        let mut failures = 0;
        let mut perform = |count: u64| {
            for _ in 0..count {
                failures += u64::from(operation().is_err());
            }
        };
        let (cpu, wall) = (cpu_ns(), Instant::now());
        match self.rate {
            None => perform(self.count),
            Some(rate) => {
                let mut done = 0;
                while done < self.count {
                    // Late bursts are made up for, or the rate would not be kept.
                    let due = wall.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000;
                    let due = u64::try_from(due).unwrap_or(u64::MAX).min(self.count);
                    perform(due.saturating_sub(done));
                    done = due;
                    sleep(TICK);
                }
            }
        }
        format!("{failures} {} {}", cpu_ns() - cpu, wall.elapsed().as_nanos())
    }
}

/// CPU time of this process, to the nanosecond: what others do in the meantime
/// does not count.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
