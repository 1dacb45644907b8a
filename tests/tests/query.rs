//! The history asked after all containers are gone: every question, against what they
//! did.

use std::{
    cell::RefCell,
    fs,
    path::Path,
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};

use hostnet_tests::{ActorBox, Agent, Docker, hostnet, needs_docker, needs_root, wait_for, want};
use serde_json::Value;

/// Now, as seconds since 1970.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// A history, or a file of events.
struct Asked<'a> {
    option: &'static str,
    path: &'a Path,
}

impl Asked<'_> {
    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(hostnet());
        command.arg("query").args(words).arg(self.option).arg(self.path);
        command.output().expect("hostnet can be started")
    }

    /// The rows of the answer.
    fn rows(&self, words: &[&str]) -> Vec<Value> {
        let output = self.run(&[words, &["--format", "json"]].concat());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        assert!(!text.is_empty() || said.contains("nothing"), "{words:?}: {said}");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn only(&self, words: &[&str]) -> Value {
        let mut rows = self.rows(words);
        assert_eq!(rows.len(), 1, "{words:?}: {rows:#?}");
        rows.remove(0)
    }
}

fn listen(by: &mut ActorBox, agent: &Agent, port: u16) -> u16 {
    let truth = by.one(&format!("listen 127.0.0.1 {port}"));
    let port = truth["local"]["port"].as_u64().expect("a port") as u16;
    let listens = want().action("listen-for-connections").is("hostnet.local.port", port);
    agent.expect(&listens.owned_by(&by.container));
    port
}

/// What happened, and when.
struct Story {
    names: [String; 4],
    pids: [u32; 4],
    ports: [u16; 3],
    times: [String; 6],
}

fn play(agent: &Agent, mut before: ActorBox, before_port: u16, started: String) -> Story {
    let launch = || Docker::shared().launch("host").actor();
    let (mut server, mut client, mut second) = (launch(), launch(), launch());
    let all = [&server, &client, &second, &before];
    let names = all.map(|one| one.container.name.clone());
    let pids = all.map(|one| one.container.pid);
    let port = listen(&mut server, agent, 0);
    server.begin(&format!("serve {port} --count 1 --reply 300"));
    let done = client.one(&format!("tcp-connect 127.0.0.1 {port} --send 80"));
    assert_eq!(done["result"], "ok", "{done}");
    server.finish();
    server.container.exec(["sh", "-c", "true"]);
    let while_first = now();
    server.one(&format!("unlisten {port}"));
    agent.expect(&want().action("closed-listener").is("hostnet.local.port", port));
    let between = now();
    listen(&mut second, agent, port);
    let while_second = now();
    server.begin("udp-serve 0 --count 1");
    let bound = server.told();
    let udp = bound["local"]["port"].as_u64().expect("a port") as u16;
    agent.expect(&want().action("bound-socket").is("hostnet.local.port", udp));
    let while_udp = now();
    client.one(&format!("udp-send 127.0.0.1 {udp}"));
    server.finish();
    let closed = want().action("disconnect_received").is("network.transport", "udp");
    agent.expect(&closed.is("hostnet.local.port", udp));
    for one in [server, client, second] {
        let id = one.container.id.clone();
        drop(one);
        let left = want().action("container-left-host-network");
        agent.expect(&left.is("container.id", id.as_str()));
    }
    agent.marker();
    before.one(&format!("unlisten {before_port}"));
    agent.expect(&want().action("closed-listener").is("hostnet.local.port", before_port));
    let after = now();
    drop(before);
    // Something later, so that the record does not end before that moment.
    agent.marker();
    let times = [started, while_first, between, while_second, while_udp, after];
    Story { names, pids, ports: [port, udp, before_port], times }
}

