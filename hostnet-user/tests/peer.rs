//! Who is said to be at the other end, from records alone: nobody rather than
//! somebody who may not have been.

use hostnet::{
    attribute::{Attribution, Decoded, Found, Holder, Policy, Request},
    event::{Event, Lost, Operation, Process, SocketState, endpoint},
};
use hostnet_abi::{
    Bind, Close, Connect, ConnectOutcome, Datagram, DatagramClose, Header, Hook, Listen, Payload,
    Socket, Unix, direction, reuse, unix_operation, v4_mapped,
};
use zerocopy::{FromZeros, IntoBytes};

const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
/// Cgroups: a service of the host's, and a container.
const REDIS: u64 = 5;
const WEB: u64 = 7;

const TCP: Socket = Socket { family: libc::AF_INET as u16, kind: 1, protocol: 6 };
const UDP: Socket = Socket { family: libc::AF_INET as u16, kind: 2, protocol: 17 };

fn loopback() -> [u32; 4] {
    v4_mapped(u32::from_ne_bytes([127, 0, 0, 1]))
}

fn stage() -> Attribution {
    let mut stage = Attribution::new(Policy {
        sees_listeners: true,
        sees_datagram_ends: true,
        seed: 1,
        ..Policy::default()
    });
    stage.cgroup(1, "/".to_owned());
    stage.cgroup(REDIS, "/system.slice/redis-server.service".to_owned());
    stage.cgroup(WEB, format!("/docker/{ID}"));
    let process = |pid, name: &[u8], start_ns| Process {
        pid,
        name: name.to_vec(),
        start_ns,
        ..Process::default()
    };
    stage.process(process(50, b"redis-server", 1));
    stage.process(process(70, b"curl", 1));
    stage.process(process(90, b"younger", 1_000_000));
    stage.addresses(vec![[10, 0, 0, 1].into()], (32_768, 60_999));
    stage
}

fn existing(stage: &mut Attribution, boot_ns: u64, found: Vec<Found>) {
    let mut existing = stage.existing(boot_ns, found);
    while stage.tell_next(&mut existing) {}
}

/// A stage whose start is over.
fn begun() -> Attribution {
    let mut stage = stage();
    existing(&mut stage, 1, Vec::new());
    stage
}

fn record<P: Payload>(
    stage: &mut Attribution,
    hook: Hook,
    at: u64,
    cookie: u64,
    by: u64,
    payload: P,
) {
    let length = size_of::<Header>() + size_of::<P>();
    let header = Header {
        boot_ns: at,
        task_cgroup: by,
        socket_cgroup: by,
        cookie,
        tgid: if by == WEB { 70 } else { 50 },
        tid: 1,
        uid: 0,
        gid: 0,
        kind: P::KIND as u16,
        hook: hook as u16,
        length: length as u32,
    };
    let bytes = [header.as_bytes(), payload.as_bytes()].concat();
    stage.record(&Decoded::of(&bytes).expect("a record"));
}

fn listen(stage: &mut Attribution, at: u64, cookie: u64, port: u16) {
    let listen =
        Listen { address: loopback(), port, reuse: 0, backlog: 1, socket: TCP, interface: 0 };
    record(stage, Hook::InetSockSetState, at, cookie, REDIS, listen);
}

fn close(stage: &mut Attribution, at: u64, cookie: u64) {
    let close = Close { from_state: 10, socket: TCP, ..Close::new_zeroed() };
    record(stage, Hook::InetSockSetState, at, cookie, REDIS, close);
}

/// The container connects; what is said of it.
fn connect(stage: &mut Attribution, at: u64, port: u16) -> Event {
    let cookie = 1000 + at;
    let attempt = Connect { address: loopback(), port: port.into(), socket: TCP };
    record(stage, Hook::Connect4, at, cookie, WEB, attempt);
    let outcome = ConnectOutcome {
        established: 1,
        remote: loopback(),
        remote_port: port,
        socket: TCP,
        ..ConnectOutcome::new_zeroed()
    };
    record(stage, Hook::InetSockSetState, at + 1, cookie, WEB, outcome);
    last(stage)
}

fn last(stage: &mut Attribution) -> Event {
    // Nobody waits for a runtime to name the container.
    stage.clock(u64::MAX / 4, 0);
    stage.expire(u64::MAX / 4);
    let mut events = Vec::new();
    stage.take_events(&mut events);
    events.retain(|event| !matches!(event.operation, Operation::Joined(_)));
    events.pop().expect("an event")
}

