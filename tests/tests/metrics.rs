//! What the agent counts of itself, while a container does more than the ring holds.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
};

use hostnet_tests::{
    Agent, Docker, needs_root, net,
    numbers::{get, number, page_that},
    skip, want,
};
use rustix::process::Signal;
use serde_json::Value;

/// Connects of one burst: twice what a ring of 1 MiB holds.
const BURST: u64 = 16_000;

#[test]
fn received_and_lost_are_all_that_was_produced() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("metrics.sock");
    let metrics = format!(
        "ring_mib = 1\n[metrics]\nlisten = \"unix:{}\"\nheartbeat_seconds = 1\n",
        socket.display()
    );
    let agent = Agent::setup().observe(&metrics).start();
    let mut actor = Docker::shared().launch("host").actor();
    let closed = net::closed_port();
    agent.asleep(|| actor.perform(&format!("tcp-connect 127.0.0.1 {closed} --times {BURST}")));
    let waiting = "hostnet_ring_waiting_bytes{ring=\"records\"}";
    let lost = "hostnet_records_lost_total{place=\"kernel-ring\"}";
    page_that(&socket, |page| number(page, lost) > 0 && number(page, waiting) == 0);
    // Nothing is lost any more. Before the second heartbeat from here the counters are read.
    agent.marker();
    let heartbeat = want().action("agent-heartbeat");
    agent.expect_many(agent.count(&heartbeat) + 2, &heartbeat);
    let page = page_that(&socket, |page| number(page, waiting) == 0);
    // What programs put in, as the kernel counts it, is what the agent took out.
    let of_ring = |name: &str| number(&page, &format!("hostnet_{name}_total{{ring=\"records\"}}"));
    assert_eq!(of_ring("ring_produced_bytes"), of_ring("ring_consumed_bytes"), "{page}");
    assert!(of_ring("records_received") > 0, "{page}");
    assert!(number(&page, "hostnet_table_capacity{table=\"FLOWS\"}") > 0, "{page}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&socket, path).0, "200", "{path}");
    }
    promtool(&page);
    let beat = agent.expect(&heartbeat);
    assert_eq!(beat["event"]["dataset"], "hostnet.health");
    // Records were lost, which is what every other test must not see.
    let run = agent.stop_with(Signal::TERM);

    let connects = want()
        .action("connection_attempted")
        .is("container.id", actor.container.id.as_str())
        .is("hostnet.remote.port", closed);
    let told = run.all(&connects).len() as u64;
    let losses = run.all(&want().action("records-lost").is("hostnet.loss.place", "kernel-ring"));
    let by = losses.iter().flat_map(|loss| loss["hostnet"]["loss"]["by"].as_array().expect("by"));
    let lost_connects: u64 = by
        .filter(|by| by["operation"] == "connect" && by["owner"] != Value::Null)
        .map(|by| by["count"].as_u64().expect("a count"))
        .sum();
    assert_eq!(told + lost_connects, BURST, "{told} told and {lost_connects} lost");
    let count = |loss: &&Value| loss["hostnet"]["loss"]["count"].as_u64().expect("a count");
    let total: u64 = losses.iter().map(count).sum();
    assert_eq!(number(&page, lost), total, "the page and the stream say the same");
    let beats = run.all(&heartbeat);
    let last = beats.last().expect("a heartbeat");
    assert!(last["hostnet"]["health"]["told"].as_u64() < last["event"]["sequence"].as_u64());
    assert!(!socket.exists() || UnixStream::connect(&socket).is_err(), "nobody serves any more");
}

/// A container's sockets fill the agent's table, and are gone from it when it is gone.
#[test]
fn tables_show_how_full_they_are() {
    needs_root!();
    const SOCKETS: u64 = 40;
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("metrics.sock");
    let metrics = format!("[metrics]\nlisten = \"unix:{}\"\n", socket.display());
    let agent = Agent::setup().observe(&metrics).start();
    let mut actor = Docker::shared().launch("host").actor();
    let of = |page: &str, what: &str, table: &str| {
        number(page, &format!("hostnet_table_{what}{{table=\"{table}\"}}"))
    };
    actor.perform(&format!("hold udp-connected --times {SOCKETS}"));
    // Maps are counted every 15 seconds, the first time while they are still empty.
    let page = page_that(&socket, |page| {
        of(page, "entries", "sockets") >= SOCKETS && of(page, "entries", "CGROUPS") > 0
    });
    let capacity = |table| of(&page, "capacity", table);
    for map in ["CONTAINED", "FIRST_SEEN", "FLOWS", "FLOW_SHARES", "LOSSES", "SUPPRESSED"] {
        assert!(capacity(map) > 0, "{map}: {page}");
    }
    // However many processes a container has, there is room for the next one's.
    let limits = ["pid_max", "threads-max"].map(|name| -> u64 {
        let limit = fs::read_to_string(format!("/proc/sys/kernel/{name}")).expect("a limit");
        limit.trim().parse().expect("a number")
    });
    assert!(capacity("CONTAINED") >= limits[0].min(limits[1]), "{limits:?}: {page}");
    for table in ["sockets", "processes", "CGROUPS"] {
        let (entries, capacity) = (of(&page, "entries", table), of(&page, "capacity", table));
        assert!(entries > 0 && entries < capacity, "{entries} of {capacity} in {table}: {page}");
    }
    actor.perform("release");
    page_that(&socket, |page| of(page, "entries", "sockets") < SOCKETS);
    agent.stop();
}

/// The form is the one that the request wants most, and HEAD has the same head.
#[test]
fn the_form_of_metrics_follows_the_q_values_of_accept() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("metrics.sock");
    let metrics = format!("[metrics]\nlisten = \"unix:{}\"\n", socket.display());
    let agent = Agent::setup().observe(&metrics).start();
    let ask = |method: &str, accept: &str| {
        let mut stream = UnixStream::connect(&socket).expect("the agent serves");
        let request =
            format!("{method} /metrics HTTP/1.1\r\nHost: hostnet\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_lowercase(), body.to_owned())
    };
    for (accept, kind) in [
        ("application/openmetrics-text;q=0", "text/plain"),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.7", "text/plain"),
        ("application/openmetrics-text;q=0.7,text/plain;q=0.2", "application/openmetrics-text"),
        ("application/openmetrics-text,*/*;q=0.1", "application/openmetrics-text"),
    ] {
        for method in ["GET", "HEAD"] {
            let (head, body) = ask(method, accept);
            assert!(head.starts_with("http/1.1 200 "), "{method} {accept}: {head}");
            assert!(head.contains(&format!("content-type: {kind}")), "{method} {accept}: {head}");
            assert_eq!(body.is_empty(), method == "HEAD", "{method} {accept}: {body}");
        }
    }
    agent.stop();
}

/// Prometheus' own tool, where it is installed.
fn promtool(page: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        return skip("no promtool (Debian: prometheus)");
    };
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        output.stderr.escape_ascii()
    );
}
