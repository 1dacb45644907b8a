//! What hostnet cannot do, it says exactly, with the exit code scripts rely on.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use hostnet_tests::{
    Agent, Docker, hostnet, needs_docker, needs_root, net, patience, program, want,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const USAGE: i32 = 2;
const CANNOT_OBSERVE: i32 = 3;
const PARTIAL: i32 = 4;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Runs it to its end; it must end by itself, say why on standard error alone,
/// and not by a panic.
fn refusal(command: &mut Command) -> (i32, String) {
    let output = command.stdin(Stdio::null()).output().expect("hostnet can be started");
    let Output { status, stdout, stderr } = output;
    let message = String::from_utf8(stderr).expect("messages are UTF-8");
    assert!(!message.contains("panicked"), "{message}");
    assert!(!message.trim().is_empty(), "ended with {status} and said nothing");
    let stdout = String::from_utf8_lossy(&stdout);
    assert!(stdout.is_empty(), "standard output is for data: {stdout}");
    (status.code().unwrap_or_else(|| panic!("{status}: {message}")), message)
}

/// `timeout` so that an agent that does not refuse fails the test.
fn observing() -> Command {
    let mut command = Command::new("timeout");
    command.args(["-k", "20", &patience().as_secs().to_string()]).arg(hostnet());
    // Not where an agent of this machine has its history.
    let state = format!("hostnet-refusals-{}", std::process::id());
    command.env("STATE_DIRECTORY", std::env::temp_dir().join(state));
    command
}

fn refused_with(code: i32, words: &[&str], command: &mut Command) {
    let (found, message) = refusal(command);
    assert_eq!(found, code, "{message}");
    for word in words {
        let there = message.to_lowercase().contains(&word.to_lowercase());
        assert!(there, "the message does not say {word:?}: {message}");
    }
}

/// A config file that is fine but for what the test puts into it.
fn config(directory: &Path, text: &str) -> String {
    let path = directory.join("config.toml");
    fs::write(&path, text).expect("a config file");
    path.to_str().expect("UTF-8").to_owned()
}

const GOOD: &str = "[[sink]]\ntype = \"stdout\"\nformat = \"ecs\"\n";

#[test]
fn not_root() {
    needs_root!(no owners);
    // Nobody must be able to reach the program; the build directory may be private.
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let program = directory.path().join("hostnet");
    fs::copy(hostnet(), &program).expect("a copy");
    let config = config(directory.path(), GOOD);
    for arguments in [&["watch"][..], &["agent", "--config", &config]] {
        let mut command = Command::new("timeout");
        command
            .args(["-k", "20", &patience().as_secs().to_string()])
            .arg(&program)
            .args(arguments)
            .uid(65_534)
            .gid(65_534);
        refused_with(CANNOT_OBSERVE, &["root"], &mut command);
    }
}

#[test]
fn no_btf() {
    needs_root!(no owners);
    let path = "/nonexistent/vmlinux";
    let mut watch = observing();
    watch.arg("watch").env("HOSTNET_BTF", path);
    refused_with(CANNOT_OBSERVE, &["BTF", path], &mut watch);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), b"no BTF at all").expect("room");
    let mut watch = observing();
    watch.arg("watch").env("HOSTNET_BTF", file.path());
    refused_with(CANNOT_OBSERVE, &["BTF"], &mut watch);
}

/// A script in a mount namespace of its own, where no cgroup-v2 tree is mounted.
fn without_cgroup2(script: &str) -> Command {
    let unmount = "awk '$3 == \"cgroup2\" {print $2}' /proc/mounts | xargs -r -n1 umount -l";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command.arg(format!("{unmount}; ! grep -q ' cgroup2 ' /proc/mounts || exit 99; {script}"));
    command.arg("sh").arg(hostnet());
    command
}

/// Not mounted, and the kernel does not know it.
#[test]
fn no_cgroup_v2() {
    needs_root!(no owners);
    let mut command =
        without_cgroup2("exec timeout -k 1 120 \"$2\" without-mounts -- \"$1\" watch");
    command.arg(program("actor"));
    refused_with(CANNOT_OBSERVE, &["cgroup v2", "no such device"], &mut command);
}

/// Not mounted, but root may mount it for itself.
#[test]
fn cgroup_v2_that_nobody_mounted() {
    needs_root!();
    let mut actor = Docker::shared().launch("host").actor();
    let agent = Agent::setup().wrapped(without_cgroup2("exec \"$@\"")).start();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    agent.expect(
        &want().is("hostnet.remote.port", port).is("container.id", actor.container.id.as_str()),
    );
    agent.stop();
}

