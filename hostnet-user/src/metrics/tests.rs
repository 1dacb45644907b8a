use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::{Command, Stdio},
};

use super::*;
use crate::output::HistorySize;

/// Numbers such as a run has.
fn numbers() -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::default());
    let ring =
        RingNumbers { size_bytes: 4096, produced_bytes: 2048, consumed_bytes: 1024, records: 7 };
    let lookups =
        LookupNumbers { oldest_ns: 1_500_000_000, waiting: 1, asked: 8, refused: 4, late: 2 };
    let sink = SinkNumbers { delivered: 6, waiting: 2, ..SinkNumbers::default() };
    let history = HistoryNumbers {
        is_writable: true,
        size: Some(HistorySize { used: 8192, free: 4096, log: 512 }),
        limit_bytes: 1 << 20,
        kept: 12,
        not_kept: 3,
        purged: BTreeMap::from([("age".to_owned(), 0), ("bytes".to_owned(), 5)]),
        oldest_ns: Some(1_500_000_000),
    };
    metrics.put_pipeline(PipelineNumbers {
        told: 9,
        events: BTreeMap::from([("bind", 3), ("connect", 4)]),
        lost: BTreeMap::from([("kernel-ring".to_owned(), 5)]),
        lost_total: 5,
        rings: BTreeMap::from([("records", ring)]),
        tables: BTreeMap::from([("sockets", Fill { entries: 3, capacity: 4 })]),
        lookups: BTreeMap::from([("process", lookups)]),
        // A name may be anything.
        sinks: BTreeMap::from([("a\"\\\n{}".to_owned(), sink)]),
        history: Some(history),
    });
    *lock(&metrics.kernel) = KernelNumbers {
        programs: vec![
            ProgramNumbers { program: "bind4", recursion_misses: 1, runs: Some((2, 3000)) },
            ProgramNumbers { program: "bind6", recursion_misses: 0, runs: None },
        ],
        maps: vec![MapNumbers { map: "FLOWS", fill: Fill { entries: 1, capacity: 8 } }],
    };
    metrics
}

#[test]
fn a_page_has_every_number() {
    let page = Page::new(numbers()).text();
    for line in [
        "hostnet_told_total 9",
        "hostnet_events_total{operation=\"bind\"} 3",
        "hostnet_records_lost_total{place=\"kernel-ring\"} 5",
        "hostnet_records_received_total{ring=\"records\"} 7",
        "hostnet_ring_waiting_bytes{ring=\"records\"} 1024.0",
        "hostnet_table_entries{table=\"FLOWS\"} 1.0",
        "hostnet_table_capacity{table=\"sockets\"} 4.0",
        "hostnet_lookup_oldest_wait_seconds{of=\"process\"} 1.5",
        "hostnet_lookups_waiting{of=\"process\"} 1.0",
        "hostnet_lookups_total{of=\"process\"} 8",
        "hostnet_lookups_refused_total{of=\"process\"} 4",
        "hostnet_lookups_late_total{of=\"process\"} 2",
        "hostnet_program_recursion_misses_total{program=\"bind4\"} 1",
        "hostnet_program_runs_total{program=\"bind4\"} 2",
        "hostnet_program_run_seconds_total{program=\"bind4\"} 0.000003",
        "hostnet_sink_delivered_total{sink=\"a\\\"\\\\\\n{}\"} 6",
        "hostnet_sink_waiting{sink=\"a\\\"\\\\\\n{}\"} 2.0",
        "hostnet_history_size_bytes{part=\"used\"} 8192.0",
        "hostnet_history_size_bytes{part=\"free\"} 4096.0",
        "hostnet_history_size_bytes{part=\"log\"} 512.0",
        "hostnet_history_limit_bytes 1048576.0",
        "hostnet_history_writable 1.0",
        "hostnet_history_kept_total 12",
        "hostnet_history_not_kept_total 3",
        "hostnet_history_purged_total{reason=\"age\"} 0",
        "hostnet_history_purged_total{reason=\"bytes\"} 5",
        "hostnet_history_oldest_timestamp_seconds 1.5",
        "hostnet_ready 1.0",
        "# EOF",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("hostnet_program_runs_total{program=\"bind6\"}"), "{page}");
}

#[test]
fn a_heartbeat_says_the_same() {
    let heartbeat = numbers().heartbeat();
    for (path, wanted) in [
        ("/told", 9),
        ("/events/connect", 4),
        ("/lost/kernel-ring", 5),
        ("/rings/records/records", 7),
        ("/lookups/process/refused", 4),
        ("/programs/0/recursion_misses", 1),
        ("/maps/0/entries", 1),
        ("/history/size/log_bytes", 512),
        ("/history/not_kept", 3),
        ("/history/purged/bytes", 5),
        ("/sinks/a\"\\\n{}/delivered", 6),
    ] {
        assert_eq!(heartbeat.pointer(path).and_then(Value::as_u64), Some(wanted), "{path}");
    }
    let resident = heartbeat.pointer("/process/resident_bytes").and_then(Value::as_u64);
    assert!(resident.is_some_and(|bytes| bytes > 1 << 20), "{heartbeat}");
}

