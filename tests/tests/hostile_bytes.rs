//! Names, labels, arguments and programs chosen by an attacker: one event is one
//! line, no byte is lost, and no byte drives a terminal.
//!
//! That no line of any run has a control character is checked by `Agent::stop`.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _, net::UnixDatagram},
    process::Command,
    thread,
    time::Duration,
};

use hostnet_tests::{
    ActorBox, Agent, Docker, Rewriter, Run, Terminal,
    cgroups::{self, HostCgroup},
    hostile_controls, hostnet, import_as, needs_docker, needs_root, net, want,
};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Title change, screen erase, mouse reporting, an event of its own, C1, DEL,
/// right-to-left override, quotes.
const HOSTILE: &str = "\x1b]0;owned\x07\x1b[2J\x1b[?1000h\n{\"event\":{\"id\":\"forged\"}}\r\n\u{9b}31m\x7f\u{202e}\"'\\";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn no_forged_event(run: &Run) {
    run.none(&want().is("event.id", "forged"));
}

/// The actor, copied to `path`, connects to a fresh port with extra arguments.
fn connect_as(actor: &mut ActorBox, path: &[u8], arguments: &[&[u8]]) -> u16 {
    let port = net::closed_port();
    let argv: Vec<String> = arguments.iter().map(|argument| hex(argument)).collect();
    let argv = if argv.is_empty() { String::new() } else { format!("--argv {}", argv.join(",")) };
    let path = hex(path);
    actor.perform(&format!("spawn -- exec-as {argv} {path} -- tcp-connect 127.0.0.1 {port}"));
    port
}

/// What the agent finds at its start, whatever a cgroup above it is called.
#[test]
fn a_cgroup_with_a_name_that_is_no_text_hides_nothing_below_it() {
    needs_root!();
    let cgroup = HostCgroup::new("odd");
    let odd = cgroup.directory().join(OsStr::from_bytes(b"a\xff"));
    let inside = odd.join("in");
    for directory in [&odd, &inside] {
        fs::create_dir(directory).expect("root may make a cgroup");
    }
    let id = fs::metadata(&inside).expect("a cgroup").ino();
    let found = ::hostnet::sources::procfs::cgroups(&cgroups::root());
    for directory in [&inside, &odd] {
        fs::remove_dir(directory).expect("it is empty");
    }
    let path = found.into_iter().find_map(|(one, path)| (one == id).then_some(path));
    assert_eq!(path, Some(format!("{}/a\\xff/in", cgroup.path)));
}

#[test]
fn valid_utf8_comes_back_to_the_byte() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let path = "/tmp/evil\x1b[2J\n\"\u{9b}x";
    let port = connect_as(&mut actor, path.as_bytes(), &[HOSTILE.as_bytes(), b"", b"plain"]);
    let port_text = port.to_string();
    let args = json!([path, "tcp-connect", "127.0.0.1", port_text, "--", HOSTILE, "", "plain"]);
    let event = agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port)
            .is("process.args", args.clone())
            .is("process.args_count", 8)
            .is("process.executable", path)
            .owned_by(&actor.container),
    );
    let name = event["process"]["name"].as_str().expect("a name");
    assert_eq!(name, path.trim_start_matches("/tmp/"));
    agent.expect(&want().action("exec").is("process.args", args));
    no_forged_event(&agent.stop());
}

/// Readable with `\xNN`, and the exact bytes in hexadecimal beside it.
#[test]
fn invalid_utf8_is_readable_and_exact() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let argument = b"\xff\xfe\x1b[31m\n\"\x80end";
    let port = connect_as(&mut actor, b"/tmp/bad\xff\n", &[argument]);
    let event = agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port)
            .is("process.args_count", 6)
            .owned_by(&actor.container),
    );
    let last = event["process"]["args"][5].as_str().expect("text");
    assert_eq!(last, "\\xff\\xfe\x1b[31m\n\"\\x80end", "{event}");
    assert_eq!(event["process"]["executable"], "/tmp/bad\\xff\n", "{event}");
    let exact = &event["hostnet"]["process"];
    assert_eq!(exact["args_hex"][5], hex(argument).as_str(), "{event}");
    assert_eq!(exact["executable_hex"], hex(b"/tmp/bad\xff\n").as_str(), "{event}");
    no_forged_event(&agent.stop());
}

