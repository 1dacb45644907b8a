//! Containers of the host's network that run as `hostnet advise` says: everybody who reached
//! them still does, at the same address, and nobody reaches them at another.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    path::Path,
    process::Command,
    thread,
};

use hostnet_tests::{
    Agent, Container, Docker, Machine, PAGE, hostnet, needs_docker, needs_root, net, patience,
    wait_for, want,
};
use serde_json::Value;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Somebody who comes to a port of the container.
#[derive(Clone, Copy, Debug)]
enum Visitor {
    /// The container itself, as its health check does.
    Itself,
    /// A process of the host, to this address.
    Host(IpAddr),
    /// Another container of the host's network, to loopback.
    Container,
    /// Another machine.
    Far,
}
use Visitor::{Far, Host, Itself};

/// What serves the port.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    /// HTTP at this address.
    Http(&'static str),
    /// HTTP at the host's own address.
    HttpOfHost,
    /// HTTP at two ports in a row.
    TwoPorts,
    /// UDP, answering what comes, at all addresses.
    Udp,
    /// UDP at the host's own address.
    UdpOfHost,
}

struct Situation {
    name: &'static str,
    server: Server,
    came: Vec<Visitor>,
    /// The value of `-p`, with `P` for the port and `A` for the host's address.
    publish: &'static [&'static str],
    /// Who else has to reach it then.
    also: Vec<Visitor>,
    /// Who has not to.
    not: Vec<IpAddr>,
}

fn situations(own: IpAddr) -> Vec<Situation> {
    let any = Server::Http("");
    let row = |name, server, came: &[Visitor], publish, also: &[Visitor], not: &[IpAddr]| {
        let (came, also, not) = (came.to_vec(), also.to_vec(), not.to_vec());
        Situation { name, server, came, publish, also, not }
    };
    let all = &[Host(LOOPBACK), Host(own), Far];
    vec![
        row("its own health check alone", any, &[Itself], &["P:P"], all, &[]),
        row("nobody", any, &[], &["P:P"], all, &[]),
        row("another machine", any, &[Far], &["P:P"], &[Host(own)], &[]),
        row("another machine and this host", any, &[Far, Host(LOOPBACK)], &["P:P"], &[], &[]),
        row("loopback", any, &[Host(LOOPBACK)], &["127.0.0.1:P:P"], &[], &[own, LOOPBACK_IPV6]),
        row("IPv6 loopback", any, &[Host(LOOPBACK_IPV6)], &["[::1]:P:P"], &[], &[own, LOOPBACK]),
        row(
            "both loopbacks",
            any,
            &[Host(LOOPBACK), Host(LOOPBACK_IPV6), Itself],
            &["127.0.0.1:P:P", "[::1]:P:P"],
            &[],
            &[own],
        ),
        row("the host's address", any, &[Host(own)], &["A:P:P"], &[], &[LOOPBACK]),
        row("a container", any, &[Visitor::Container], &["127.0.0.1:P:P"], &[], &[own]),
        row("two ports in a row", Server::TwoPorts, &[Far], &["P-Q:P-Q"], &[Host(LOOPBACK)], &[]),
        row(
            "a listener on loopback",
            Server::Http("127.0.0.1:"),
            &[Host(LOOPBACK)],
            &["127.0.0.1:P:P"],
            &[],
            &[own],
        ),
        row("a listener on one address", Server::HttpOfHost, &[], &["A:P:P"], &[], &[LOOPBACK]),
        row("UDP, loopback", Server::Udp, &[Host(LOOPBACK)], &["127.0.0.1:P:P/udp"], &[], &[own]),
        row("UDP, another machine", Server::Udp, &[Far], &["P:P/udp"], all, &[]),
        row(
            "UDP on one address",
            Server::UdpOfHost,
            &[Host(own)],
            &["A:P:P/udp"],
            &[],
            &[LOOPBACK],
        ),
    ]
}

impl Server {
    const fn is_udp(self) -> bool {
        matches!(self, Self::Udp | Self::UdpOfHost)
    }

    /// What it listens at on the host's network, where that is one address.
    fn address(self, own: IpAddr) -> Option<String> {
        match self {
            Self::Http("") | Self::TwoPorts | Self::Udp => None,
            Self::Http(address) => Some(address.to_owned()),
            Self::HttpOfHost | Self::UdpOfHost => Some(format!("{own}:")),
        }
    }

