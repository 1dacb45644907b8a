//! Docker over TCP with TLS, both sides showing certificates, as `docker` itself
//! does it by `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use hostnet_tests::{Agent, Docker, needs_docker, needs_root, net, skip, want};

/// An authority, and certificates of a server at 127.0.0.1 and of a client by it.
fn authority(directory: &Path) {
    fs::create_dir_all(directory).expect("a directory");
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).current_dir(directory).output();
        let output = output.expect("openssl can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words:?}: {error}");
    };
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
    let ca = ["/CN=hostnet-test", "-keyout", "ca-key.pem", "-out", "ca.pem"];
    openssl(&[&new[..], &ca].concat());
    for (name, key, uses) in [("server", "server-key", "serverAuth"), ("cert", "key", "clientAuth")]
    {
        let (certificate, key) = (format!("{name}.pem"), format!("{key}.pem"));
        let name = format!("/CN={name}");
        let uses = format!("extendedKeyUsage={uses}");
        let by =
            ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "subjectAltName=IP:127.0.0.1"];
        let of = [&name, "-keyout", &key, "-out", &certificate, "-addext", &uses];
        let no_authority = ["-addext", "basicConstraints=critical,CA:FALSE"];
        openssl(&[&new[..], &of, &by, &no_authority].concat());
    }
}

#[test]
fn docker_is_asked_over_tls_and_nobody_else() {
    needs_root!();
    needs_docker!("TLS");
    if !Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        return skip("no openssl here to make certificates (Debian: apt-get install openssl)");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [ours, anothers] = ["ours", "anothers"].map(|name| directory.path().join(name));
    for directory in [&ours, &anothers] {
        authority(directory);
    }
    let port = net::closed_port();
    let file = |name: &str| ours.join(name).display().to_string();
    let docker = Docker::with_options(&[
        &format!("--host=tcp://127.0.0.1:{port}"),
        "--tlsverify",
        &format!("--tlscacert={}", file("ca.pem")),
        &format!("--tlscert={}", file("server.pem")),
        &format!("--tlskey={}", file("server-key.pem")),
    ]);
    let mut actor = docker.launch("host").actor();
    let start = |certificates: &Path| {
        Agent::setup_beside(&format!("tcp://127.0.0.1:{port}"))
            .environment("DOCKER_TLS_VERIFY", "1")
            .environment("DOCKER_CERT_PATH", certificates.to_str().expect("UTF-8"))
            .start()
    };
    let agent = start(&anothers);
    let refused = agent.expect(&want().action("runtime-unreachable"));
    assert!(refused.to_string().contains("certificate"), "{refused}");
    agent.stop();

    let agent = start(&ours);
    agent.expect(&want().action("runtime-reachable"));
    let closed = net::closed_port();
    let attempt = want().action("connection_attempted").is("hostnet.remote.port", closed);
    actor.one(&format!("tcp-connect 127.0.0.1 {closed}"));
    let ours = attempt.is("container.id", actor.container.id.as_str());
    let event = agent.expect(&ours);
    if event["container"]["name"].is_null() {
        agent.expect(&want().action("container-identified").owned_by(&actor.container));
    }
    agent.stop();
}
