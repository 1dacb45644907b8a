//! What a process is, as the kernel has it: its file, its directory, who made it,
//! whatever it calls itself; and one process is never taken for another.

use std::{fs, path::Path, process::Command, thread, time::Instant};

use hostnet_tests::{
    Actor, ActorBox, Agent, Container, Docker, Want, needs_docker, needs_root, net, patience,
    program, skip, want,
};
use rustix::process::Signal;
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn exec(container: &Container) -> Want {
    want().action("exec").owned_by(container)
}

fn connect(port: u16) -> Want {
    want().action("connection_attempted").is("hostnet.remote.port", port)
}

/// Has a child of the actor exec `order` with `who-am-i` as its last words, and
/// returns what that says of itself and the event of the exec that made it so.
fn disguised(agent: &Agent, actor: &mut ActorBox, order: &str) -> (Value, Value) {
    let truths = actor.perform(&format!("spawn -- {order} -- who-am-i"));
    let truth = truths.iter().find(|truth| truth["op"] == "who-am-i");
    let truth = truth.unwrap_or_else(|| panic!("{order} did not exec: {truths:?}")).clone();
    let last = exec(&actor.container)
        .is("process.vpid", truth["pid"].clone())
        .is("process.args", truth["args"].clone());
    let event = agent.expect(&last);
    assert_eq!(event["hostnet"]["process"]["source"], "exec", "{event}");
    (truth, event)
}

#[test]
fn e35_a_program_in_memory() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let name = b"\x1b[2J\nsshd";
    let (truth, event) = disguised(&agent, &mut actor, &format!("exec-memfd {}", hex(name)));
    assert_eq!(truth["exe"], "/memfd:\x1b[2J\nsshd (deleted)");
    let process = &event["process"];
    assert_eq!(process["executable"], "memfd:\x1b[2J\nsshd", "{event}");
    assert_eq!(process["name"], "memfd:\x1b[2J\nsshd", "{event}");
    let own = &event["hostnet"]["process"];
    assert_eq!(own["file"]["memfd"], true, "{event}");
    assert_eq!(own["file"]["inode"], truth["inode"], "{event}");
    assert!(own["called"].as_str().is_some_and(|name| name.starts_with("/proc/self/fd/")));
    agent.stop();
}

#[test]
fn e35_a_removed_program() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let order = format!("exec-deleted {}", hex(b"/tmp/gone"));
    let (truth, event) = disguised(&agent, &mut actor, &order);
    assert_eq!(truth["exe"], "/tmp/gone (deleted)");
    assert_eq!(event["process"]["executable"], "/tmp/gone", "{event}");
    assert_eq!(event["process"]["name"], "gone", "{event}");
    assert_eq!(event["hostnet"]["process"]["file"]["deleted"], true, "{event}");
    assert_eq!(event["hostnet"]["process"]["file"]["inode"], truth["inode"], "{event}");
    agent.stop();
}

#[test]
fn e35_a_program_by_descriptor() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let order = format!("exec-descriptor {}", hex(b"/tmp/memfd:x (deleted)"));
    let (truth, event) = disguised(&agent, &mut actor, &order);
    assert_eq!(truth["exe"], "/tmp/memfd:x (deleted)");
    assert_eq!(event["process"]["executable"], "/tmp/memfd:x (deleted)", "{event}");
    assert_eq!(event["process"]["name"], "memfd:x (deleted)", "{event}");
    let file = &event["hostnet"]["process"]["file"];
    assert_eq!(file["inode"], truth["inode"], "{event}");
    assert!(file["memfd"].is_null() && file["deleted"].is_null(), "{event}");
    agent.stop();
}

#[test]
fn e35_links_and_scripts() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (order, called) in [("exec-link", "/tmp/nginx"), ("exec-script", "/tmp/tool.sh")] {
        let order = format!("{order} {}", hex(called.as_bytes()));
        let (truth, event) = disguised(&agent, &mut actor, &order);
        assert_eq!(truth["exe"], "/actor");
        assert_eq!(event["process"]["executable"], "/actor", "{event}");
        assert_eq!(event["process"]["name"], called.trim_start_matches("/tmp/"), "{event}");
        assert_eq!(event["hostnet"]["process"]["called"], called, "{event}");
        assert_eq!(event["hostnet"]["process"]["file"]["inode"], truth["inode"], "{event}");
    }
    agent.stop();
}

/// What it calls itself later changes nothing of what exec said.
#[test]
fn e35_another_name_and_other_arguments() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    actor.perform(&format!("prctl-name {}", hex(b"sshd\x1b[2J\n")));
    actor.perform(&format!("overwrite-arguments {}", hex(b"sshd\0-D")));
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    agent.expect(
        &connect(port)
            .owned_by(&actor.container)
            .is("process.name", "actor")
            .is("process.executable", "/actor")
            .is("process.args", json!(["/actor", "repl"]))
            .is("hostnet.process.source", "exec"),
    );
    agent.stop();
}

