//! More containers than Docker could start here: cgroups in Docker's layout, in
//! each a process with sockets of its own, in the host's network namespace.
//!
//! `crowd CONTAINERS SOCKETS`, with three sockets of each or more, says `ID PID` of
//! each container, then answers orders with `done`: `act FIRST COUNT TIMES` has
//! those containers make UDP sockets and connect each to the one port that tells
//! the container. It takes everything away when standard input ends.

use std::{
    fs,
    io::{self, BufRead as _, Read as _, Write as _},
    mem::ManuallyDrop,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, RawFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
};

use hostnet_tests::crowd::{address, container_id, port};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, kill_process, setrlimit, waitpid,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use socket2::{Domain, Socket, Type};

/// Where a member has its end of the orders.
const OURS: RawFd = 3;

struct Member {
    pid: Pid,
    orders: UnixStream,
    cgroup: PathBuf,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u32>().expect("a number");
    match words[..] {
        [count, sockets] => command(number(count), number(sockets)),
        ["member", cgroup, index, sockets] => {
            serve(Path::new(cgroup), number(index), number(sockets));
        }
        _ => panic!("usage: crowd CONTAINERS SOCKETS"),
    }
}

/// Makes the members, and passes orders on.
fn command(count: u32, sockets: u32) {
    let most = u64::from(count) + 1000;
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })
        .expect("root may open as many files as it likes");
    // A terminal's or a deadline's signal is for whoever gives orders: what is here
    // has to be taken away.
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: SIG_IGN is a valid disposition for both.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // Nothing else is to get that descriptor.
    // SAFETY: nothing owns it; it is open from now on.
    assert_eq!(unsafe { libc::dup2(0, OURS) }, OURS);
    let parent = docker_cgroup();
    // A cgroup of the parent's own stays: Docker makes one by that name, too.
    let _exists_already = fs::create_dir(&parent);
    let mut members: Vec<Member> = Vec::new();
    for index in 0..count {
        members.push(member(&parent, index, sockets));
    }
    let mut out = io::stdout().lock();
    for (index, member) in (0..).zip(&mut members) {
        // It is in its cgroup and has its sockets.
        member.orders.read_exact(&mut [0]).expect("a member began");
        let pid = member.pid.as_raw_nonzero();
        writeln!(out, "{} {pid}", container_id(index)).expect("somebody reads");
    }
    writeln!(out, "done").expect("somebody reads");
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let [first, count, times] =
            [1, 2, 3].map(|at| words[at].parse::<usize>().expect("a number"));
        for member in &mut members[first..first + count] {
            member.orders.write_all(&(times as u32).to_ne_bytes()).expect("a member lives");
            member.orders.read_exact(&mut [0]).expect("a member lives");
        }
        if writeln!(out, "done").is_err() {
            break;
        }
    }
    remove(&members, &parent);
}

fn member(parent: &Path, index: u32, sockets: u32) -> Member {
    let cgroup = parent.join(container_id(index));
    // One that was killed has left its own.
    let _nothing_left = fs::remove_dir(&cgroup);
    fs::create_dir(&cgroup).unwrap_or_else(|error| panic!("{}: {error}", cgroup.display()));
    let (mut orders, ours) = UnixStream::pair().expect("a pair of sockets");
    // SAFETY: nothing owns that descriptor in this process.
    assert_eq!(unsafe { libc::dup2(ours.as_raw_fd(), OURS) }, OURS);
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    // SAFETY: as fork(2), but for the descriptors; this process has one thread, so the
    // child may go on as usual.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match Pid::from_raw(i32::try_from(pid).expect("a process id")) {
        None => become_member(&cgroup, index, sockets),
        Some(pid) if pid.as_raw_nonzero().get() > 0 => {
            // It has descriptors of its own.
            orders.read_exact(&mut [0]).expect("a member began");
            Member { pid, orders, cgroup }
        }
        Some(_) => panic!("clone: {}", io::Error::last_os_error()),
    }
}

/// A container is no copy of what started it. A table of descriptors that was once as
/// large as the parent's, which has one for each member, would stay so; and memory that
/// ten thousand share as copies costs the kernel what no container does.
fn become_member(cgroup: &Path, index: u32, sockets: u32) -> ! {
    let (after, last) = (OURS + 1, libc::c_uint::MAX);
    // SAFETY: nothing that owns one of these is used or dropped in this process.
    let outcome =
        unsafe { libc::syscall(libc::SYS_close_range, after, last, libc::CLOSE_RANGE_UNSHARE) };
    assert_eq!(outcome, 0, "close_range: {}", io::Error::last_os_error());
    ours().write_all(&[0]).expect("the parent lives");
    let mut member = Command::new("/proc/self/exe");
    member.arg("member").arg(cgroup).args([index, sockets].map(|number| number.to_string()));
    panic!("exec: {}", member.exec());
}

/// The member's end of the orders.
fn ours() -> ManuallyDrop<UnixStream> {
    // SAFETY: it is open for the life of the process, and nothing closes it.
    ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(OURS) })
}

/// The life of a container: in its cgroup, with its sockets, at its orders.
fn serve(cgroup: &Path, index: u32, sockets: u32) {
    let mut orders = ours();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).expect("prctl");
    fs::write(cgroup.join("cgroup.procs"), "0").expect("root may move itself");
    // Like every container; two that share their mounts would be one.
    // SAFETY: this process has one thread and shares nothing that it would miss.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.expect("root may have mounts of its own");
    let at = |number: u32| -> SocketAddr {
        (address(index), 10_000 + ((index * 7 + number) % 10_000) as u16).into()
    };
    let (mut listeners, mut bound) = (Vec::new(), Vec::new());
    // The last two are the ends of a connection.
    for number in 0..sockets.saturating_sub(2) {
        if number % 2 == 0 {
            listeners.push(TcpListener::bind(at(number)).expect("a free port"));
        } else {
            bound.push(UdpSocket::bind(at(number)).expect("a free port"));
        }
    }
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    client.bind(&at(sockets).into()).expect("a free port");
    client.connect(&at(0).into()).expect("it listens");
    let _server = listeners[0].accept().expect("it connected");
    orders.write_all(&[0]).expect("the parent lives");
    let mut times = [0; 4];
    while orders.read_exact(&mut times).is_ok() {
        for _ in 0..u32::from_ne_bytes(times) {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
            socket.connect((Ipv4Addr::LOCALHOST, port(index))).expect("a route");
        }
        orders.write_all(&[0]).expect("the parent lives");
    }
}

fn remove(members: &[Member], parent: &Path) {
    for member in members {
        kill_process(member.pid, Signal::KILL).expect("our own child");
    }
    for member in members {
        waitpid(Some(member.pid), WaitOptions::empty()).expect("our own child");
        fs::remove_dir(&member.cgroup).expect("nobody is in it");
    }
    // Docker may have containers in it, or need it later.
    let _in_use = fs::remove_dir(parent);
}

/// Where Docker's driver `cgroupfs` has its containers.
fn docker_cgroup() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let v2 = mounts.find(|words| words[2] == "cgroup2").expect("cgroup v2 is mounted");
    Path::new(v2[1]).join("docker")
}
