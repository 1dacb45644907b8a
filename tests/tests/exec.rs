//! Processes of host-network containers: what runs, whose child, how it ended.

use hostnet_tests::{Agent, Container, Docker, Want, needs_root, net, want};
use serde_json::json;

fn process(action: &str, container: &Container) -> Want {
    want()
        .action(action)
        .is("event.dataset", "hostnet.process")
        .includes("event.category", "process")
        .owned_by(container)
}

#[test]
fn every_exec_of_a_chain() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port().to_string();
    let words = ["tcp-connect", "127.0.0.1", &port];
    let truths = actor.perform(&format!("spawn -- exec-chain 2 -- {}", words.join(" ")));
    let vpid = truths[0]["pid"].clone();
    assert_eq!(truths[4]["status"], 0);
    let mut pid = None;
    for left in ["2", "1", "0"] {
        let mut args = vec!["/actor", "exec-chain", left, "--"];
        args.extend(words);
        let exec = agent.expect(
            &process("exec", &actor.container)
                .includes("event.type", "start")
                .is("process.vpid", vpid.clone())
                .is("process.executable", "/actor")
                .is("process.args", json!(args))
                .is("process.args_count", args.len())
                .is("process.parent.pid", actor.container.pid)
                .present("process.start"),
        );
        let seen = exec["process"]["pid"].as_u64().expect("a process id");
        assert_eq!(*pid.get_or_insert(seen), seen, "an exec keeps the process id");
        if left == "0" {
            // The connect is told with the last program, not with the first.
            agent.expect(
                &want()
                    .action("connection_attempted")
                    .is("hostnet.remote.port", truths[3]["remote"]["port"].clone())
                    .is("process.pid", seen)
                    .is("process.args", json!(args)),
            );
        }
    }
    let ended = process("end", &actor.container).includes("event.type", "end");
    agent.expect(&ended.is("process.pid", pid).is("process.exit_code", 0));
    agent.marker();
    let run = agent.stop();
    run.exactly(3, &process("exec", &actor.container).is("process.vpid", vpid));
}

#[test]
fn a_child_that_never_execs() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    let truths = actor.perform(&format!("fork-connect -- tcp-connect 127.0.0.1 {port}"));
    let connect = agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port)
            .owned_by(&actor.container)
            .is("process.vpid", truths[0]["pid"].clone())
            .is("process.executable", "/actor")
            .is("process.args", json!(["/actor", "repl"]))
            .is("process.parent.pid", actor.container.pid),
    );
    let child = connect["process"]["pid"].clone();
    assert_ne!(child, actor.container.pid);
    agent.stop().none(&process("exec", &actor.container).is("process.pid", child));
}

/// Of a long list of arguments the first kilobyte is kept; the kernel's own count says
/// how many there were.
#[test]
fn arguments_that_are_cut_are_counted() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let script = "exec /bin/true $(/bin/busybox seq 1 3000)";
    let container = Docker::shared().launch("host").start(["sh", "-c", script]);
    let exec = agent.expect(
        &process("exec", &container)
            .is("process.executable", "/bin/busybox")
            .is("process.args_count", 3001)
            .is("hostnet.process.args_truncated", true),
    );
    let args = exec["process"]["args"].as_array().expect("a list");
    assert!(args.len() < 3000 && args[1] == "1", "{exec}");
    agent.stop();
}

#[test]
fn the_exit_code_of_a_container() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let container = Docker::shared().launch("host").start(["sh", "-c", "exit 7"]);
    let args = json!(["sh", "-c", "exit 7"]);
    agent.expect(&process("exec", &container).is("process.args", args).is("process.vpid", 1));
    agent.expect(&process("end", &container).is("process.vpid", 1).is("process.exit_code", 7));
    agent.stop();
}

#[test]
fn docker_exec_is_the_containers_too() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let container = Docker::shared().launch("host").start(["sleep", "1000"]);
    let port = net::closed_port().to_string();
    container.exec(["/actor", "short", "127.0.0.1", &port]);
    let args = json!(["/actor", "short", "127.0.0.1", port]);
    agent.expect(&process("exec", &container).is("process.args", args.clone()));
    agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port.parse::<u16>().expect("a port"))
            .is("process.args", args)
            .owned_by(&container),
    );
    agent.stop();
}

/// The runtime's own set-up runs inside the container's cgroup, and is not the
/// container's.
#[test]
fn the_runtimes_own_set_up_is_not_told() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let container = Docker::shared().launch("host").start(["sleep", "1000"]);
    let exec = process("exec", &container);
    agent.expect(&exec.clone().is("process.args", json!(["sleep", "1000"])));
    agent.marker();
    agent.stop().only(&exec);
}