/// An agent that comes later has only what /proc shows, and says so.
#[test]
fn e35_before_the_agent() {
    needs_root!();
    let mut actor = Docker::shared().launch("host").actor();
    let directory = hex(b"/tmp/work");
    actor.perform(&format!("prctl-name {}", hex(b"sshd")));
    actor.perform(&format!("overwrite-arguments {}", hex(b"sshd\0-D")));
    let agent = Agent::start();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let event = agent.expect(
        &connect(port)
            .owned_by(&actor.container)
            .is("process.pid", actor.container.pid)
            .is("process.name", "actor")
            .is("process.executable", "/actor")
            .is("process.working_directory", "/")
            .is("hostnet.process.source", "proc")
            .present("hostnet.process.file.inode"),
    );
    let arguments = &event["process"]["args"];
    assert_eq!(arguments[0], "sshd", "{event}");
    // Its child begins in sight, and its ancestor is known all the same.
    let (_, child) = disguised(&agent, &mut actor, &format!("exec-in {directory}"));
    assert_eq!(child["hostnet"]["process"]["ancestors"][0]["name"], "actor", "{child}");
    assert_eq!(child["process"]["parent"]["executable"], "/actor", "{child}");
    assert_eq!(child["process"]["parent"]["entity_id"], event["process"]["entity_id"]);
    agent.stop();
}

#[test]
fn the_working_directory() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for directory in [&b"/tmp/a b/\x1b[2J\n\"/c"[..], b"/tmp/1/2/3/4/5/6/7/8/9/10/11/12"] {
        let order = format!("exec-in {}", hex(directory));
        let (truth, event) = disguised(&agent, &mut actor, &order);
        let directory = std::str::from_utf8(directory).expect("ASCII");
        assert_eq!(truth["cwd"], directory);
        assert_eq!(event["process"]["working_directory"], directory, "{event}");
    }
    agent.stop();
}

/// Longer than what a record holds: the end is there, and it says that it is one.
#[test]
fn a_path_that_is_too_long() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let directory = format!("/tmp/{}", ["x".repeat(200).as_str(); 8].join("/"));
    let (truth, event) =
        disguised(&agent, &mut actor, &format!("exec-in {}", hex(directory.as_bytes())));
    assert_eq!(truth["cwd"], directory.as_str());
    let seen = event["process"]["working_directory"].as_str().expect("a path");
    // Of what the kernel gives, which is the end of it, an event has as much as there is room for.
    assert!(directory.contains(seen) && seen.len() > 600, "{seen}");
    assert!(!seen.starts_with('/'), "{seen}");
    assert_eq!(event["hostnet"]["process"]["working_directory_truncated"], true, "{event}");
    agent.stop();
}

/// A descriptor from before it changed its mount namespace leads out of it.
#[test]
fn what_is_outside_the_mount_namespace() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let launch = Docker::shared().launch("host");
    let mut actor = launch.options(["--cap-add=SYS_ADMIN"]).actor();
    let (_, event) = disguised(&agent, &mut actor, "exec-outside");
    assert_eq!(event["process"]["executable"], "/actor", "{event}");
    assert_eq!(event["process"]["working_directory"], "/tmp", "{event}");
    let own = &event["hostnet"]["process"];
    assert_eq!(own["executable_outside"], true, "{event}");
    assert_eq!(own["working_directory_outside"], true, "{event}");
    agent.stop();
}

#[test]
fn ancestors_end_with_the_containers_first_process() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let script = "sh -c '/actor who-am-i; true'; sleep 1000";
    let container = Docker::shared().launch("host").start(["sh", "-c", script]);
    let first = agent.expect(&exec(&container).is("process.vpid", 1));
    assert!(first["hostnet"]["process"]["ancestors"].is_null(), "{first}");
    let event = agent.expect(&exec(&container).is("process.args", json!(["/actor", "who-am-i"])));
    let ancestors = event["hostnet"]["process"]["ancestors"].as_array().expect("two shells");
    assert_eq!(ancestors.len(), 2, "{event}");
    assert_eq!(ancestors[1]["pid"], container.pid, "{event}");
    assert_eq!(ancestors[1]["name"], "sh", "{event}");
    for ancestor in ancestors {
        assert_eq!(ancestor["executable"], first["process"]["executable"], "{event}");
    }
    let parent = &event["process"]["parent"];
    assert_eq!(parent["pid"], ancestors[0]["pid"], "{event}");
    assert_eq!(parent["executable"], ancestors[0]["executable"], "{event}");
    assert!(parent["start"].is_string(), "{event}");
    let middle = agent.expect(&exec(&container).is("process.pid", parent["pid"].clone()));
    assert_eq!(parent["entity_id"], middle["process"]["entity_id"], "{event}");
    assert_eq!(middle["process"]["parent"]["entity_id"], first["process"]["entity_id"]);
    agent.stop();
}