/// Who had each port when.
fn ports(asked: &Asked<'_>, story: &Story) {
    let Story { names, pids, ports: [port, udp, before_port], times } = story;
    let [started, while_first, between, while_second, while_udp, after] = times;
    let ask = |port: &u16, at: &str| {
        asked.only(&["who-had-port", &port.to_string(), "--at", at, "--limit", "9"])
    };
    for (port, at, who, protocol, state) in [
        (port, while_first, 0, "tcp", "listening"),
        (port, while_second, 2, "tcp", "listening"),
        (udp, while_udp, 0, "udp", "bound"),
        (before_port, while_first, 3, "tcp", "listening"),
    ] {
        let row = ask(port, at);
        assert_eq!(row["answer"], "held", "{row:#}");
        assert_eq!(row["container"], names[who].as_str(), "{row:#}");
        assert_eq!(row["pid"], pids[who], "{row:#}");
        assert_eq!(row["protocol"], protocol, "{row:#}");
        assert_eq!(row["state"], state, "{row:#}");
        assert_eq!(row["address"], "127.0.0.1", "{row:#}");
    }
    assert_eq!(ask(before_port, while_first)["began"], "existed");
    assert_eq!(ask(port, between)["answer"], "nobody");
    assert_eq!(ask(port, after)["answer"], "nobody", "its container left");
    assert_eq!(ask(udp, after)["answer"], "nobody");
    let row = ask(port, started);
    assert_eq!(row["answer"], "unknown", "no agent ran: {row:#}");
    assert!(row["why"].as_str().is_some_and(|why| why.contains("begins at")), "{row:#}");
    let ever = asked.rows(&["who-had-port", &port.to_string()]);
    assert_eq!(ever.len(), 2, "{ever:#?}");
}

/// Everything else.
fn rest(asked: &Asked<'_>, story: &Story) {
    let Story { names, pids, ports: [port, ..], times } = story;
    let port = port.to_string();
    let [server, client, ..] = names;
    let listeners = asked.rows(&["listeners", "--container", server]);
    let first = listeners.iter().find(|row| row["protocol"] == "tcp").expect("it listened");
    assert_eq!((&first["ended"], &first["exposure"]), (&"closed".into(), &"loopback".into()));
    let sent = asked.only(&["peers", client, "--port", &port]);
    for (field, value) in [("begun", 1), ("ended", 1), ("bytes_sent", 80), ("bytes_received", 300)]
    {
        assert_eq!(sent[field], value, "{field} of {sent:#}");
    }
    assert_eq!((&sent["peer"], &sent["direction"]), (&server.as_str().into(), &"egress".into()));
    let both = asked.rows(&["peers", "--ip", "127.0.0.1", "--port", &port]);
    assert!(both.iter().any(|row| row["direction"] == "ingress"), "{both:#?}");
    let flow = asked.only(&["flows", client, "--port", &port]);
    for (field, value) in [("orig_bytes", 80), ("resp_bytes", 300)] {
        assert_eq!(flow[field], value, "{field} of {flow:#}");
    }
    assert_eq!((&flow["conn_state"], &flow["local_orig"]), (&"SF".into(), &true.into()));
    assert!(flow["community_id"].as_str().is_some_and(|id| id.starts_with("1:")), "{flow:#}");
    let containers = asked.rows(&["containers"]);
    for name in names {
        let row = containers.iter().find(|row| row["container"] == name.as_str());
        let row = row.unwrap_or_else(|| panic!("{name} is not among {containers:#?}"));
        assert_eq!(row["declared"], "host", "{row:#}");
    }
    let processes = asked.rows(&["processes", "--container", server]);
    let first = processes.iter().find(|row| row["pid"] == pids[0]).expect("its first process");
    assert!(first["end"].is_string() && first["executable"] == "/actor", "{first:#}");
    let tree = asked.rows(&["tree", server]);
    assert!(tree.iter().any(|row| row["pid"] == pids[0] && row["depth"] == 0), "{tree:#?}");
    assert!(tree.iter().any(|row| row["process"] == "sh"), "{tree:#?}");
    let around = asked.rows(&["around", &times[1], "--within", "1m", "--container", server]);
    assert!(around.iter().any(|event| event["event"]["action"] == "listen-for-connections"));
    let seen = asked.rows(&["first-seen", &port]);
    assert!(seen.iter().any(|row| row["container"] == client.as_str()), "{seen:#?}");
    assert!(seen.iter().any(|row| row["how"] == "listening"), "{seen:#?}");
    let image = asked.rows(&["first-seen", hostnet_tests::IMAGE]);
    assert!(image.len() >= 4, "{image:#?}");
    let statement = "SELECT container FROM listeners WHERE port = ".to_owned() + &port;
    assert_eq!(asked.rows(&["sql", &statement]).len(), 2);
    let findings = asked.rows(&["findings", "--container", client]);
    assert!(findings.iter().all(|row| row["time"].is_string()), "{findings:#?}");
    let text = |words: &[&str]| String::from_utf8(asked.run(words).stdout).expect("UTF-8");
    let table = text(&["events", "--container", client]);
    assert!(table.starts_with("TIME") && table.contains(client), "{table}");
    let csv = text(&["peers", "--format", "csv"]);
    assert!(csv.starts_with("container,container_id,image,direction,"), "{csv}");
    let sketch = text(&["listeners", "--format", "timesketch"]);
    let line: Value = serde_json::from_str(sketch.lines().next().expect("a line")).expect("JSON");
    for field in ["message", "datetime", "timestamp_desc"] {
        assert!(line[field].is_string(), "{field} of {line:#}");
    }
    assert!(line["timestamp"].is_u64(), "{line:#}");
}

