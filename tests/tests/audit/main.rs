//! `hostnet audit`: who is in the host's network namespace, by the kernel's word.

mod names;
mod silent;

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, net::UnixListener, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use hostnet_tests::{
    Container, Docker, fill_image, has_docker, hostnet, needs_docker, needs_root, ocsf, patience,
    program, wait_for,
};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

/// `hostnet audit` with a configuration of the test's own.
struct Auditor {
    config: NamedTempFile,
    runtime: String,
}

impl Auditor {
    fn new(config: &str) -> Self {
        Self::asking(Docker::shared().host(), config)
    }

    fn asking(runtime: &str, text: &str) -> Self {
        let mut config = NamedTempFile::new().expect("a temporary file");
        config.write_all(text.as_bytes()).expect("a configuration");
        Self { config, runtime: runtime.to_owned() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(hostnet());
        command.arg("audit").arg("--config").arg(self.config.path()).stdin(Stdio::null());
        command.env("DOCKER_HOST", &self.runtime).env_remove("CONTAINER_HOST");
        command
    }

    fn run<const N: usize>(&self, arguments: [&str; N]) -> Output {
        let began = Instant::now();
        let output = self.command().args(arguments).output().expect("hostnet can be started");
        let took = began.elapsed();
        // Two seconds, but on a machine that needs more patience.
        assert!(took < patience() / 10, "{arguments:?} took {took:?}");
        output
    }

    fn json(&self) -> Value {
        let output = self.run(["--format", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// What is told of a container; `None` when nothing is.
    fn of(&self, id: &str) -> Option<Value> {
        subject(&self.json(), id).cloned()
    }
}

fn subject<'a>(audit: &'a Value, id: &str) -> Option<&'a Value> {
    let subjects = audit["in_host_network"].as_array().expect("a list");
    subjects.iter().find(|subject| subject["container_id"] == id)
}

fn reasons(subject: &Value) -> Vec<&str> {
    let reasons = subject["reasons"].as_array().expect("a list");
    reasons.iter().map(|reason| reason["id"].as_str().expect("text")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A process of the test's own, ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process with a container's mounts and process ids, in the host's network; in the
/// container's cgroup, when that is to be.
fn entered(container: &Container, in_its_cgroup: bool) -> Ended {
    let table = fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).expect("it runs");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some("cgroup2"))
        .and_then(|line| line.split(' ').nth(1))
        .expect("cgroup v2 is mounted");
    let path = table.lines().find_map(|line| line.strip_prefix("0::")).expect("a v2 path");
    let join =
        if in_its_cgroup { format!("echo $$ >{root}{path}/cgroup.procs; ") } else { String::new() };
    let pid = container.pid;
    let script = format!("{join}exec nsenter --target {pid} --mount --uts --ipc /bin/sleep 1000");
    let child = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn();
    let child = Ended(child.expect("sh can be started"));
    let link = format!("/proc/{}/exe", child.0.id());
    wait_for("the process in the container's mounts", || {
        fs::read_link(&link).is_ok_and(|path| path == Path::new("/bin/busybox"))
    });
    child
}

#[test]
fn every_way_into_the_hosts_network_is_told() {
    needs_root!();
    needs_docker!("the declared network");
    let docker = Docker::shared();
    let mut web = docker.launch("host").options(["--cap-add=NET_ADMIN"]).actor();
    let listening = web.one("listen 0.0.0.0 0");
    let port = listening["local"]["port"].as_u64().expect("a port");
    web.perform("packet");
    let side = docker.launch(&format!("container:{}", web.container.name)).start(["sleep", "1000"]);
    let bridge = docker.launch("bridge").start(["sleep", "1000"]);
    let auditor = Auditor::new("");

    let audit = auditor.json();
    let told = subject(&audit, &web.container.id).expect("a declared one is told");
    assert_eq!(told["way"]["how"], "declared");
    assert_eq!(told["attribution"]["confidence"], "confirmed");
    assert_eq!(told["container"]["name"], web.container.name.as_str());
    assert_eq!(told["container"]["network_mode"], "host");
    assert_eq!(told["holds"]["listeners"][0]["port"], port);
    assert_eq!(told["holds"]["listeners"][0]["exposure"], "any");
    let capabilities = &told["processes"][0]["privileges"]["capabilities"];
    assert!(capabilities.as_array().expect("a list").contains(&"CAP_NET_ADMIN".into()));
    let found = reasons(told);
    for reason in [
        "network-capability",
        "packet-socket",
        "unexpected",
        "raw-capability",
        "root",
        "listens-everywhere",
    ] {
        assert!(found.contains(&reason), "{reason} in {found:?}");
    }
    for reason in ["privileged", "runtime-socket", "host-files", "host-processes", "says-itself"] {
        assert!(!found.contains(&reason), "{reason} in {found:?}");
    }
    assert_eq!(told["risk"], "high");

    let told = subject(&audit, &side.id).expect("one that joined is told");
    assert_eq!(told["way"]["how"], "joined");
    assert_eq!(told["way"]["name"], web.container.name.as_str());
    assert!(!reasons(told).contains(&"network-capability"), "{told}");

    assert_eq!(subject(&audit, &bridge.id), None, "a bridge container is not in there");

    // The list of Docker is right about one of them.
    let listed = docker.run(["ps", "--quiet", "--no-trunc", "--filter", "network=host"]);
    let agreement = &audit["docker_ps"][0];
    let mut theirs: Vec<&str> = listed.lines().collect();
    theirs.sort_unstable();
    assert_eq!(agreement["listed"], serde_json::json!(theirs));
    assert!(theirs.contains(&web.container.id.as_str()));
    let wrong = agreement["disagreements"].as_array().expect("a list");
    let about = |id: &str| wrong.iter().find(|one| one["container_id"] == id);
    assert!(about(&web.container.id).is_none());
    assert_eq!(about(&side.id).expect("told")["is_listed"], false);
    assert!(about(&bridge.id).is_none());

    let checks = audit["cis"]["containers"].as_array().expect("a list");
    let result =
        |id: &str| &checks.iter().find(|one| one["container_id"] == id).expect("told")["result"];
    assert_eq!(result(&web.container.id), "fail");
    assert_eq!(result(&side.id), "fail");
    assert_eq!(result(&bridge.id), "pass");
}

#[test]
fn a_process_that_entered_from_a_container_is_told() {
    needs_root!();
    needs_docker!("the declared network");
    let docker = Docker::shared();
    let bridge = docker.launch("bridge").start(["sleep", "1000"]);
    let auditor = Auditor::new("");
    assert_eq!(auditor.of(&bridge.id), None);

    // In the container's cgroup it is the container's.
    let process = entered(&bridge, true);
    let told = auditor.of(&bridge.id).expect("it is told");
    assert_eq!(told["way"]["how"], "entered");
    assert_eq!(told["processes"].as_array().expect("a list").len(), 1);
    assert_eq!(told["processes"][0]["pid"], process.0.id());
    assert_eq!(told["risk"], "critical");
    assert!(reasons(&told).contains(&"entered"), "{told}");
    drop(process);
    assert_eq!(auditor.of(&bridge.id), None, "it is gone");

    // Outside of it, its mounts tell where it is from.
    let process = entered(&bridge, false);
    let audit = auditor.json();
    let subjects = audit["in_host_network"].as_array().expect("a list");
    let is_it = |one: &&Value| one["processes"][0]["pid"] == process.0.id();
    let told = subjects.iter().find(is_it).expect("it is told");
    assert_eq!(told["kind"], "container-unknown");
    assert_eq!(told["way"]["mounts_of"], bridge.name.as_str());
    assert!(reasons(told).contains(&"container-mounts"), "{told}");
}

/// A container that enters the host's network by its own power: setns(2), with the
/// host's namespace in a file of its own.
#[test]
fn a_container_that_enters_by_setns_is_told() {
    needs_root!();
    needs_docker!("the declared network");
    let volume = format!("--volume=/proc/{}/ns/net:/netns", std::process::id());
    let options =
        ["--pid=host", "--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", volume.as_str()];
    let enter = "/bin/busybox nsenter -n/netns /bin/sleep 1001 & exec sleep 1000";
    let bridge = Docker::shared().launch("bridge").options(options).start(["sh", "-c", enter]);
    let auditor = Auditor::new("");
    wait_for("a process in the host's network", || auditor.of(&bridge.id).is_some());
    let told = auditor.of(&bridge.id).expect("it is told");
    assert_eq!(told["way"]["how"], "entered");
    assert_eq!(told["way"]["declared"], "bridge");
    let found = reasons(&told);
    for reason in ["entered", "host-processes", "admin-capability"] {
        assert!(found.contains(&reason), "{reason} in {found:?}");
    }
    let agreement = auditor.json()["docker_ps"][0]["disagreements"].to_string();
    assert!(agreement.contains("have moved into the host's"), "{agreement}");
}

#[test]
fn a_container_of_another_runtime_is_told_by_its_cgroup() {
    needs_root!();
    let runtime = if has_docker("another runtime's name") {
        Docker::shared().host()
    } else {
        "unix:///nonexistent/docker.sock"
    };
    let (root, directory) = (TempDir::new().expect("a directory"), TempDir::new().expect("one"));
    fill_image(root.path());
    let id = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
    let pid_file = directory.path().join("pid");
    let mut command = Command::new(program("bare"));
    command.args(["run", id]).arg(root.path()).arg(&pid_file);
    command.args(["--network", "host", "--", "/bin/sleep", "1000"]).stdin(Stdio::null());
    let shim = Ended(command.spawn().expect("bare can be started"));
    wait_for("the container", || pid_file.exists());
    let auditor = Auditor::asking(runtime, "");
    wait_for("its program", || auditor.of(id).is_some());
    let told = auditor.of(id).expect("it is told");
    assert_eq!(told["way"]["how"], "unknown");
    assert_eq!(told["attribution"]["confidence"], "path");
    assert!(reasons(&told).contains(&"unconfirmed"), "{told}");
    let pid = fs::read_to_string(&pid_file).expect("a process id");
    assert_eq!(told["processes"][0]["pid"].to_string(), pid);
    let pid = rustix::process::Pid::from_raw(pid.parse().expect("a number"));
    rustix::process::kill_process(pid.expect("one"), rustix::process::Signal::KILL)
        .expect("our own");
    drop(shim);
}

#[test]
fn expectations_are_of_the_configuration_and_of_labels() {
    needs_root!();
    needs_docker!("names and labels");
    let docker = Docker::shared();
    let run = |labels: &[&str]| {
        let mut launch = docker.launch("host");
        for label in labels {
            launch = launch.options(["--label", label]);
        }
        launch.start(["sleep", "1000"])
    };
    let label = ["hostnet.expected=true", "hostnet.reason=metrics\x1b[2J", "hostnet.owner=sre"];
    let ended = [label.as_slice(), &["hostnet.until=2020-01-31"]].concat();
    let (by_config, by_label, expired) = (run(&[]), run(&label), run(&ended));
    let old = docker.launch("host").start(["sleep", "1000"]);
    let config = format!(
        "[expectations]\ntrust_labels = TRUST\n\
         [[expect]]\nname = \"{}\"\nowner = \"ops\"\nreason = \"proxy\"\nuntil = 2099-01-31\n\
         bind = [\"tcp/80\"]\n[[expect]]\nname = \"{}\"\nreason = \"was needed\"\nuntil = 2020-01-31\n",
        by_config.name, old.name
    );
    let auditor = Auditor::new(&config.replace("TRUST", "true"));
    let audit = auditor.json();
    let of = |id: &str| subject(&audit, id).expect("told");
    let told = of(&by_config.id);
    assert_eq!(told["expectation"]["standing"], "expected");
    assert_eq!(told["expectation"]["by"]["source"], "config");
    assert_eq!(told["expectation"]["owner"], "ops");
    assert!(!reasons(told).contains(&"unexpected"));
    let told = of(&by_label.id);
    assert_eq!(told["expectation"]["standing"], "expected");
    assert_eq!(told["expectation"]["by"]["source"], "label");
    assert!(reasons(told).contains(&"says-itself"));
    for id in [&expired.id, &old.id] {
        assert_eq!(of(id)["expectation"]["standing"], "expired");
        assert!(reasons(of(id)).contains(&"expired"));
    }
    let table = text(&auditor.run([]).stdout);
    assert!(!table.contains('\x1b'), "a label drives the terminal: {table:?}");
    assert!(table.contains("metrics\\x1b[2J (sre)"), "{table}");

    let strict = Auditor::new(&config.replace("trust_labels = TRUST\n", ""));
    let told = strict.of(&by_label.id).expect("told");
    assert_eq!(told["expectation"]["standing"], "unexpected");
    assert!(told["expectation"]["because"].to_string().contains("trust_labels"), "{told}");
    let output = strict.run(["--fail-on", "unexpected"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn the_forms_are_what_their_standards_say() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let socket = docker.host().trim_start_matches("unix://");
    let volume = format!("{socket}:/run/docker.sock");
    let mut web = docker.launch("host").options(["--volume", &volume]).actor();
    web.one("listen 127.0.0.1 0");
    let auditor = Auditor::new("");
    let told = auditor.of(&web.container.id).expect("told");
    assert_eq!((&told["risk"], reasons(&told)[0]), (&"critical".into(), "runtime-socket"));
    assert_eq!(told["exposed"][0]["container_path"], "/run/docker.sock");

    let schema = ocsf::Schema::read();
    let lines = text(&auditor.run(["--format", "ocsf"]).stdout);
    let ours: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|event: &Value| event.to_string().contains(&web.container.id))
        .collect();
    assert!(ours.len() >= 2, "{lines}");
    for event in &ours {
        assert_eq!(event["class_uid"], 5040);
        assert_eq!(schema.errors(event), Vec::<String>::new(), "{event}");
    }

    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("audit.sarif");
    let path = file.to_str().expect("UTF-8");
    fs::write(&file, "something longer than nothing").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    let output = auditor.run(["--format", "sarif", "--output", path, "--fail-on", "critical"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let log: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("a list");
    let is_it = |result: &&Value| {
        let place = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
        result["ruleId"] == "runtime-socket" && *place == web.container.id
    };
    let result = results.iter().find(is_it).expect("told");
    assert_eq!(result["level"], "error");
    // Code hosts refuse the whole file when one result has no place in a file.
    let place = &result["locations"][0]["physicalLocation"];
    let uri = format!("containers/{}", web.container.name);
    assert_eq!(place["artifactLocation"]["uri"], uri.as_str(), "{result}");
    assert_eq!(place["region"]["startLine"], 1, "{result}");
}

#[test]
fn what_cannot_be_seen_is_said() {
    needs_root!(no owners);
    // Somebody who takes every question and answers none.
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("silent.sock");
    let _silent = UnixListener::bind(&socket).expect("a socket");
    let silent = Auditor::asking(&format!("unix://{}", socket.display()), "");
    let output = silent.run(["--format", "json"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let audit: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(audit["complete"], false);
    let gaps = audit["gaps"].to_string();
    assert!(gaps.contains("does not answer") && gaps.contains("no answer within 1s"), "{gaps}");
    let absent = Auditor::asking("unix:///nonexistent/docker.sock", "");
    let output = absent.run([]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(text(&output.stdout).contains("no such socket"), "{output:?}");

    // Where everybody may run it, as the checkout may be nobody else's to read.
    let program = NamedTempFile::new().expect("a temporary file").into_temp_path();
    fs::copy(hostnet(), &program).expect("a copy");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
    let mut command = Command::new(&program);
    let output = command.arg("audit").uid(65534).gid(65534).output().expect("it can be started");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("not root"), "{output:?}");

    let wrong = Auditor::asking("", "[[expect]]\nname = \"a\"\n");
    let output = wrong.run([]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = text(&output.stderr);
    assert!(error.contains("line 1: the expect entry of name a has no reason"), "{error}");
}
