//! HTTP with lines of JSON: the receiver is Debian's ClickHouse. Of a document it
//! keeps the columns that its table has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use hostnet::sink::{
    Secret, Then, Tls,
    http::{Framing, Http, Settings},
};
use hostnet_tests::{Server, net, server::certificates, wait_for, web};
use serde_json::Value;

use crate::events::{deliver, hostile, plain};

/// What the smallest configuration of Debian's ClickHouse is.
const CONFIGURATION: &str = "<yandex>
<logger><level>warning</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><http_port>PORT</http_port>
<path>HERE/data/</path><tmp_path>HERE/tmp/</tmp_path>
<mark_cache_size>16777216</mark_cache_size><users_config>HERE/config.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
<profiles><default/></profiles><quotas><default/></quotas>
<users><default><password>hunter2</password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users></yandex>";

/// Where lines of JSON go into the table.
pub const INSERT: &str =
    "/?input_format_skip_unknown_fields=1&query=INSERT%20INTO%20events%20FORMAT%20JSONEachRow";

/// Settings without anything that has a default, but that secrets may go in plaintext.
pub fn settings(url: String, framing: Framing) -> Settings {
    Settings {
        url,
        framing,
        tls: Tls::default(),
        insecure: true,
        token: None,
        user: None,
        password: None,
        index: None,
        sourcetype: "hostnet:ecs".into(),
        gzip: true,
        max_request_bytes: None,
        timeout_s: 10,
    }
}

/// A secret in a file, for as long as the directory is there.
pub fn secret(directory: &tempfile::TempDir, text: &str) -> Secret {
    let path: PathBuf = directory.path().join("secret");
    fs::write(&path, text).expect("a file");
    Secret::File(path)
}

pub fn clickhouse() -> Option<Server> {
    clickhouse_with(|_| String::new())
}

/// ClickHouse with more in its configuration.
fn clickhouse_with(more: impl FnOnce(&Path) -> String) -> Option<Server> {
    let programs = [("clickhouse-server", "clickhouse-server"), ("curl", "curl")];
    if !Server::are_installed(&programs) {
        return None;
    }
    let server = Server::start("clickhouse-server", |directory, port| {
        let here = directory.display().to_string();
        let text = CONFIGURATION.replace("HERE", &here).replace("PORT", &port.to_string());
        let text = text.replace("</yandex>", &format!("{}</yandex>", more(directory)));
        fs::write(directory.join("config.xml"), text).expect("a file");
        let mut command = Command::new("clickhouse-server");
        command.arg(format!("--config-file={here}/config.xml"));
        command
    });
    query(&server, "CREATE TABLE events (`@timestamp` String, message String) ENGINE = Log");
    Some(server)
}

/// What ClickHouse answers to a query.
pub fn query(server: &Server, text: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail", "--user", "default:hunter2", "--data-binary", text]);
    curl.arg(format!("http://127.0.0.1:{}/", server.port)).stderr(Stdio::inherit());
    let output = curl.output().expect("curl can be started");
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).expect("text")
}

fn sink(server: &Server, directory: &tempfile::TempDir) -> Http {
    sink_at(server, directory, INSERT)
}

fn sink_at(server: &Server, directory: &tempfile::TempDir, path: &str) -> Http {
    let url = format!("http://127.0.0.1:{}{path}", server.port);
    Http::open(Settings {
        user: Some("default".into()),
        password: Some(secret(directory, "hunter2")),
        ..settings(url, Framing::Ndjson)
    })
    .expect("settings")
}

#[test]
fn clickhouse_has_every_byte_of_what_it_keeps() {
    let Some(server) = clickhouse() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let rows = hostile();
    let mut sink = sink(&server, &directory);
    for some in rows.chunks(50) {
        deliver(&mut sink, some).expect("taken");
    }
    // Several threads would answer in any order, one in that of insertion.
    let select = "SELECT `@timestamp`, hex(message) FROM events SETTINGS max_threads = 1";
    let kept = query(&server, select);
    let expected: String = rows
        .iter()
        .map(|row| {
            let document: Value = serde_json::from_slice(&row.document).expect("JSON");
            let message = document["message"].as_str().expect("a message");
            let hex: String = message.bytes().map(|byte| format!("{byte:02X}")).collect();
            format!("{}\t{hex}\n", document["@timestamp"].as_str().expect("a time"))
        })
        .collect();
    assert_eq!(kept, expected);
}

/// ClickHouse refuses a request with one bad line whole, and does not say which.
#[test]
fn one_bad_event_is_isolated() {
    let Some(server) = clickhouse() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut rows = plain(100);
    rows[0].document = b"{\"message\": 1]".to_vec();
    rows[37].document = b"{\"message\": 1]".to_vec();
    let mut sink = sink(&server, &directory);
    let refused = deliver(&mut sink, &rows).expect_err("two bad lines");
    assert_eq!((refused.settled, refused.dead, refused.then), (100, 2, None));
    assert!(refused.reason.contains("400 Bad Request"), "{}", refused.reason);
    // One is twice in it: it was the proof that others are taken.
    let count = |what| query(&server, &format!("SELECT count({what}) FROM events"));
    assert_eq!((&*count("DISTINCT `@timestamp`"), &*count("")), ("98\n", "99\n"));
}

