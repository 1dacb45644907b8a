//! Docker over TCP with TLS, both sides showing certificates, as `docker` itself
//! does it by `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use hostnet_tests::{
    Agent, Docker, needs_docker, needs_root, net, server::certificates, skip, want,
};

/// Under the names by which `docker` looks for its own.
fn authority(directory: &Path) {
    certificates(directory);
    for (name, dockers) in [("client.pem", "cert.pem"), ("client-key.pem", "key.pem")] {
        fs::rename(directory.join(name), directory.join(dockers)).expect("it was made");
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
