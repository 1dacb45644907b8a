//! Syslog: the receiver is Debian's rsyslog, as it comes but for the longest message.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hostnet::sink::{
    Then, Tls,
    syslog::{Facility, Settings, Syslog},
};
use hostnet_tests::{Server, server::certificates};

use crate::events::{assert_same, deliver, hostile, plain};

/// What every configuration has: messages in one file, what is around them in another.
const OUTPUT: &str = r#"
template(name="message" type="string" string="%msg%\n")
template(name="header" type="string" string="%pri%|%timereported:::date-rfc3339%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%protocol-version%\n")
"#;

pub fn are_installed() -> bool {
    let openssl = ("openssl", "openssl");
    let installed = Server::are_installed(&[("rsyslogd", "rsyslog"), openssl]);
    let gnutls = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let has_gnutls =
        gnutls.iter().any(|library| Path::new(library).join("rsyslog/lmnsd_gtls.so").exists());
    if installed && !has_gnutls {
        hostnet_tests::skip("no TLS for rsyslog here (Debian: apt-get install rsyslog-gnutls)");
    }
    installed && has_gnutls
}

/// rsyslog with an input of its own kind, not started yet.
pub fn rsyslog(input: impl FnOnce(&Path, u16) -> String) -> Server {
    Server::prepare("rsyslogd", |directory, port| {
        let configuration = format!(
            "global(workDirectory=\"{}\" maxMessageSize=\"64k\")\n{}\n{OUTPUT}\
             action(type=\"omfile\" file=\"{}\" template=\"message\")\n\
             action(type=\"omfile\" file=\"{}\" template=\"header\")\n",
            directory.display(),
            input(directory, port),
            directory.join("messages").display(),
            directory.join("headers").display(),
        );
        let path = directory.join("rsyslog.conf");
        fs::write(&path, configuration).expect("a file");
        let mut command = Command::new("/usr/sbin/rsyslogd");
        command.args(["-n", "-f"]).arg(&path).arg("-i").arg(directory.join("pid"));
        command
    })
}

fn over_tcp(_: &Path, port: u16) -> String {
    format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")")
}

/// Shows a certificate of `ours`, and wants one.
pub fn over_tls(ours: &Path, port: u16) -> String {
    let file = |name: &str| ours.join(name).display().to_string();
    format!(
        "global(DefaultNetstreamDriverCAFile=\"{}\" DefaultNetstreamDriverCertFile=\"{}\" \
         DefaultNetstreamDriverKeyFile=\"{}\")\n\
         module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
         StreamDriver.AuthMode=\"x509/certvalid\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")",
        file("ca.pem"),
        file("server.pem"),
        file("server-key.pem"),
    )
}

fn settings(server: &Server) -> Settings {
    Settings {
        address: format!("127.0.0.1:{}", server.port),
        tls: None,
        insecure: false,
        facility: Facility::Local3,
        max_message_bytes: 64 << 10,
        timeout_s: 5,
    }
}

#[test]
fn rsyslog_over_tcp_has_every_byte() {
    if !are_installed() {
        return;
    }
    let mut server = rsyslog(over_tcp);
    server.resume();
    let rows = hostile();
    let mut sink = Syslog::open(settings(&server)).expect("settings");
    for some in rows.chunks(50) {
        deliver(&mut sink, some).expect("taken");
    }
    assert_same(&server.lines("messages", rows.len()), &rows);
    let headers = server.lines("headers", rows.len());
    for (row, header) in rows.iter().zip(headers) {
        let time = rfc3339(row.time_ns);
        let expected = format!(
            "158|{time}|node1|hostnet|-|{}|[hostnet@32473 sequence=\"{}\" id=\"{}\"]|1",
            row.action, row.sequence, row.event_id
        );
        assert_eq!(String::from_utf8(header).expect("ASCII"), expected);
    }
}

/// RFC 3339 with microseconds, cut.
fn rfc3339(time_ns: u64) -> String {
    let micros = time_ns / 1000 - 1_767_225_600_000_000;
    let (minutes, micros) = (micros / 60_000_000, micros % 60_000_000);
    format!("2026-01-01T00:{minutes:02}:{:02}.{:06}Z", micros / 1_000_000, micros % 1_000_000)
}

#[test]
fn rsyslog_over_tls_has_every_byte_and_a_farewell() {
    if !are_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [ours, anothers] = ["ours", "anothers"].map(|name| directory.path().join(name));
    certificates(&ours);
    certificates(&anothers);
    let mut server = rsyslog(|_, port| over_tls(&ours, port));
    server.resume();
    let rows = hostile();
    let with = |ca: &Path, client: Option<&Path>| {
        let file = |name| client.map(|directory: &Path| -> PathBuf { directory.join(name) });
        let tls = Tls {
            ca: Some(ca.join("ca.pem")),
            certificate: file("client.pem"),
            key: file("client-key.pem"),
        };
        Syslog::open(Settings { tls: Some(tls), ..settings(&server) }).expect("settings")
    };
    let refused = deliver(&mut with(&anothers, Some(&ours)), &rows).expect_err("not our server");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(refused.reason.contains("certificate"), "{}", refused.reason);
    let refused = deliver(&mut with(&ours, None), &rows).expect_err("it wants a certificate");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))), "{}", refused.reason);

    let mut sink = with(&ours, Some(&ours));
    for some in rows.chunks(50) {
        deliver(&mut sink, some).expect("taken");
    }
    assert_same(&server.lines("messages", rows.len()), &rows);
    let said = || fs::read_to_string(server.file("stderr")).unwrap_or_default();
    let before = said();
    drop(sink);
    // What rsyslog says of a connection it says before it takes the next.
    deliver(&mut with(&ours, Some(&ours)), &plain(1)).expect("taken");
    server.lines("messages", rows.len() + 1);
    assert_eq!(said(), before, "a connection was cut short");
}

#[test]
fn a_server_that_was_restarted_has_all() {
    if !are_installed() {
        return;
    }
    let mut server = rsyslog(over_tcp);
    let mut sink = Syslog::open(settings(&server)).expect("settings");
    let rows = plain(300);
    let refused = deliver(&mut sink, &rows[..100]).expect_err("nobody listens");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(refused.reason.contains("127.0.0.1:"), "{}", refused.reason);
    server.resume();
    deliver(&mut sink, &rows[..100]).expect("taken");
    server.lines("messages", 100);
    server.stop();
    // The first write to a closed connection succeeds for whoever does not look.
    deliver(&mut sink, &rows[100..200]).expect_err("it was stopped");
    server.resume();
    deliver(&mut sink, &rows[100..200]).expect("taken");
    server.lines("messages", 200);
    server.stop();
    server.resume();
    // Nobody tells the sink: it looks before it writes.
    deliver(&mut sink, &rows[200..]).expect("taken");
    assert_same(&server.lines("messages", 300), &rows);
}

#[test]
fn what_is_longer_than_the_server_takes_is_given_up() {
    if !are_installed() {
        return;
    }
    let mut server = rsyslog(over_tcp);
    server.resume();
    let mut rows = plain(3);
    rows[1].document = vec![b'x'; 64 << 10];
    let mut sink = Syslog::open(settings(&server)).expect("settings");
    let refused = deliver(&mut sink, &rows).expect_err("too long");
    assert_eq!((refused.settled, refused.dead, refused.then), (3, 1, None));
    assert!(refused.reason.contains("max_message_bytes is 65536"), "{}", refused.reason);
    rows.remove(1);
    assert_same(&server.lines("messages", 2), &rows);
}