/// ClickHouse says in its own words that a row does not fit into the table, with a status
/// that is for faults of the server.
#[test]
fn an_event_that_a_table_cannot_hold_is_isolated() {
    let Some(server) = clickhouse() else { return };
    query(&server, "CREATE TABLE short (message FixedString(20)) ENGINE = Log");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut rows = plain(40);
    for (place, row) in rows.iter_mut().enumerate() {
        let length = if place < 20 || place == 30 { 21 } else { 20 };
        row.document = format!("{{\"message\":\"{}\"}}", "x".repeat(length)).into_bytes();
    }
    let mut sink = sink_at(&server, &directory, &INSERT.replace("events", "short"));
    let refused = deliver(&mut sink, &rows).expect_err("too long");
    let reason = &refused.reason;
    assert_eq!((refused.settled, refused.dead, refused.then), (40, 21, None), "{reason}");
    // One is twice in it: it was the proof that others are taken.
    assert_eq!(query(&server, "SELECT count() FROM short"), "20\n");
}

/// As long as nothing was taken, it is not the event's fault.
#[test]
fn wrong_settings_cost_no_event() {
    let Some(server) = clickhouse() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let rows = plain(10);
    let open = |url: &str, password: &str| {
        Http::open(Settings {
            user: Some("default".into()),
            password: Some(secret(&directory, password)),
            ..settings(format!("http://127.0.0.1:{}{url}", server.port), Framing::Ndjson)
        })
    };
    let wrong_format = INSERT.replace("JSONEachRow", "Values");
    for (url, password) in [(&*wrong_format, "hunter2"), (INSERT, "hunter3"), ("/no", "hunter2")] {
        let refused = deliver(&mut open(url, password).expect("settings"), &rows).unwrap_err();
        let Some(Then::Again(_)) = refused.then else { panic!("{refused:?}") };
        assert_eq!(refused.settled, 0);
        assert!(!refused.reason.contains(password), "{}", refused.reason);
    }
}

#[test]
fn a_server_that_was_restarted_has_all() {
    let Some(mut server) = clickhouse() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut sink = sink(&server, &directory);
    let rows = plain(20);
    deliver(&mut sink, &rows[..10]).expect("taken");
    server.stop();
    let refused = deliver(&mut sink, &rows[10..]).expect_err("it was stopped");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    server.resume();
    deliver(&mut sink, &rows[10..]).expect("taken");
    wait_for("all rows", || query(&server, "SELECT count() FROM events") == "20\n");
}

#[test]
fn over_tls_the_server_is_who_it_should_be() {
    let port = net::closed_port();
    let files = tempfile::tempdir().expect("a temporary directory");
    let [ours, anothers] = ["ours", "anothers"].map(|name| files.path().join(name));
    if !Server::are_installed(&[("openssl", "openssl")]) {
        return;
    }
    certificates(&ours);
    certificates(&anothers);
    let Some(server) = clickhouse_with(|_| {
        let file = |name: &str| ours.join(name).display().to_string();
        format!(
            "<https_port>{port}</https_port><openSSL><server><verificationMode>none\
             </verificationMode><certificateFile>{}</certificateFile><privateKeyFile>{}\
             </privateKeyFile></server></openSSL>",
            file("server.pem"),
            file("server-key.pem"),
        )
    }) else {
        return;
    };
    let open = |ca: &Path, host: &str| {
        let tls = Tls { ca: Some(ca.join("ca.pem")), ..Tls::default() };
        let url = format!("https://{host}:{port}{INSERT}");
        Http::open(Settings {
            tls,
            user: Some("default".into()),
            password: Some(secret(&files, "hunter2")),
            ..settings(url, Framing::Ndjson)
        })
        .expect("settings")
    };
    // Not by our authority; by ours, but with another name.
    for (ca, host) in [(&anothers, "127.0.0.1"), (&ours, "localhost")] {
        let refused = deliver(&mut open(ca, host), &plain(1)).expect_err("not our server");
        assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
        assert!(refused.reason.contains("certificate"), "{}", refused.reason);
    }
    deliver(&mut open(&ours, "127.0.0.1"), &plain(5)).expect("taken");
    assert_eq!(query(&server, "SELECT count() FROM events"), "5\n");
}

/// Nobody who redirects gets the secret, and a server that repeats it is not quoted.
#[test]
fn a_secret_goes_nowhere_else() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let other = web::serve(|request| panic!("somebody else was asked: {request:?}"));
    let port = web::serve(move |request| {
        let location: &'static str = format!("location: http://127.0.0.1:{other}/\r\n").leak();
        web::Answer(307, location, format!("{:?}", request.headers))
    });
    let mut sink = Http::open(Settings {
        token: Some(secret(&directory, "hunter2")),
        ..settings(format!("http://127.0.0.1:{port}/"), Framing::Ndjson)
    })
    .expect("settings");
    let refused = deliver(&mut sink, &plain(1)).expect_err("a redirect");
    assert_eq!(refused.then, Some(Then::Again(None)));
    assert!(refused.reason.contains("307") && refused.reason.contains("Bearer …"), "{refused:?}");
    assert!(!refused.reason.contains("hunter2"), "{refused:?}");
}