#[test]
fn every_question_after_all_containers_are_gone() {
    needs_root!();
    needs_docker!("containers' names");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.db");
    let started = now();
    let mut before = Docker::shared().launch("host").actor();
    let truth = before.one("listen 127.0.0.1 0");
    let before_port = truth["local"]["port"].as_u64().expect("a port") as u16;
    let agent = Agent::setup().history(&path).start();
    let existing = want().action("existing_socket").is("hostnet.local.port", before_port);
    agent.expect(&existing.owned_by(&before.container));
    let story = play(&agent, before, before_port, started);
    let history = Asked { option: "--history", path: &path };
    // While the agent writes it.
    ports(&history, &story);
    let run = agent.stop();
    ports(&history, &story);
    rest(&history, &story);
    let lines: Vec<String> = run.events.iter().map(Value::to_string).collect();
    let file = directory.path().join("events.ndjson");
    fs::write(&file, lines.join("\n")).expect("room");
    let file = Asked { option: "--file", path: &file };
    ports(&file, &story);
    rest(&file, &story);
    let output = history.run(&["peers", "no-such-container"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let output = history.run(&["events", "--since", "tomorrow-ish"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Every daemon that goes to the background does this.
#[test]
fn a_socket_is_held_after_the_process_that_opened_it_has_ended() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.db");
    let mut daemon = Docker::shared().launch("host").actor();
    let mut client = Docker::shared().launch("host").actor();
    let agent = Agent::setup().history(&path).start();
    let bound = daemon.perform("spawn -- udp-daemon 0 --count 2").remove(0);
    let port = bound["local"]["port"].as_u64().expect("a port");
    let bind = want().action("bound-socket").is("hostnet.local.port", port);
    let bind = agent.expect(&bind.owned_by(&daemon.container));
    let (first, cookie) = (&bind["process"], bind["hostnet"]["socket"]["cookie"].clone());
    let ends = want().action("end").is("process.entity_id", first["entity_id"].clone());
    agent.expect(&ends.is("process.pid", first["pid"].clone()));
    let history = Asked { option: "--history", path: &path };
    let number = port.to_string();
    let ask = |at: &str| history.only(&["who-had-port", &number, "--at", at]);
    let after_exit = now();
    agent.marker();
    let row = ask(&after_exit);
    assert_eq!(row["answer"], "perhaps", "whether a child has it is not known: {row:#}");
    let why = row["why"].as_str().expect("a reason");
    assert!(why.contains(&format!("(pid {})", first["pid"])) && why.contains("inherited"), "{why}");
    let open = history.rows(&["listeners"]);
    let open = open.iter().find(|row| row["port"] == port).expect("it may listen still");
    assert!(open["until"].is_null() && open["why"].is_string(), "{open:#}");
    // Somebody is answered: it was there all the time.
    client.perform(&format!("udp-send 127.0.0.1 {port}"));
    let arrival = want().action("connection_accepted").is("hostnet.local.port", port);
    agent.expect(&arrival.is("hostnet.socket.cookie", cookie.clone()));
    assert_eq!(ask(&after_exit)["answer"], "held", "a datagram came to it later");
    agent.stop();
    let agent = Agent::setup().history(&path).start();
    let existing = want().action("existing_socket").is("hostnet.socket.cookie", cookie);
    agent.expect(&existing.owned_by(&daemon.container));
    let after_restart = now();
    agent.marker();
    let row = ask(&after_restart);
    assert_eq!((&row["answer"], &row["ended"]), (&"held".into(), &Value::Null), "{row:#}");
    client.perform(&format!("udp-send 127.0.0.1 {port}"));
    let closed = want().action("disconnect_received").is("hostnet.local.port", port);
    agent.expect(&closed.is("network.transport", "udp"));
    let after_close = now();
    agent.marker();
    assert_eq!(ask(&after_restart)["answer"], "held");
    let row = ask(&after_close);
    assert_eq!(row["answer"], "nobody", "{row:#}");
    let ever = history.only(&["who-had-port", &number]);
    assert_eq!((&ever["ended"], &ever["why"]), (&"closed".into(), &Value::Null), "{ever:#}");
    agent.stop();
}

/// Connections that are there when the agent is started anew are told again, and so is
/// what it finds; a person wants each once.
#[test]
fn what_several_runs_of_the_agent_see_is_counted_and_found_once() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.db");
    let mut holder = Docker::shared().launch("host").actor();
    let agent = Agent::setup().history(&path).start();
    holder.perform("hold tcp-connection --times 5");
    holder.perform("hold udp-connected");
    let of_it = want().action("connection_accepted").owned_by(&holder.container);
    agent.expect_many(5, &of_it);
    agent.stop();
    let history = Asked { option: "--history", path: &path };
    let id = holder.container.id.clone();
    let findings = || history.rows(&["findings", "--container", &id]);
    let first = findings();
    assert!(first.iter().any(|row| row["rule_id"] == "unexpected-container"), "{first:#?}");
    for _ in 0..2 {
        let agent = Agent::setup().history(&path).start();
        let existing = want().action("existing_socket").owned_by(&holder.container);
        // A listener and both ends for each connection.
        agent.expect_many(16, &existing);
        agent.stop();
    }
    for row in history.rows(&["peers", &id, "--ip", "::1"]) {
        assert_eq!((&row["begun"], &row["failed"]), (&1.into(), &0.into()), "{row:#}");
    }
    // No datagram has left the UDP socket: that is no contact, however often it is seen.
    let udp = history.only(&["peers", &id, "--ip", "127.0.0.1", "--port", "9"]);
    assert_eq!(udp["begun"], 0, "{udp:#}");
    // Between two moments it is counted event by event.
    let all = history.rows(&["peers", &id, "--since", "1h"]);
    let begun: u64 = all.iter().filter_map(|row| row["begun"].as_u64()).sum();
    assert_eq!(begun, 10, "five connections by both ends: {all:#?}");
    let output = Command::new(hostnet())
        .args(["advise", &id, "--format", "json", "--history"])
        .arg(&path)
        .output()
        .expect("hostnet can be started");
    let advice: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let measured = &advice[0]["measured"];
    assert_eq!((&measured["connections_in"], &measured["connections_out"]), (&5.into(), &5.into()));
    assert_eq!(findings().len(), first.len(), "after three starts: {:#?}", findings());
    drop(holder);
}

/// What Compose does with a container that it replaces.
#[test]
fn a_container_is_found_by_every_name_it_had() {
    needs_root!();
    needs_docker!("containers' names");
    let docker = Docker::shared();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.db");
    let agent = Agent::setup().history(&path).start();
    let old_name = Docker::fresh_name("service");
    let old = RefCell::new(docker.launch("host").name(&old_name).actor());
    old.borrow_mut().connect_refused();
    let of = |name: &str| want().action("connection_attempted").is("container.name", name);
    agent.expect(&of(&old_name));
    let id = old.borrow().container.id.clone();
    let new_name = format!("{}_{old_name}", &id[..12]);
    docker.run(["rename", &old_name, &new_name]);
    wait_for("the new name", || {
        old.borrow_mut().connect_refused();
        agent.count(&of(&new_name)) > 0
    });
    let mut next = docker.launch("host").name(&old_name).actor();
    next.connect_refused();
    agent.expect(&of(&old_name).owned_by(&next.container));
    agent.stop();
    let history = Asked { option: "--history", path: &path };
    let ids_of = |words: &[&str]| {
        let rows = history.rows(words);
        let ids = rows.iter().map(|row| {
            let id = row.pointer("/container/id").or_else(|| row.get("container_id"));
            id.and_then(Value::as_str).expect("an id").to_owned()
        });
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    let both = [id.clone(), next.container.id.clone()].into();
    assert_eq!(ids_of(&["events", "--container", &old_name]), both);
    assert_eq!(ids_of(&["events", "--container", &new_name]), [id.clone()].into());
    let row = history.only(&["containers", "--container", &new_name]);
    let names = row["names"].as_str().expect("names");
    assert!(names.contains(&format!("{old_name} 2")) && names.contains(&new_name), "{row:#}");
    for name in [&old_name, &new_name] {
        let output = Command::new(hostnet())
            .args(["advise", name, "--format", "json", "--history"])
            .arg(&path)
            .output()
            .expect("hostnet can be started");
        let advice: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let all = advice.as_array().expect("advice");
        assert_eq!(all.len(), 1, "one service: {advice:#}");
        assert_eq!(all[0]["ids"].as_array().map(Vec::len), Some(2), "{advice:#}");
    }
}
