//! A socket that two have to do with: whoever made it, and whoever uses it.

use std::{
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Command,
};

use hostnet_tests::{Actor, ActorBox, Agent, Docker, Want, cgroups, needs_root, want};
use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};

fn name(of: &str) -> String {
    let text = format!("hostnet-{of}-{}", std::process::id());
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn container() -> ActorBox {
    Docker::shared().launch("host").actor()
}

/// `giver` makes a socket and `taker` takes it; returns the taker's account.
fn hand_over(giver: &mut Actor, taker: &mut Actor, of: &str, made: &str, then: &str) -> Vec<Value> {
    let name = name(of);
    giver.begin(&format!("hand-over {name} 127.0.0.1 0 {made}"));
    let ready = giver.told();
    taker.begin(&format!("take-over {name} {then}"));
    giver.finish();
    vec![ready]
}

fn address_of(truth: &Value) -> SocketAddr {
    let port = truth["local"]["port"].as_u64().expect("a port") as u16;
    ([127, 0, 0, 1], port).into()
}

fn of_socket(action: &str, truth: &Value) -> Want {
    want().action(action).is("hostnet.socket.cookie", truth["cookie"].clone())
}

fn made_by(wanted: Want, maker: &ActorBox) -> Want {
    wanted
        .is("hostnet.creator.kind", "container")
        .is("hostnet.creator_container.id", maker.container.id.as_str())
}

/// Bound by one container, listened on by another, which outlives the first.
#[test]
fn e29_a_bound_socket_is_handed_to_a_container() {
    needs_root!();
    let (mut maker, mut taker) = (container(), container());
    let tried = hand_over(&mut maker, &mut taker, "tried", "", "--listen");
    assert_eq!(taker.finish()[0]["result"], "ok", "it works without an agent");
    TcpStream::connect(address_of(&tried[0])).expect("the taker listens");

    let agent = Agent::start();
    let made = hand_over(&mut maker, &mut taker, "bound", "", "--listen").remove(0);
    taker.finish();
    let listens = made_by(of_socket("listen-for-connections", &made), &maker);
    agent.expect(&listens.owned_by(&taker.container).is("process.pid", taker.container.pid));
    let bound = of_socket("bound-socket", &made).owned_by(&maker.container);
    agent.expect(&bound.absent("hostnet.creator"));
    // What comes in is the listener's, and the maker stays named after its end.
    let id = maker.container.id.clone();
    drop(maker);
    agent.expect(&want().action("container-left-host-network").is("container.id", id.as_str()));
    let mut client = container();
    let port = address_of(&made).port();
    client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let accepted = want().action("connection_accepted").is("hostnet.local.port", port);
    agent.expect(
        &accepted
            .owned_by(&taker.container)
            .is("process.pid", taker.container.pid)
            .is("hostnet.creator_container.id", id.as_str()),
    );
    let connected = want().action("connection_attempted").is("hostnet.remote.port", port);
    agent.expect(
        &connected
            .owned_by(&client.container)
            .is("hostnet.peer.container.id", taker.container.id.as_str()),
    );
    agent.stop();
}

/// A listener is handed over. Whoever accepts is seen by set `families` only;
/// without it the connection is whose the listener is known to be.
#[test]
fn e29_a_listener_is_handed_to_a_container() {
    needs_root!();
    let agent = Agent::start();
    let (mut maker, mut taker) = (container(), container());
    let made = hand_over(&mut maker, &mut taker, "listener", "--listen", "--serve").remove(0);
    let client = TcpStream::connect(address_of(&made)).expect("somebody listens");
    taker.finish();
    let from = client.local_addr().expect("connected").port();
    let accepted = want().action("connection_accepted").is("hostnet.remote.port", from);
    let event = agent.expect(&accepted);
    let run = agent.stop();
    let expected = if run.proves("families") {
        made_by(accepted, &maker).owned_by(&taker.container)
    } else {
        accepted.owned_by(&maker.container).absent("hostnet.creator")
    };
    assert!(expected.matches(&event), "{:?}", expected.differences(&event));
}

/// A connection is handed over, and outlives the container that accepted it: its end
/// is that one's, whoever brings it about.
#[test]
fn e29_a_connection_is_handed_to_a_container() {
    needs_root!();
    let agent = Agent::start();
    let (mut maker, mut taker) = (container(), container());
    let name = name("connection");
    maker.begin(&format!("hand-over {name} 127.0.0.1 0 --listen --accept"));
    let client = TcpStream::connect(address_of(&maker.told())).expect("it listens");
    taker.begin(&format!("take-over {name}"));
    let handed = maker.finish().remove(0);
    taker.finish();
    let of_maker = |action| of_socket(action, &handed).owned_by(&maker.container);
    agent.expect(&of_maker("connection_accepted").absent("hostnet.creator"));
    let (ended, id) = (of_maker("disconnect_received"), maker.container.id.clone());
    drop(maker);
    agent.expect(&want().action("container-left-host-network").is("container.id", id.as_str()));
    agent.marker();
    drop(taker);
    drop(client);
    agent.expect(&ended);
    let run = agent.stop();
    run.exactly(1, &of_socket("disconnect_received", &handed));
}

#[test]
fn e29_a_udp_socket_is_handed_to_a_container() {
    needs_root!();
    let agent = Agent::start();
    let (mut maker, mut taker) = (container(), container());
    let made = hand_over(&mut maker, &mut taker, "udp", "--udp", "127.0.0.1 9").remove(0);
    taker.finish();
    let sent = made_by(of_socket("connection_attempted", &made), &maker);
    agent.expect(&sent.owned_by(&taker.container).is("hostnet.operation", "send"));
    agent.stop();
}

/// What a host process does with a container's socket is told, although host
/// processes are not.
#[test]
fn e29_a_bound_socket_is_handed_to_the_host() {
    needs_root!();
    let agent = Agent::start();
    let (mut maker, mut taker) = (container(), Actor::on_host());
    let made = hand_over(&mut maker, &mut taker, "host", "", "--listen").remove(0);
    taker.finish();
    let listens = made_by(of_socket("listen-for-connections", &made), &maker);
    let listens = listens.is("hostnet.owner.kind", "host").absent("container");
    agent.expect(&listens.is("process.pid", taker.host_pid()));
    // The other way round the host is only named.
    let (mut maker, mut taker) = (Actor::on_host(), container());
    let made = hand_over(&mut maker, &mut taker, "hosts", "", "--listen").remove(0);
    taker.finish();
    let listens = of_socket("listen-for-connections", &made).owned_by(&taker.container);
    agent.expect(&listens.is("hostnet.creator.kind", "host"));
    agent.stop();
}

/// Far from those that programs open on their way.
const INHERITED: i32 = 100;

/// Bound on the host, and inherited by a process that goes into the container, as
/// whoever activates by socket does.
#[test]
fn e29_a_container_inherits_a_socket_that_the_host_bound() {
    needs_root!();
    let agent = Agent::start();
    let container = container();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a free port");
    let cookie = socket.cookie().expect("SO_COOKIE");
    let mut inside = inheriting(socket.into(), &container);
    let used = inside.one(&format!("use-inherited {INHERITED} --listen"));
    assert_eq!(used["result"], "ok");
    let listens = want().action("listen-for-connections").is("hostnet.socket.cookie", cookie);
    agent.expect(&listens.owned_by(&container.container).is("hostnet.creator.kind", "host"));
    let bound = want().action("bound-socket").is("hostnet.socket.cookie", cookie);
    inside.end();
    let run = agent.stop();
    // What the host did alone is not told.
    run.none(&bound);
}

/// An actor that comes from the host into the container with `held` as descriptor [`INHERITED`].
fn inheriting(held: OwnedFd, container: &ActorBox) -> Actor {
    let pid = container.container.pid;
    let cgroup = cgroups::directory(&cgroups::root(), &cgroups::path_of(pid));
    let script =
        format!("echo 0 >\"$0\"/cgroup.procs && exec nsenter --target {pid} --mount --pid");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script} /actor repl")]).arg(cgroup);
    let number = held.as_raw_fd();
    // SAFETY: dup2 may be called between fork and exec, and `held` is open until then.
    unsafe {
        command.pre_exec(move || match libc::dup2(number, INHERITED) {
            INHERITED => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    Actor::started(command)
}

/// The socket is used when its maker is gone with its cgroup and its name.
#[test]
fn e29_a_socket_outlives_its_container() {
    needs_root!();
    let agent = Agent::start();
    let (mut maker, mut taker) = (container(), Actor::on_host());
    let made = hand_over(&mut maker, &mut taker, "outlives", "", "--later").remove(0);
    taker.finish();
    let id = maker.container.id.clone();
    drop(maker);
    agent.expect(&want().action("container-left-host-network").is("container.id", id.as_str()));
    taker.perform("use-taken - --listen");
    let listens = of_socket("listen-for-connections", &made)
        .is("hostnet.owner.kind", "host")
        .is("process.pid", taker.host_pid())
        .absent("container")
        .is("hostnet.creator.kind", "container")
        .is("hostnet.creator_container.id", id.as_str());
    agent.expect(&listens);
    agent.stop();
}