    /// The shell's words for it at this address, or at all.
    fn command(self, port: u16, address: Option<&str>) -> String {
        let httpd =
            |port: u16| format!("httpd -f -h /www -p {}{port}", address.unwrap_or_default());
        match self {
            Self::Http(_) | Self::HttpOfHost => format!("exec {}", httpd(port)),
            Self::TwoPorts => format!("{} & exec {}", httpd(port), httpd(port + 1)),
            Self::Udp | Self::UdpOfHost => {
                let address = address.map_or("::", |address| address.trim_end_matches(':'));
                format!("exec /actor udp-serve {port} --addr {address} --count 1000")
            }
        }
    }
}

/// Whether the server at this address answers a process of the host.
fn answers(server: Server, at: SocketAddr) -> bool {
    if !server.is_udp() {
        return TcpStream::connect(at).is_ok()
            && net::exchange(at, b"GET /page HTTP/1.0\r\n\r\n").received.ends_with(PAGE);
    }
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).expect("a port");
    // A connected one is refused at once where nobody listens.
    socket.connect(at).expect("a route");
    socket.set_read_timeout(Some(patience() / 10)).expect("set_read_timeout");
    let mut buffer = [0; 8];
    socket.send(b"ping").is_ok()
        && socket.recv(&mut buffer).is_ok_and(|count| &buffer[..count] == b"ping")
}

/// What is there for the visitors to come from.
struct World<'a> {
    machine: &'a Machine,
    client: &'a Container,
}

impl World<'_> {
    /// Whether the visitor reaches the container's server at each of its ports.
    fn reaches(&self, visitor: Visitor, server: Server, container: &Container, port: u16) -> bool {
        let page = format!("http://127.0.0.1:{port}/page");
        let within = |container: &Container| {
            let words = ["sh", "-c", &format!("/bin/busybox wget -q -O - {page} || true")];
            container.exec(words).as_bytes() == PAGE
        };
        let one = |port: u16| match visitor {
            Itself => within(container),
            Visitor::Container => within(self.client),
            Host(ip) => answers(server, SocketAddr::new(ip, port)),
            Far => {
                let at = SocketAddr::new(self.machine.host.into(), port);
                self.machine.does(|| answers(server, at))
            }
        };
        one(port) && (server != Server::TwoPorts || one(port + 1))
    }
}

fn advice(history: &Path, name: &str) -> Value {
    let mut command = Command::new(hostnet());
    command.args(["advise", name, "--format", "json", "--history"]).arg(history);
    let output = command.output().expect("hostnet can be started");
    let mut all: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(all.len(), 1, "{name}: {all:?}");
    all.remove(0)
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().expect("an array").iter().filter_map(Value::as_str).collect()
}

#[test]
fn who_reached_a_container_reaches_it_as_advised_and_at_no_other_address() {
    needs_root!();
    needs_docker!("published ports");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let docker = Docker::publishing();
    let agent = Agent::setup().docker_host(docker.host()).history(&history).start();
    let machine = Machine::start();
    let own = IpAddr::V4(machine.host);
    let client = docker.launch("host").start(["sleep", "1000"]);
    let world = World { machine: &machine, client: &client };
    let situations = situations(own);
    // Apart by more than the two that one of them takes.
    let ports: Vec<u16> = situations
        .iter()
        .map(|_| {
            let port = net::closed_port();
            net::closed_port();
            net::closed_port();
            port
        })
        .collect();
    let mut names = Vec::new();
    for (Situation { name, server, came, .. }, port) in situations.iter().zip(&ports) {
        let command = server.command(*port, server.address(own).as_deref());
        let container = docker.launch("host").start(["sh", "-c", &command]);
        for visitor in came {
            wait_for(name, || world.reaches(*visitor, *server, &container, *port));
        }
        if came.is_empty() {
            wait_for(name, || is_bound(*port));
        }
        names.push(container.name.clone());
    }
    agent.marker();
    agent.stop();
    thread::scope(|scope| {
        for ((situation, port), name) in situations.iter().zip(&ports).zip(&names) {
            let said = advice(&history, name);
            let (docker, world) = (&docker, &world);
            scope.spawn(move || as_advised(docker, world, situation, own, *port, &said));
        }
    });
}

