//! NATS JetStream: the receiver is Debian's nats-server.

use std::{fs, path::Path, process::Command};

use hostnet::sink::{
    Then, Tls,
    nats::{Nats, Settings},
};
use hostnet_tests::{Server, server::certificates};

use crate::{
    events::{assert_same, deliver, hostile, plain},
    http::secret,
    nats_reader::Reader,
};

/// A server with more in its configuration, not started yet.
pub fn nats_server(more: &str) -> Option<Server> {
    Server::are_installed(&[("nats-server", "nats-server")]).then(|| {
        Server::prepare("nats-server", |directory, port| {
            let store = directory.join("store");
            let text = format!(
                "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{}\" }}\n{more}\n",
                store.display()
            );
            let path = directory.join("nats.conf");
            fs::write(&path, text).expect("a file");
            let mut command = Command::new("/usr/sbin/nats-server");
            command.arg("-c").arg(path);
            command
        })
    })
}

fn settings(server: &Server) -> Settings {
    Settings {
        servers: vec![format!("127.0.0.1:{}", server.port)],
        subject: "hostnet".into(),
        tls: None,
        insecure: false,
        token: None,
        user: None,
        password: None,
        credentials: None,
        timeout_s: 5,
    }
}

#[test]
fn a_stream_has_every_byte_of_each_event_once() {
    let Some(mut server) = nats_server("") else { return };
    let mut sink = Nats::open(settings(&server)).expect("settings");
    let rows = hostile();
    let refused = deliver(&mut sink, &rows).expect_err("nobody listens");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    server.resume();
    let refused = deliver(&mut sink, &rows).expect_err("there is no stream");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(refused.reason.contains("no stream takes hostnet.>"), "{}", refused.reason);

    let mut reader = Reader::connect(server.port);
    reader.make_stream();
    deliver(&mut sink, &rows).expect("taken");
    deliver(&mut sink, &rows).expect("what is there is taken");
    let kept = reader.stream();
    let ids: Vec<&str> = kept.iter().map(|kept| kept.id.as_str()).collect();
    assert_eq!(ids, rows.iter().map(|row| row.event_id.as_str()).collect::<Vec<_>>());
    let payloads: Vec<_> = kept.into_iter().map(|kept| kept.payload).collect();
    assert_same(&payloads, &rows);
}

#[test]
fn a_server_that_was_killed_has_all_in_order() {
    let Some(mut server) = nats_server("") else { return };
    server.resume();
    Reader::connect(server.port).make_stream();
    let mut sink = Nats::open(settings(&server)).expect("settings");
    let rows = plain(3000);
    deliver(&mut sink, &rows[..1000]).expect("taken");
    server.kill();
    let refused = deliver(&mut sink, &rows[1000..]).expect_err("it was killed");
    let Some(Then::Again(_)) = refused.then else { panic!("{refused:?}") };
    let from = 1000 + refused.settled;
    server.resume();
    deliver(&mut sink, &rows[from..]).expect("taken");
    let kept: Vec<_> =
        Reader::connect(server.port).stream().into_iter().map(|m| m.payload).collect();
    assert_same(&kept, &rows);
}

/// The stream's own bound is one that the client does not know.
#[test]
fn what_is_longer_than_the_stream_takes_is_given_up() {
    let Some(mut server) = nats_server("") else { return };
    server.resume();
    Reader::connect(server.port).make_stream_of(10_000);
    let mut sink = Nats::open(settings(&server)).expect("settings");
    let mut rows = plain(600);
    for place in [0, 1, 300, 599] {
        rows[place].document = vec![b'x'; 10_001];
    }
    let refused = deliver(&mut sink, &rows).expect_err("too long");
    let reason = &refused.reason;
    assert_eq!((refused.settled, refused.dead, refused.then), (600, 4, None), "{reason}");
    assert!(reason.contains("message size exceeds maximum allowed"), "{reason}");
    rows.retain(|row| row.document.len() < 10_000);
    let kept: Vec<_> =
        Reader::connect(server.port).stream().into_iter().map(|m| m.payload).collect();
    assert_same(&kept, &rows);
}

/// The settings are then at fault, not the events.
#[test]
fn nothing_is_given_up_to_a_stream_that_takes_nothing() {
    let Some(mut server) = nats_server("") else { return };
    server.resume();
    Reader::connect(server.port).make_stream_of(10);
    let mut sink = Nats::open(settings(&server)).expect("settings");
    let refused = deliver(&mut sink, &plain(300)).expect_err("all are too long");
    let reason = &refused.reason;
    assert_eq!(
        (refused.settled, refused.dead, refused.then),
        (0, 0, Some(Then::Again(None))),
        "{reason}"
    );
    assert!(reason.contains("check the settings of both sides"), "{reason}");
}

#[test]
fn what_is_longer_than_the_server_takes_is_given_up() {
    let Some(mut server) = nats_server("max_payload: 100000") else { return };
    server.resume();
    Reader::connect(server.port).make_stream();
    let mut sink = Nats::open(settings(&server)).expect("settings");
    let mut rows = plain(3);
    rows[1].document = vec![b'x'; 100_001];
    let refused = deliver(&mut sink, &rows).expect_err("too long");
    assert_eq!((refused.settled, refused.dead, refused.then), (3, 1, None), "{}", refused.reason);
    rows.remove(1);
    let kept: Vec<_> =
        Reader::connect(server.port).stream().into_iter().map(|m| m.payload).collect();
    assert_same(&kept, &rows);
}

#[test]
fn over_tls_with_a_password_and_a_certificate() {
    if !Server::are_installed(&[("openssl", "openssl")]) {
        return;
    }
    let files = tempfile::tempdir().expect("a temporary directory");
    let [ours, anothers] = ["ours", "anothers"].map(|name| files.path().join(name));
    certificates(&ours);
    certificates(&anothers);
    let file = |name: &str| ours.join(name).display().to_string();
    let Some(mut server) = nats_server(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}\n\
         authorization {{ user: agent, password: hunter2 }}",
        file("server.pem"),
        file("server-key.pem"),
        file("ca.pem"),
    )) else {
        return;
    };
    server.resume();
    let open = |ca: &Path, password: &str| {
        let tls = Tls {
            ca: Some(ca.join("ca.pem")),
            certificate: Some(ours.join("client.pem")),
            key: Some(ours.join("client-key.pem")),
        };
        Nats::open(Settings {
            tls: Some(tls),
            user: Some("agent".into()),
            password: Some(secret(&files, password)),
            ..settings(&server)
        })
        .expect("settings")
    };
    let refused = deliver(&mut open(&anothers, "hunter2"), &plain(1)).expect_err("not our server");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(refused.reason.contains("certificate"), "{}", refused.reason);
    let refused = deliver(&mut open(&ours, "hunter3"), &plain(1)).expect_err("a wrong password");
    assert_eq!((refused.settled, refused.then), (0, Some(Then::Again(None))));
    assert!(!refused.reason.contains("hunter3"), "{}", refused.reason);
    // It is let in, and asks for a stream: the rest is as without TLS.
    let refused = deliver(&mut open(&ours, "hunter2"), &plain(1)).expect_err("there is no stream");
    assert!(refused.reason.contains("no stream takes"), "{}", refused.reason);
}