/// Containers' cgroups have other paths there; the agent says so and ends.
#[test]
fn e27_an_agent_in_a_cgroup_namespace_of_its_own() {
    needs_root!(no owners);
    let within = |arguments: &str| {
        let mut command = Command::new("unshare");
        let script = format!("exec timeout -k 1 120 \"$0\" {arguments}");
        command.args(["--cgroup", "sh", "-c", &script]).arg(hostnet());
        command
    };
    refused_with(CANNOT_OBSERVE, &["cgroup namespace", "--cgroupns=host"], &mut within("watch"));
    let output = within("doctor").stdin(Stdio::null()).output().expect("unshare can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(CANNOT_OBSERVE), "{text}");
    assert!(text.contains("cgroup namespace"), "{text}");
}

#[test]
fn broken_config() {
    let directory = directory();
    let broken = [
        ("this is not TOML", &["config.toml", "1"][..]),
        ("[observe]\nall = \"yes\"\n", &["config.toml", "line 2", "true or false"]),
        ("[observe]\neverything = true\n", &["config.toml", "everything"]),
        (
            "[[sink]]\ntype = \"pigeon\"\n",
            &["[[sink]] type \"pigeon\" is not one of stdout, file,"],
        ),
        ("[[sink]]\ntype = \"file\"\nformat = \"ecs\"\n", &["config.toml", "[[sink]] needs path"]),
        ("[observ]\nall = true\n", &["there is no section [observ]; there can be observe,"]),
    ];
    for (text, words) in broken {
        let path = config(directory.path(), text);
        refused_with(USAGE, words, observing().args(["agent", "--config", &path]));
    }
    let missing = directory.path().join("missing.toml");
    let words = ["missing.toml", "no such file"];
    refused_with(USAGE, &words, observing().arg("agent").arg("--config").arg(missing));
    let path = directory.path().to_str().expect("UTF-8");
    refused_with(USAGE, &[path], observing().args(["agent", "--config", path]));
}

#[test]
fn wrong_usage() {
    for arguments in [&["wtach"][..], &["watch", "--colour"], &["agent", "--config"], &[]] {
        let (code, message) = refusal(observing().args(arguments));
        assert_eq!(code, USAGE, "{arguments:?}: {message}");
    }
}

#[test]
fn unwritable_output() {
    needs_root!(no owners);
    let directory = directory();
    let own = directory.path().to_str().expect("UTF-8");
    let impossible = [
        (format!("{own}/missing/events.ndjson"), "no such file"),
        (own.to_owned(), "is a directory"),
        ("/proc/hostnet".to_owned(), "/proc/hostnet"),
    ];
    for (path, word) in impossible {
        let text = format!("[[sink]]\ntype = \"file\"\npath = \"{path}\"\nformat = \"ecs\"\n");
        let config = config(directory.path(), &text);
        refused_with(USAGE, &[&path, word], observing().args(["agent", "--config", &config]));
    }
}

/// A disk that fills up while the agent runs is told, not passed over in silence.
#[test]
fn output_that_fails_later() {
    needs_root!(no owners);
    let directory = directory();
    let text = "[[sink]]\ntype = \"file\"\npath = \"/dev/full\"\nformat = \"ecs\"\n";
    let config = config(directory.path(), text);
    let mut command = observing();
    command.args(["agent", "--config", &config]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut agent = command.spawn().expect("hostnet can be started");
    let mut lines = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let says = |line: &String| line.contains("/dev/full") && line.contains("No space left");
    // It observes on, for the output may come back.
    let complaint = lines.by_ref().map_while(Result::ok).find(says);
    assert!(complaint.is_some(), "it ended without a word of /dev/full");
    kill_process(Pid::from_child(&agent), Signal::TERM).expect("it runs");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = agent.wait().expect("its end");
    assert_eq!(status.code(), Some(PARTIAL), "{rest:?}");
    assert!(rest.iter().any(says), "{rest:?}");
}

/// `hostnet watch --json | head -1` ends when head does, without a complaint.
#[test]
fn a_reader_that_goes_away() {
    needs_root!(no owners);
    let program = hostnet();
    // It is by the next event that the agent finds out.
    let script =
        "(while :; do : 3<>/dev/tcp/127.0.0.1/9; sleep 0.1; done) >/dev/null 2>&1 & acts=$!
        timeout -k 1 120 \"$0\" watch --json --all | head -n 1; ended=${PIPESTATUS[0]}
        kill $acts; exit $ended";
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(program)
        .env("DOCKER_HOST", "unix:///nonexistent")
        .stdin(Stdio::null())
        .output()
        .expect("bash can be started");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!message.contains("panicked"), "{message}");
    assert!(!message.to_lowercase().contains("broken pipe"), "{message}");
    assert!(output.status.success(), "{}: {message}", output.status);
}

#[test]
fn doctor_says_what_is_wrong() {
    needs_root!(no owners);
    needs_docker!("an answer that the doctor finds good");
    let doctor = |name: &str, value: &str| {
        let output = observing().arg("doctor").env(name, value).stdin(Stdio::null()).output();
        let output = output.expect("hostnet can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
    };
    let (code, text) = doctor("DOCKER_HOST", Docker::shared().host());
    // A kernel without fexit programs is observed, but not in full.
    let expected = if text.contains("refuses the set families") { 4 } else { 0 };
    assert_eq!(code, Some(expected), "{text}");
    for word in ["BTF", "cgroup", "Docker", "bind", "connect", "accept", "sock_diag/tcp6"] {
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "{word}: {text}");
    }
    let (code, text) = doctor("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("/nonexistent/docker.sock"), "{text}");
    let (code, text) = doctor("HOSTNET_BTF", "/nonexistent/vmlinux");
    assert_eq!(code, Some(CANNOT_OBSERVE), "{text}");
    assert!(text.contains("/nonexistent/vmlinux"), "{text}");
}