/// Unit and process at the other end.
fn peer(event: &Event) -> Option<(Option<String>, Option<u32>)> {
    let sole = event.peer.as_ref()?.sole()?;
    let pid = sole.process.as_ref().map(|process| process.pid);
    Some((sole.unit().map(str::to_owned), pid))
}

fn redis() -> Option<(Option<String>, Option<u32>)> {
    Some((Some("redis-server.service".to_owned()), Some(50)))
}

#[test]
fn a_host_service_is_named_while_it_listens() {
    let mut stage = begun();
    assert_eq!(peer(&connect(&mut stage, 10, 6379)), None);
    listen(&mut stage, 20, 1, 6379);
    assert_eq!(peer(&connect(&mut stage, 30, 6379)), redis());
    close(&mut stage, 40, 1);
    assert_eq!(peer(&connect(&mut stage, 50, 6379)), None);
}

#[test]
fn after_a_loss_nobody_is_named_until_all_are_asked_for() {
    let mut stage = begun();
    listen(&mut stage, 10, 1, 6379);
    let lost = |kind: &str| Lost { cgroup: None, operation: kind.to_owned(), count: 1, new: 0 };
    stage.lost("kernel-ring".to_owned(), 20, 25, vec![lost("connect")]);
    assert_eq!(peer(&connect(&mut stage, 30, 6379)), redis(), "attempts say nothing of listeners");
    stage.take_requests();
    stage.lost("kernel-ring".to_owned(), 40, 45, vec![lost("close")]);
    assert_eq!(peer(&connect(&mut stage, 50, 6379)), None);
    assert!(stage.take_requests().contains(&Request::Listeners));
    stage.listeners(60, &[shown(1, 6379)]);
    assert_eq!(peer(&connect(&mut stage, 55, 6379)), None, "it may have begun since");
    assert_eq!(peer(&connect(&mut stage, 60, 6379)), redis());
}

/// A TCP listener as the kernel shows it.
fn shown(cookie: u64, port: u16) -> Found {
    Found {
        cookie,
        socket: TCP,
        state: SocketState::Listen,
        local: Some(endpoint(loopback(), port)),
        cgroup: Some(REDIS),
        holders: vec![Holder { pid: 50, cgroup: REDIS }],
        ..Found::default()
    }
}

/// Records that tell of listeners were lost, and after a while it is asked for them.
fn asked_anew() -> Attribution {
    let mut stage = begun();
    let lost = Lost { cgroup: None, operation: "close".to_owned(), count: 1, new: 0 };
    stage.lost("kernel-ring".to_owned(), 10, 15, vec![lost]);
    stage.take_requests();
    stage.expire(20_000_000_000);
    assert!(stage.take_requests().contains(&Request::Listeners));
    stage
}

#[test]
fn what_happens_while_the_kernel_is_asked_is_truer_than_its_answer() {
    let mut stage = asked_anew();
    // Both were there when the kernel was asked, and one more began after it had looked.
    close(&mut stage, 50, 1);
    listen(&mut stage, 51, 3, 6381);
    stage.listeners(60, &[shown(1, 6379), shown(2, 6380)]);
    assert_eq!(peer(&connect(&mut stage, 70, 6379)), None, "it had ended");
    assert_eq!(peer(&connect(&mut stage, 72, 6380)), redis());
    assert_eq!(peer(&connect(&mut stage, 74, 6381)), redis(), "it began meanwhile");
}

#[test]
fn what_is_lost_while_the_kernel_is_asked_is_asked_for_once_more() {
    let mut stage = asked_anew();
    let lost = Lost { cgroup: None, operation: "close".to_owned(), count: 1, new: 0 };
    stage.lost("kernel-ring".to_owned(), 50, 55, vec![lost]);
    stage.listeners(60, &[shown(1, 6379)]);
    assert_eq!(peer(&connect(&mut stage, 70, 6379)), None, "its end may have been lost");
    assert!(stage.take_requests().contains(&Request::Listeners));
    stage.listeners(80, &[shown(1, 6379)]);
    assert_eq!(peer(&connect(&mut stage, 90, 6379)), redis());
}

