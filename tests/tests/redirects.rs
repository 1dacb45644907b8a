//! Where packet filters redirect: nobody is named at the other end who is not there.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    process::{Command, Stdio},
};

use hostnet_tests::{
    ActorBox, Agent, Docker, Want, needs_docker, needs_root, net, not_here, wait_for, want,
};

/// A rule of a packet filter, in the nat table's OUTPUT of the host; gone when dropped.
struct Rule {
    tool: &'static str,
    words: String,
}

impl Rule {
    /// `None` where this kernel or machine has no such packet filter.
    fn new(tool: &'static str, words: &str) -> Option<Self> {
        let rule = Self { tool, words: format!("OUTPUT {words}") };
        let is_there = rule.change("-A");
        if !is_there {
            not_here(&format!("{tool} -t nat -A {}", rule.words));
        }
        is_there.then_some(rule)
    }

    fn change(&self, how: &str) -> bool {
        let words = ["-w", "-t", "nat", how].into_iter().chain(self.words.split(' '));
        let mut command = Command::new(self.tool);
        let status = command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        assert!(self.change("-D"), "{} -D {}", self.tool, self.words);
    }
}

const TOOLS: [&str; 2] = ["iptables-legacy", "iptables-nft"];

fn connect(port: u16, by: &ActorBox) -> Want {
    want().action("connection_attempted").is("hostnet.remote.port", port).owned_by(&by.container)
}

fn is_this_process(wanted: Want) -> Want {
    wanted.is("hostnet.peer.kind", "host").is("hostnet.peer.process.pid", std::process::id())
}

/// The host listens at the port, and a container is who it really goes to.
#[test]
fn a_connection_that_is_redirected_names_nobody() {
    needs_root!();
    let mut other = Docker::shared().launch("host").actor();
    let elsewhere = other.one("listen 127.0.0.1 0")["local"]["port"].as_u64().expect("a port");
    for tool in TOOLS {
        let agent = Agent::start();
        let mut client = Docker::shared().launch("host").actor();
        let (_listener, port) = net::listener();
        client.one(&format!("tcp-connect 127.0.0.1 {port}"));
        agent.expect(&is_this_process(connect(port, &client)));
        let redirect =
            format!("-p tcp -d 127.0.0.1 --dport {port} -j REDIRECT --to-ports {elsewhere}");
        // From the first moment: nothing may have read the rule yet.
        let Some(rule) = Rule::new(tool, &redirect) else { continue };
        let done = client.one(&format!("tcp-connect 127.0.0.1 {port}"));
        assert_eq!(done["result"], "ok");
        drop(rule);
        let local = done["local"]["port"].clone();
        let redirected = connect(port, &client).is("hostnet.local.port", local);
        agent.expect(&redirected.clone().is("event.outcome", "success").absent("hostnet.peer"));
        client.one(&format!("tcp-connect 127.0.0.1 {port}"));
        agent.expect_many(2, &is_this_process(connect(port, &client)));
        let run = agent.stop();
        run.exactly(3, &connect(port, &client));
        let named = run.all(&want().present("rule.id").is("hostnet.remote.port", port));
        let of_redirected = named
            .iter()
            .filter(|finding| finding["hostnet"]["local"]["port"] == done["local"]["port"]);
        for finding in of_redirected {
            let message = finding["message"].as_str().expect("a message");
            assert!(!message.contains("redirects"), "it names this process: {message}");
        }
    }
}

/// As Docker writes it with `userland-proxy: false`: a host process has the same port.
#[test]
fn a_port_that_is_led_to_a_container_names_nobody() {
    needs_root!();
    needs_docker!("a bridge");
    let docker = Docker::publishing();
    let web = docker.launch("bridge").start(["httpd", "-f", "-p", "80", "-h", "/www"]);
    let format = "{{.NetworkSettings.IPAddress}}";
    let address = docker.run(["inspect", "--format", format, &web.id]);
    let inside: SocketAddr = format!("{address}:80").parse().expect("an address");
    wait_for("the web server", || std::net::TcpStream::connect(inside).is_ok());
    let own = net::own_address();
    let listener = TcpListener::bind((own, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let words = format!(
        "-p tcp -m addrtype --dst-type LOCAL --dport {port} -j DNAT --to-destination {inside}"
    );
    let Some(rule) = Rule::new("iptables-legacy", &words) else { return };
    let agent = Agent::setup().docker_host(docker.host()).start();
    let mut client = docker.launch("host").actor();
    let done = client.one(&format!("tcp-connect {own} {port} --send 5"));
    assert_eq!(done["result"], "ok");
    drop(rule);
    agent.expect(&connect(port, &client).is("event.outcome", "success").absent("hostnet.peer"));
    agent.stop();
}

#[test]
fn a_datagram_that_may_be_redirected_names_nobody() {
    needs_root!();
    for tool in TOOLS {
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let [ruled, other] =
            [0, 1].map(|at: usize| sockets[at].local_addr().expect("bound").port());
        let redirect =
            format!("-p udp -d 127.0.0.1 --dport {ruled} -j REDIRECT --to-ports {other}");
        let Some(rule) = Rule::new(tool, &redirect) else { continue };
        let agent = Agent::start();
        let mut client = Docker::shared().launch("host").actor();
        client.perform(&format!("udp-send 127.0.0.1 {ruled} 127.0.0.1 {other}"));
        agent.expect(&connect(ruled, &client).absent("hostnet.peer"));
        agent.expect(&is_this_process(connect(other, &client)));
        drop(rule);
        agent.stop();
    }
}

/// The runtime tells the address of a container on a bridge network, both ways.
#[test]
fn a_container_on_a_bridge_is_named_by_its_address() {
    needs_root!();
    needs_docker!("a bridge");
    let docker = Docker::publishing();
    let mut web = docker.launch("bridge").actor();
    let format = "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}}";
    let addresses = docker.run(["inspect", "--format", format, &web.container.id]);
    let (address, gateway) = addresses.split_once(' ').expect("two addresses");
    let port = web.one("listen 0.0.0.0 0")["local"]["port"].as_u64().expect("a port") as u16;
    let agent = Agent::setup().docker_host(docker.host()).start();
    let mut client = docker.launch("host").actor();
    client.one(&format!("tcp-connect {address} {port}"));
    client.perform(&format!("udp-connect {address} {port}"));
    let (id, name) = (web.container.id.clone(), web.container.name.clone());
    let is_web = |wanted: Want| {
        wanted
            .is("hostnet.peer.kind", "container")
            .is("hostnet.peer.method", "runtime")
            .is("hostnet.peer.container.id", id.as_str())
            .is("hostnet.peer.container.name", name.as_str())
    };
    for transport in ["tcp", "udp"] {
        agent.expect(&is_web(connect(port, &client).is("network.transport", transport)));
    }
    // And the other way round.
    let served = client.one("listen 0.0.0.0 0")["local"]["port"].clone();
    let accepted = want().action("connection_accepted").is("hostnet.local.port", served.clone());
    let accepted = is_web(accepted.owned_by(&client.container));
    web.one(&format!("tcp-connect {gateway} {served}"));
    agent.expect(&accepted);
    agent.stop();
}