/// Runs the situation's container as it was advised.
fn as_advised(
    docker: &Docker,
    world: &World<'_>,
    situation: &Situation,
    own: IpAddr,
    port: u16,
    said: &Value,
) {
    let Situation { name, server, came, publish, also, not } = situation;
    let next = (port + 1).to_string();
    let value = |text: &&str| {
        let text = text.replace('A', &own.to_string()).replace('Q', &next);
        ["-p".to_owned(), text.replace('P', &port.to_string())]
    };
    let expected: Vec<String> = publish.iter().flat_map(value).collect();
    let options = strings(&said["change"]["docker_run"]);
    assert_eq!(options, expected, "{name}: {said:#}");
    let conditions = strings(&said["change"]["conditions"]).join("\n");
    // The options, and the listener where a condition says so.
    let moves = server.address(own).is_some();
    assert_eq!(conditions.contains("let it listen on 0.0.0.0"), moves, "{name}: {conditions}");
    let is_narrowed = !moves && !publish.iter().any(|value| value.starts_with('P'));
    assert_eq!(conditions.contains("and nowhere else"), is_narrowed, "{name}: {conditions}");
    let near = came.iter().any(|visitor| matches!(visitor, Host(_) | Visitor::Container));
    assert_eq!(conditions.contains("address of the bridge's gateway"), near, "{name}");
    let command = server.command(port, moves.then_some("0.0.0.0:"));
    let launch = docker.launch("bridge");
    let launch = options.iter().fold(launch, |launch, word| launch.options([*word]));
    let container = launch.start(["sh", "-c", &command]);
    for visitor in came.iter().chain(also) {
        let what = format!("{name}: {visitor:?}");
        wait_for(&what, || world.reaches(*visitor, *server, &container, port));
    }
    for address in not {
        let at = SocketAddr::new(*address, port);
        assert!(!answers(*server, at), "{name}: {at} answers");
    }
}

/// Whether something listens at this TCP port of the host.
fn is_bound(port: u16) -> bool {
    let port = format!(":{port:04X} ");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        table.lines().any(|line| line.contains(&port) && line.contains(" 0A "))
    })
}

/// `hostnet advise` as a person reads it.
fn words(history: &Path, name: &str) -> String {
    let mut command = Command::new(hostnet());
    command.args(["advise", name, "--history"]).arg(history);
    let output = command.output().expect("hostnet can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_container_is_one_by_every_name_and_a_service_by_all_its_containers() {
    needs_root!();
    needs_docker!("names and labels");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let docker = Docker::shared();
    let agent = Agent::setup().history(&history).start();
    let service = Docker::fresh_name("service");
    let label = format!("com.docker.swarm.service.name={service}");
    let mut renamed = docker.launch("host").actor();
    // Two tasks of a Swarm service, each under a name that ends in random letters.
    let mut tasks = ["1.k3v9w", "2.x81hq"].map(|end| {
        let launch = docker.launch("host").name(&format!("{service}.{end}"));
        launch.options(["--label", &label]).actor()
    });
    let refused = renamed.connect_refused();
    agent.expect(&want().attempt(refused).owned_by(&renamed.container));
    let (old, id) = (renamed.container.name.clone(), renamed.container.id.clone());
    let new = format!("{}_{old}", &id[..12]);
    docker.run(["rename", &old, &new]);
    let renamed_event = want().is("container.id", id.as_str()).is("container.name", &*new);
    let mut deadline = 200;
    while agent.count(&renamed_event) == 0 {
        renamed.connect_refused();
        agent.marker();
        deadline -= 1;
        assert!(deadline > 0, "the new name never came");
    }
    for task in &mut tasks {
        let refused = task.connect_refused();
        agent.expect(&want().attempt(refused).owned_by(&task.container));
    }
    agent.marker();
    agent.stop();
    for name in [&old, &new, &id] {
        let said = advice(&history, name);
        assert_eq!(strings(&said["ids"]), [&*id], "{name}: {said:#}");
    }
    for name in [&service, &tasks[0].container.name] {
        let said = advice(&history, name);
        assert_eq!(said["label"], service.as_str(), "{said:#}");
        assert_eq!(strings(&said["ids"]).len(), 2, "{name}: {said:#}");
        assert!(
            strings(&said["verdict"]["because"])[0]
                .starts_with("all 2 of its connections were refused")
        );
    }
    let words = words(&history, &service);
    assert!(words.contains("in your docker service create command"), "{words}");
    assert!(!words.contains("docker run"), "{words}");
}
