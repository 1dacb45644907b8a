//! The agent in a container of its own: it knows that container, its own proof of the
//! hooks, and which host it is on.

use std::{fs, process::Command};

use hostnet_tests::{Agent, Docker, IMAGE, at, hostnet, needs_docker, needs_root, net, want};
use serde_json::Value;

/// What the agent needs; CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, which not every
/// Docker knows.
const CAPABILITIES: [&str; 6] =
    ["SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG"];

/// `docker run` of the agent's own file, with the host's namespaces that it needs.
fn docker_run(name: &str, more: &[String]) -> Command {
    let docker = Docker::shared();
    let socket = docker.host().strip_prefix("unix://").expect("a socket");
    let program = hostnet().display().to_string();
    let mut command = docker.command();
    command.args(["run", "--rm", "--name", name, "--label", &Docker::label()]);
    command.args(["--network=host", "--pid=host", "--cgroupns=host"]);
    command.args(["--security-opt=apparmor=unconfined", "--security-opt=seccomp=unconfined"]);
    command.args(CAPABILITIES.map(|one| format!("--cap-add={one}")));
    let volumes = ["/tmp:/tmp", "/sys/fs/cgroup:/sys/fs/cgroup", "/sys/kernel:/sys/kernel:ro"];
    command.args(volumes.map(|one| format!("--volume={one}")));
    command.arg(format!("--volume={socket}:{socket}"));
    command.arg(format!("--volume={program}:{program}:ro"));
    command.args(more).arg(IMAGE).arg(program);
    command
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn an_agent_in_a_container_tells_of_itself_once() {
    needs_root!();
    needs_docker!("an agent in a container");
    let name = Docker::fresh_name("agent");
    // As an image may have it.
    let (directory, another) = (tempfile::tempdir().expect("a directory"), "0f".repeat(16));
    let file = directory.path().join("machine-id");
    fs::write(&file, &another).expect("a file");
    let volume = format!("--volume={}:/etc/machine-id", file.display());
    let agent = Agent::setup().wrapped(docker_run(&name, &[volume])).start();
    let mut client = Docker::shared().launch("host").actor();
    let port = client.connect_refused();
    agent.expect(&want().attempt(port).owned_by(&client.container));
    // What else runs in its container is told like in any other.
    let other = net::closed_port();
    let id = Docker::shared().run(["inspect", "--format", "{{.Id}}", &name]);
    Docker::shared().run([
        "cp",
        &hostnet_tests::program("actor").display().to_string(),
        &format!("{name}:/own"),
    ]);
    Docker::shared().run(["exec", &name, "/own", "short", "127.0.0.1", &other.to_string()]);
    agent.expect(&want().attempt(other).is("container.id", id.as_str()));
    let run = agent.stop();
    let of_it = want().is("container.id", id.as_str());
    let itself = of_it.clone().action("container-in-host-network");
    run.only(&itself.is("hostnet.present.agent", true).is("container.name", name.as_str()));
    let others: Vec<&Value> = run.all(&of_it.absent("rule.id"));
    let is_known = |event: &&&Value| {
        let action = event["event"]["action"].as_str().unwrap_or_default();
        action != "container-in-host-network"
            && event["process"]["executable"] != "/own"
            && event["process"]["parent"]["executable"] != "/own"
    };
    let strange: Vec<_> = others.iter().filter(is_known).collect();
    assert!(strange.is_empty(), "{} events of itself: {strange:#?}", strange.len());
    let found = run.all(&want().is("container.id", id.as_str()).present("rule.id"));
    let of_agent = |finding: &&&Value| finding["process"]["executable"] != "/own";
    let of_agent: Vec<_> = found.iter().filter(of_agent).collect();
    assert!(of_agent.is_empty(), "{of_agent:#?}");
    // The image has another identity, or none.
    let host = at(&run.events[0], "host.id").and_then(Value::as_str);
    assert_eq!(host, Some(&*first_line("/etc/machine-id")), "{}", run.messages);
    let host = at(&run.events[0], "host.name").and_then(Value::as_str);
    assert_eq!(host, Some(&*first_line("/proc/sys/kernel/hostname")));
}