#[test]
fn ready_is_whoever_has_begun_and_was_heard_of() {
    let metrics = Metrics::default();
    assert!(metrics.is_alive() && !metrics.is_ready(), "it has not begun");
    metrics.put_pipeline(PipelineNumbers::default());
    assert!(metrics.is_alive() && metrics.is_ready());
    let stuck = Metrics {
        started: Instant::now().checked_sub(2 * STUCK_AFTER).expect("the host is that old"),
        is_ready: true.into(),
        ..Metrics::default()
    };
    assert!(!stuck.is_alive() && !stuck.is_ready());
}

/// The judge is Prometheus' own tool, where it is installed.
#[test]
fn promtool_passes_the_page() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        crate::skip::skip("promtool (Debian: prometheus) is not here");
        return;
    };
    let page = classic(&Page::new(numbers()).text());
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}\n{page}");
    assert_eq!(said, "", "{page}");
}

/// A server on a thread of its own, until this is dropped.
struct Serving(Option<tokio::sync::oneshot::Sender<()>>);

impl Serving {
    fn begin(server: Server) -> Self {
        let (end, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    outcome = server.serve() => outcome.expect("it can serve"),
                    _ = ended => {}
                }
            });
        });
        Self(Some(end))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _nobody_waits = self.0.take().map(|end| end.send(()));
    }
}

/// A server on a free port of the loopback.
fn serve() -> (Serving, SocketAddr) {
    let any = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = Server::open(&any, numbers()).expect("a free port");
    let address = server.address().expect("an address");
    (Serving::begin(server), address)
}

/// Everything that comes back for these bytes, until the server closes.
fn ask(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // The server may have closed before it was all written.
    let _may_be_refused = stream.write_all(bytes);
    let _may_be_closed = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _may_be_reset = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn requests_and_their_answers() {
    let (_serving, address) = serve();
    let get =
        |path: &str| ask(address, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    let page = get("/metrics");
    assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
    assert!(page.contains("# TYPE hostnet_told_total counter\n"), "{page}");
    let open = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n";
    let page = ask(address, open.as_bytes());
    assert!(page.contains("content-type: application/openmetrics-text; version=1.0.0"), "{page}");
    assert!(page.ends_with("# EOF\n"), "{page}");
    assert_eq!(status(&get("/metrics?a=b")), "200");
    assert_eq!(status(&get("/healthz")), "200");
    assert_eq!(status(&get("/readyz")), "200");
    assert_eq!(status(&get("/")), "404");
    assert_eq!(status(&get("/metrics/../etc/passwd")), "404");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"] {
        let request = format!("{method} /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert_ne!(status(&ask(address, request.as_bytes())), "200", "{method}");
    }
}

#[test]
fn hostile_requests_change_nothing() {
    let (_serving, address) = serve();
    let long = "a".repeat(1 << 16);
    let many: String = (0..500).map(|number| format!("X{number}: y\r\n")).collect();
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /metrics HTTP/1.1\r\nX: {long}\r\n\r\n"),
        format!("GET /metrics HTTP/1.1\r\n{many}\r\n"),
        "GET /metrics HTTP/9.9\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "\r\n".repeat(1 << 16),
    ] {
        let answer = ask(address, request.as_bytes());
        assert_ne!(status(&answer), "200", "{answer}");
    }
    // One request a connection: what follows it is not answered.
    let two = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
    assert_eq!(ask(address, two.as_bytes()).matches("HTTP/1.1").count(), 1);
    let ok = ask(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&ok), "200", "the server goes on");
}

/// Connections that say nothing take all the room, and give it back.
#[test]
fn silent_connections_are_closed_and_make_room() {
    let (_serving, address) = serve();
    let mut silent: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(address).expect("a server")).collect();
    for stream in &mut silent {
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut answer = Vec::new();
        // Ends only when the server closes; a timeout would be an error.
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    let ok = ask(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&ok), "200");
}

#[test]
fn a_unix_socket_is_its_users_alone_and_replaces_an_old_one() {
    let directory = std::env::temp_dir().join(format!("hostnet-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("metrics.sock");
    let listen = Listen::Unix(path.clone());
    drop(Server::open(&listen, numbers()).expect("a new socket"));
    let server = Server::open(&listen, numbers()).expect("an old socket is replaced");
    let mode = path.symlink_metadata().expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = Server::open(&listen, numbers()).err().expect("it is in use");
    assert!(format!("{error:#}").ends_with("another process listens there already"), "{error:#}");
    let _serving = Serving::begin(server);
    let mut stream = UnixStream::connect(&path).expect("a server");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert_eq!(status(&answer), "200");
    let file = directory.join("file");
    std::fs::write(&file, "precious").expect("a file");
    let error = Server::open(&Listen::Unix(file.clone()), numbers()).err().expect("a file");
    assert!(format!("{error:#}").ends_with("something else than a socket is there"), "{error:#}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "precious");
    std::fs::remove_dir_all(&directory).expect("it goes");
}
