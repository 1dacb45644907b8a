//! The address that is told is the one the kernel acted on, however it was
//! changed around the call.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use hostnet_tests::{
    Agent, Docker, Technique, all, at, is_slow, needs_root, net, tell, wait_for, want,
};
use serde_json::Value;

const CONNECTS: usize = 1_000_000;

/// Connects whose events may be on their way at once: a fraction of the ring.
const BATCH: usize = 50_000;

/// Two addresses with two ports each. Every server answers with its number.
struct Servers {
    addresses: [SocketAddr; 4],
    over: Arc<AtomicBool>,
}

impl Servers {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let addresses = [1, 1, 2, 2].map(|last| SocketAddr::from(([127, 0, 0, last], 0)));
        let sockets = addresses.map(|address| UdpSocket::bind(address).expect("a port"));
        let addresses = sockets.each_ref().map(|socket| socket.local_addr().expect("bound"));
        for (number, socket) in (0u8..).zip(sockets) {
            let over = Arc::clone(&over);
            socket.set_read_timeout(Some(Duration::from_millis(200))).expect("SO_RCVTIMEO");
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) {
                        let _ = socket.send_to(&[number], peer);
                    }
                }
            });
        }
        Self { addresses, over }
    }

    fn words(&self) -> String {
        self.addresses.map(|address| format!("{} {}", address.ip(), address.port())).join(" ")
    }

    /// The number of the server that an event names.
    fn named_by(&self, event: &Value) -> Option<u8> {
        let ip = at(event, "hostnet.remote.ip")?.as_str()?;
        let port = at(event, "hostnet.remote.port")?.as_u64()?;
        let is = |address: &SocketAddr| {
            u64::from(address.port()) == port && address.ip().to_string() == ip
        };
        self.addresses.iter().position(is).map(|number| number as u8)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// One thread connects, another changes the address all the time. What is told
/// is compared, connect by connect, with the server that was really reached.
#[test]
fn e01_a_million_connects_while_the_address_changes() {
    needs_root!(no tcp);
    let servers = Arc::new(Servers::start());
    // Every connect of the actor's, as the number of the server it names; any
    // other number is an address of nobody's.
    let told: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (names, into) = (Arc::clone(&servers), Arc::clone(&told));
    let agent = Agent::setup()
        // Every connect is to be told, and these come faster than a container may.
        .observe("events_per_second = 0")
        .divert(move |event| {
            let is_connect = at(event, "process.name").is_some_and(|name| name == "actor")
                && at(event, "hostnet.operation").is_some_and(|operation| operation == "connect")
                && at(event, "hostnet.remote.ip").is_some_and(|ip| {
                    names.addresses.iter().any(|address| *ip == *address.ip().to_string())
                })
                && at(event, "network.transport").is_some_and(|transport| transport == "udp");
            let port = at(event, "hostnet.remote.port").and_then(Value::as_u64);
            // The marker's own connects go to ports below those of the servers.
            if !is_connect || port < Some(32_768) {
                return false;
            }
            let number = names.named_by(event).unwrap_or(u8::MAX);
            into.lock().expect("not poisoned").push(number);
            true
        })
        .start();
    let mut actor = Docker::shared().launch("host").actor();
    // A machine without hardware virtualisation takes an hour for all of them.
    let connects = if is_slow() { BATCH } else { CONNECTS };
    let mut raced = 0;
    let mut reached = Vec::with_capacity(connects);
    let mut cookie = Value::Null;
    while reached.len() < connects {
        let row = actor.one(&format!("race {} --count {BATCH}", servers.words()));
        raced += row["raced"].as_u64().expect("a number");
        let digits = row["reached"].as_str().expect("digits");
        reached.extend(digits.bytes().map(|digit| digit - b'0'));
        wait_for("the batch's events", || {
            told.lock().expect("not poisoned").len() >= reached.len()
        });
        cookie = row["cookie"].clone();
    }
    agent.marker();
    let run = agent.stop();
    drop(cookie);
    let told = told.lock().expect("not poisoned");
    let different = told.iter().zip(&reached).filter(|(told, reached)| told != reached).count();
    tell(&format!(
        "{connects} connects, {} told, {different} with another address than the server's; {raced} \
         had another address in memory just before the call",
        told.len()
    ));
    assert_eq!(told.len(), reached.len());
    assert_eq!(different, 0);
    assert!(raced > 0, "the address never changed at the right moment: nothing was tried");
    run.none(&want().action("records-lost"));
}

/// The page with the address comes when the kernel reads it, and the rest of the
/// address is replaced meanwhile.
#[test]
fn e01_userfaultfd() {
    needs_root!();
    let technique = Technique::new().unconfined().capability("SYS_PTRACE");
    let trial = technique.is_told(|actor| {
        // On every address, so that each mixture of the two is somebody's.
        let listeners = [(); 2].map(|()| TcpListener::bind("0.0.0.0:0").expect("a port"));
        let [first, second] =
            listeners.each_ref().map(|listener| listener.local_addr().expect("bound").port());
        let words = format!("fault 127.0.0.1 {first} 127.0.0.2 {second}");
        all("ok", (0..20).map(|_| actor.one(&words)).collect())
    });
    assert_eq!(trial.joined.expect("joined").rows, 20);
}

/// The address is overwritten while the connect waits for a full backlog.
#[test]
fn e02_the_address_is_overwritten_while_the_connect_waits() {
    needs_root!();
    const TIMES: usize = 50;
    let technique = Technique::new();
    let perform = |actor: &mut hostnet_tests::ActorBox| {
        let decoy = net::closed_port();
        let rows = all("ok", actor.perform(&format!("blocked 127.0.0.9 {decoy} --times {TIMES}")));
        assert_eq!(rows.len(), TIMES);
        assert!(rows.iter().all(|row| row["remote"] == row["asked"]), "{rows:?}");
        rows
    };
    technique.works(perform);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let rows = perform(&mut actor);
    agent.marker();
    let (run, lost) = agent.stop_with_losses();
    let lost = |program: &str| lost.get(program).copied().unwrap_or(0) as usize;
    let (mut untold, mut unsettled) = (0, 0);
    for row in &rows {
        let of_this = want().is("hostnet.socket.cookie", row["cookie"].clone());
        let attempt = of_this.clone().action("connection_attempted");
        let attempts = run.all(&attempt);
        let right = attempt.owned_by(&actor.container).endpoint("hostnet.remote", &row["remote"]);
        assert!(attempts.len() < 2 && attempts.iter().all(|told| right.matches(told)), "{row}");
        untold += usize::from(attempts.is_empty());
        let settled = of_this.is("hostnet.operation", "connect").is("event.outcome", "success");
        unsettled += usize::from(run.all(&settled).is_empty());
    }
    run.none(&want().is("hostnet.remote.ip", "127.0.0.9"));
    // A hundred threads interrupt each other, and the kernel runs no tracing program
    // that another task on the same processor is in the middle of. Whatever was not
    // seen for that is said to be: the connect, which its outcome alone then tells,
    // the outcome, or both. With it go those that filled the backlogs.
    let seen = want().action("connection_attempted").owned_by(&actor.container);
    let seen = run.all(&seen).into_iter().filter(|event| {
        at(event, "event.provider").is_some_and(|hook| hook != "tp_btf/inet_sock_set_state")
    });
    let unseen = 2 * TIMES - seen.count();
    let (connects, states) = (lost("tcp_v4_connect"), lost("inet_sock_set_state"));
    tell(&format!(
        "of {} connects {unseen} were not seen; of {TIMES} blocked ones {untold} were not told, \
         the outcome of {unsettled} not; stated lost {connects} connects, {states} changes of state",
        2 * TIMES
    ));
    assert!(unseen <= connects, "{unseen} connects were not seen, {connects} stated lost");
    assert!(untold <= connects.min(states) && unsettled <= states);
    assert!(connects + states < TIMES / 2, "too little is left to prove anything");
}