/// Two sockets have datagrams, one of them before the kernel is asked which there are: only
/// of that one the answer says that it is gone.
#[test]
fn a_socket_that_begins_while_the_kernel_is_asked_is_not_gone() {
    const SECOND: u64 = 1_000_000_000;
    let mut stage = begun();
    let send = |stage: &mut Attribution, at, cookie| {
        let datagram = Datagram {
            local: loopback(),
            remote: loopback(),
            local_port: 40_000,
            remote_port: 53,
            direction: direction::SENT,
            socket: UDP,
            counting: hostnet_abi::counting::APART,
        };
        record(stage, Hook::Sendmsg4, at, cookie, WEB, datagram);
    };
    send(&mut stage, 10, 1);
    let end = Lost { cgroup: None, operation: "datagram-close".to_owned(), count: 1, new: 0 };
    stage.suppressed((10, 20), vec![end], Vec::new());
    stage.expire(11 * SECOND);
    assert!(stage.take_requests().contains(&Request::Listeners));
    send(&mut stage, 12 * SECOND, 2);
    stage.listeners(13 * SECOND, &[]);
    stage.expire(19 * SECOND);
    let forgotten: Vec<u64> = stage
        .take_requests()
        .into_iter()
        .filter_map(|request| match request {
            Request::ForgetFlows(flows) => Some(flows),
            _ => None,
        })
        .flatten()
        .map(|flow| flow.cookie)
        .collect();
    assert_eq!(forgotten, [1]);
}

/// The kernel tells of a program that it did not run by the program's name.
#[test]
fn after_a_program_was_not_run_nobody_is_named_either() {
    for (hook, named) in [
        (Hook::SchedProcessExec, redis()),
        (Hook::InetSockSetState, None),
        (Hook::PostBind4, None),
        (Hook::PostBind6, None),
        (Hook::SockRelease, None),
    ] {
        let mut stage = begun();
        listen(&mut stage, 10, 1, 6379);
        let operation = hook.program().to_owned();
        let lost = vec![Lost { cgroup: None, operation, count: 1, new: 0 }];
        stage.lost("kernel-program".to_owned(), 20, 25, lost);
        assert_eq!(peer(&connect(&mut stage, 30, 6379)), named, "{hook:?}");
    }
}

#[test]
fn what_ended_before_the_start_was_over_is_not_there() {
    let mut stage = stage();
    let local = Some(endpoint(loopback(), 6379));
    let found = |cookie| Found {
        cookie,
        socket: TCP,
        state: SocketState::Listen,
        local,
        cgroup: Some(REDIS),
        ..Found::default()
    };
    listen(&mut stage, 10, 1, 6379);
    close(&mut stage, 20, 1);
    existing(&mut stage, 30, vec![found(1)]);
    assert_eq!(peer(&connect(&mut stage, 40, 6379)), None);
}

#[test]
fn datagrams_to_a_socket_whose_end_is_told() {
    let mut stage = begun();
    let bind =
        |address, port| Bind { address, port, socket: UDP, reuse: reuse::OF_PROCESS, interface: 0 };
    let any = v4_mapped(0);
    record(&mut stage, Hook::PostBind4, 10, 1, REDIS, bind(loopback(), 5000));
    record(&mut stage, Hook::PostBind4, 11, 2, REDIS, bind(any, 40_000));
    let of_the_kernel = Bind { reuse: 0, ..bind(loopback(), 4789) };
    record(&mut stage, Hook::PostBind4, 12, 3, REDIS, of_the_kernel);
    let send = |stage: &mut Attribution, at: u64, port: u32| {
        let attempt = Connect { address: loopback(), port, socket: UDP };
        record(stage, Hook::Connect4, at, 1000 + at, WEB, attempt);
        peer(&last(stage))
    };
    assert_eq!(send(&mut stage, 20, 5000), redis());
    assert_eq!(send(&mut stage, 21, 40_000), None, "the kernel would not tell its end");
    assert_eq!(send(&mut stage, 22, 4789), None, "nor that of its own");
    let end = DatagramClose {
        local: loopback(),
        local_port: 5000,
        socket: UDP,
        ..DatagramClose::new_zeroed()
    };
    record(&mut stage, Hook::SockRelease, 30, 1, REDIS, end);
    assert_eq!(send(&mut stage, 40, 5000), None);
}

#[test]
fn a_unix_peer_is_not_a_younger_process_of_the_same_number() {
    let mut stage = begun();
    let mut unix = |peer_tgid, at| {
        let connect = Unix {
            peer_cgroup: REDIS,
            peer_tgid,
            operation: unix_operation::CONNECT,
            ..Unix::new_zeroed()
        };
        record(&mut stage, Hook::UnixStreamConnect, at, 1, WEB, connect);
        peer(&last(&mut stage))
    };
    assert_eq!(unix(50, 10), redis());
    let unit = redis().and_then(|(unit, _)| unit);
    assert_eq!(unix(90, 20), Some((unit, None)));
}