#[test]
fn e37_docker_exec() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let container = Docker::shared().launch("host").start(["sleep", "1000"]);
    let port = net::closed_port();
    container.exec(["/actor", "bind", "127.0.0.1", &port.to_string()]);
    let event = agent.expect(
        &want()
            .action("bound-socket")
            .is("hostnet.local.port", port)
            .is("process.executable", "/actor")
            .owned_by(&container),
    );
    // The runtime made it, and is not the container's.
    assert!(event["hostnet"]["process"]["ancestors"].is_null(), "{event}");
    assert_ne!(event["process"]["parent"]["pid"], container.pid, "{event}");
    agent.stop();
}

#[test]
fn e37_a_health_check() {
    needs_root!(no tcp);
    needs_docker!("health checks");
    let agent = Agent::start();
    let port = net::closed_port();
    let check = format!("--health-cmd=/actor bind 127.0.0.1 {port}");
    let launch = Docker::shared().launch("host");
    let options = [check.as_str(), "--health-interval=1s", "--health-retries=1"];
    let container = launch.options(options).start(["sleep", "1000"]);
    agent.expect(
        &want()
            .action("bound-socket")
            .is("hostnet.local.port", port)
            .is("process.executable", "/actor")
            .owned_by(&container),
    );
    agent.stop();
}

/// One that joins another's process ids is itself all the same.
#[test]
fn e37_the_process_ids_of_another_container() {
    needs_root!();
    needs_docker!("process ids of another container");
    let agent = Agent::start();
    let mut other = Docker::shared().launch("host").actor();
    let joined = format!("--pid=container:{}", other.container.id);
    let mut guest = Docker::shared().launch("host").options([&joined]).actor();
    for actor in [&mut guest, &mut other] {
        let port = actor.connect_refused();
        agent.expect(&connect(port).owned_by(&actor.container).absent("hostnet.creator"));
    }
    agent.stop();
}

/// The kernel is made to give an id again; root on the host may choose the next.
#[test]
fn a_process_id_is_used_again() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let began = Instant::now();
    while began.elapsed() < patience() {
        let (first, second) = (net::closed_port(), net::closed_port());
        let ask = |program: &str, port| {
            let path = hex(format!("/tmp/{program}-{port}").as_bytes());
            format!("spawn -- exec-as {path} -- tcp-connect 127.0.0.1 {port}")
        };
        actor.perform(&ask("first", first));
        let one = agent.expect(&connect(first).owned_by(&actor.container));
        let pid = one["process"]["pid"].as_u64().expect("a process id");
        let last = format!("{}", pid - 1);
        fs::write("/proc/sys/kernel/ns_last_pid", last).expect("root may choose the next id");
        actor.perform(&ask("second", second));
        let other = agent.expect(&connect(second).owned_by(&actor.container));
        assert_eq!(one["process"]["name"], format!("first-{first}"), "{one}");
        assert_eq!(other["process"]["name"], format!("second-{second}"), "{other}");
        assert_ne!(one["process"]["entity_id"], other["process"]["entity_id"]);
        // Somebody else may have been faster.
        if other["process"]["pid"] == pid {
            agent.stop();
            return;
        }
    }
    panic!("no process id was used again");
}

/// The program's own file system is in user space and answers nobody any more. It is asked
/// nothing, neither at the start nor when records were lost and every process is looked up.
#[test]
fn a_program_on_a_file_system_that_does_not_answer_hangs_nothing() {
    needs_root!();
    if !Path::new("/dev/fuse").exists() {
        skip("this machine has no file systems in user space");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(program("actor"));
    command.arg("on-fuse").arg(directory.path()).arg("repl");
    let mut frozen = Actor::started(command);
    let pid = frozen.one("freeze")["pid"].as_u64().expect("a process id");
    // Whoever asks it waits for as long as the program is there.
    let asking = thread::spawn(move || fs::metadata(format!("/proc/{pid}/exe")));

    let agent = Agent::setup().all().observe("ring_mib = 1\n").start();
    let mut flooding = Docker::shared().launch("host").actor();
    let closed = net::closed_port();
    agent.asleep(|| flooding.perform(&format!("tcp-connect 127.0.0.1 {closed} --times 16000")));
    agent.expect(&want().action("records-lost"));
    let bound = want().action("bound-socket").is("process.pid", pid).is("process.name", "program");
    let deadline = Instant::now() + patience();
    // The first of them may be lost, too: records of the flood are still in the ring.
    while agent.count(&bound) == 0 {
        assert!(Instant::now() < deadline, "nothing was reported of {pid}: {}", agent.messages());
        frozen.one("bind 127.0.0.1 0 --udp");
    }
    agent.marker();
    let run = agent.stop_with(Signal::TERM);
    assert_eq!(run.code(), Some(0));
    assert!(!asking.is_finished(), "the file system has answered");
    drop(frozen);
    drop(asking.join());
}