#[test]
fn a_renamed_process() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let ports: Vec<u16> = [&b"\x1b]0;x\x07\n\"\xff"[..], b"\n{\"event\":{}}", b"\x9b2J"]
        .iter()
        .map(|name| {
            let port = net::closed_port();
            actor.perform(&format!("prctl-name {}", hex(name)));
            actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
            port
        })
        .collect();
    for port in ports {
        let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
        agent.expect(&connect.owned_by(&actor.container).is("process.executable", "/actor"));
    }
    no_forged_event(&agent.stop());
}

#[test]
fn hostile_labels() {
    needs_root!();
    needs_docker!("labels");
    let agent = Agent::start();
    let labels = [
        format!("value={HOSTILE}"),
        format!("{HOSTILE}=key"),
        format!("a.b.c={}", "x".repeat(9000)),
    ];
    let options = ["--label", &labels[0], "--label", &labels[1], "--label", &labels[2]];
    let mut actor = Docker::shared().launch("host").options(options).actor();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    agent.expect(&connect.owned_by(&actor.container));
    let run = agent.stop();
    let joined = want().action("container-joined-host-network").owned_by(&actor.container);
    let event = run.only(&joined);
    assert_eq!(event["container"]["labels"]["value"], HOSTILE, "{event}");
    no_forged_event(&run);
}

/// How often each of two containers acts.
const ACTS: usize = 20;

/// Lines of a syslog receiver, until the agent has gone.
fn syslog_messages(listener: &TcpListener) -> Vec<Vec<u8>> {
    let (stream, _) = listener.accept().expect("the agent connects");
    let mut stream = BufReader::new(stream);
    let mut messages = Vec::new();
    loop {
        let mut length = Vec::new();
        stream.read_until(b' ', &mut length).expect("a length");
        let Some((_, length)) = length.split_last() else { return messages };
        let length: usize = str::from_utf8(length).expect("text").parse().expect("a number");
        let mut message = vec![0; length];
        stream.read_exact(&mut message).expect("a message");
        messages.push(message);
    }
}

/// An image chooses its labels. However long they are, a sink takes the events of its
/// containers, and a neighbour's.
#[test]
fn events_of_an_image_with_long_labels_fit_every_sink() {
    needs_root!();
    needs_docker!("images and their labels");
    let docker = Docker::shared();
    let image = format!("{}:1", Docker::fresh_name("labels"));
    let long = "\u{1}".repeat(254);
    let changes: Vec<String> =
        (10..74).map(|number| format!("LABEL \"{number}{long}\"=\"{long}\"")).collect();
    import_as(docker, &image, &changes);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("datagrams");
    let datagrams = UnixDatagram::bind(&path).expect("a socket");
    datagrams.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let syslog = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = syslog.local_addr().expect("bound");
    let syslog = thread::spawn(move || syslog_messages(&syslog));
    let agent = Agent::setup()
        .sink(&format!("type = \"unix\"\npath = \"{}\"\nmode = \"datagram\"", path.display()))
        .sink(&format!("type = \"syslog\"\naddress = \"{address}\""))
        .start();
    let mut hostile = docker.launch("host").image(&image).actor();
    let mut neighbour = docker.launch("host").actor();
    let mut ports: BTreeSet<u64> = BTreeSet::new();
    for _ in 0..ACTS {
        for actor in [&mut hostile, &mut neighbour] {
            ports.insert(actor.connect_refused().into());
        }
    }
    let of = |id: &str, event: &Value| event["container"]["id"] == *id;
    let mut left = ports.clone();
    let mut buffer = vec![0; 1 << 20];
    while !left.is_empty() {
        let length = datagrams.recv(&mut buffer).expect("an event of the rest within a minute");
        let event: Value = serde_json::from_slice(&buffer[..length]).expect("a whole event");
        if of(&hostile.container.id, &event) || of(&neighbour.container.id, &event) {
            assert!(length <= 7680, "{length} bytes: {event}");
            left.remove(&event["hostnet"]["remote"]["port"].as_u64().unwrap_or_default());
        }
    }
    let run = agent.stop();
    run.none(&want().action("sink-dropped"));
    for actor in [&hostile, &neighbour] {
        let attempts = run.all(&want().action("connection_attempted").owned_by(&actor.container));
        assert_eq!(attempts.len(), ACTS, "each is reported");
    }
    let joined = want().action("container-joined-host-network").owned_by(&hostile.container);
    let event = run.only(&joined);
    let cut = event["hostnet"]["container"]["labels_cut"].as_u64().expect("a count");
    assert!(cut > 0 && event["container"]["labels"].as_object().is_some(), "{event}");
    let mut left = ports;
    for message in syslog.join().expect("messages") {
        let is_of = |actor: &ActorBox| {
            let id = actor.container.id.as_bytes();
            message.windows(id.len()).any(|some| some == id)
        };
        if is_of(&hostile) || is_of(&neighbour) {
            assert!(message.len() <= 8192, "{} bytes", message.len());
            let document = message.splitn(2, |byte| *byte == b']').nth(1).expect("a document");
            let event: Value = serde_json::from_slice(document).expect("a whole event");
            left.remove(&event["hostnet"]["remote"]["port"].as_u64().unwrap_or_default());
        }
    }
    assert!(left.is_empty(), "syslog has no event of {left:?}");
}

/// Docker refuses such a name; a runtime that lies does not.
const PLAIN_NAME: &str = "hnt-hostile-name-0123456789-0123456789-0123456789-0123456789";
const HOSTILE_NAME: &str = "\x1b]0;o\x07\x1b[2J\n\"\u{9b}";

fn hostile_name_as_json() -> String {
    let start = "\\u001b]0;o\\u0007\\u001b[2J\\n\\\"\\u009b";
    let rest = "x".repeat(PLAIN_NAME.len() - start.len());
    format!("{start}{rest}")
}

fn is_hostile_name(name: &Value) -> bool {
    name.as_str().is_some_and(|name| name.starts_with(HOSTILE_NAME))
}

#[test]
fn a_hostile_container_name() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let between = Rewriter::start(docker.host(), PLAIN_NAME, &hostile_name_as_json());
    let agent = Agent::setup().docker_host(&between.host()).start();
    let mut actor = docker.launch("host").name(PLAIN_NAME).actor();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    let event = agent
        .expect(&connect.is("container.id", actor.container.id.as_str()).present("container.name"));
    assert!(is_hostile_name(&event["container"]["name"]), "{event}");
    no_forged_event(&agent.stop());
}

/// Everything at once on a terminal, as a table for a person.
#[test]
fn no_hostile_byte_reaches_a_terminal() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let between = Rewriter::start(docker.host(), PLAIN_NAME, &hostile_name_as_json());
    for (columns, all) in [(200, false), (80, false), (40, false), (200, true)] {
        let mut command = Command::new(hostnet());
        command.arg("watch").env("DOCKER_HOST", between.host());
        if all {
            command.arg("--all");
        }
        let terminal = Terminal::run(command, columns);
        terminal.expect("the first line", |text| !text.trim().is_empty());
        let label = format!("value={HOSTILE}");
        let launch = docker.launch("host").name(PLAIN_NAME).options(["--label", &label]);
        let mut actor = launch.actor();
        let path = b"/tmp/evil\x1b[2J\n\"\xff";
        let port = connect_as(&mut actor, path, &[HOSTILE.as_bytes(), b"\xff\x9b\x1b]0;y\x07"]);
        actor.perform(&format!("prctl-name {}", hex(b"\x1b[2J\xff\n")));
        // Eighteen digits of address and port that no table cuts.
        actor.one(&format!("bind 127.0.0.1 {port}"));
        terminal.expect("the bind", |text| text.contains(&port.to_string()));
        let (status, output) = terminal.end(Signal::INT);
        assert!(status.success(), "{status}");
        let hostile = hostile_controls(&output);
        assert!(hostile.is_empty(), "{hostile:?} in {:?}", String::from_utf8_lossy(&output));
        let text = String::from_utf8_lossy(&output);
        assert!(!text.contains('\u{202e}'), "text runs backwards: {text:?}");
    }
}
