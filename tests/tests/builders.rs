//! Builders of images, whose steps run in the host's network: BuildKit and the
//! classic builder in Docker, Podman's with namespaces and with a chroot alone.
//! What a step does is never told as the host's, and never as somebody else's.

use std::{fs, path::PathBuf, process::Command};

use hostnet_tests::{
    Agent, Docker, IMAGE, PODMAN_IMAGE, Podman, Want, needs_docker, needs_root, net, skip, want,
};
use serde_json::Value;
use tempfile::TempDir;

/// A directory whose Dockerfile has one step, which connects to `port`. Where a step is a
/// container, it has the label of this test's.
fn one_step(image: &str, port: u16) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let label = Docker::label();
    let step = format!("RUN [\"/actor\", \"short\", \"127.0.0.1\", \"{port}\"]");
    let text = format!("FROM {image}\nLABEL {label}\n{step}\n");
    fs::write(directory.path().join("Dockerfile"), text).expect("a Dockerfile");
    directory
}

/// Has an image built while an agent runs; the event of its one step, which is the
/// only one that is told of it, and what the builder said.
fn built(image: &str, build: impl FnOnce(&TempDir) -> String) -> (Value, String) {
    let port = net::closed_port();
    let directory = one_step(image, port);
    let agent = Agent::start();
    let said = build(&directory);
    agent.marker();
    let run = agent.stop();
    run.none(&want().is("hostnet.owner.kind", "host"));
    let to_port = run.all(&want().is("hostnet.remote.port", port));
    assert_eq!(to_port.len(), 1, "{to_port:?}");
    (to_port[0].clone(), said)
}

fn assert_is(event: &Value, want: &Want) {
    assert_eq!(want.differences(event), [""; 0], "{event}");
}

/// `docker build` of a client that runs the given builder.
fn docker_build(client: &PathBuf, builder: &str, directory: &TempDir) -> String {
    let output = Command::new(client)
        .args(["build", "--network", "host", "--no-cache", "--force-rm"])
        .arg(directory.path())
        .env("DOCKER_HOST", Docker::shared().host())
        .env("DOCKER_CONFIG", "/nonexistent")
        .env("DOCKER_BUILDKIT", builder)
        .output()
        .expect("docker can be started");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// A client that speaks to BuildKit: one from before 23.0 does by itself, later ones
/// by a plugin.
fn buildkit_client() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&paths).map(|path| path.join("docker"));
    all.filter(|client| client.exists()).find(|client| {
        let answer = |words: &[&str]| {
            let mut command = Command::new(client);
            let output = command.args(words).env("DOCKER_CONFIG", "/nonexistent").output();
            let output = output.ok().filter(|output| output.status.success())?;
            String::from_utf8(output.stdout).ok()
        };
        let version = answer(&["--version"]).unwrap_or_default();
        let major = version.split(' ').nth(2).and_then(|number| number.split('.').next());
        let major = major.and_then(|number| number.parse::<u32>().ok());
        major.is_some_and(|major| major < 23) || answer(&["buildx", "version"]).is_some()
    })
}

#[test]
fn e38_a_step_of_buildkit() {
    needs_root!();
    needs_docker!("a build");
    let Some(client) = buildkit_client() else {
        return skip("no docker client here that speaks to BuildKit (Debian: docker.io)");
    };
    let (event, _) = built(IMAGE, |directory| docker_build(&client, "1", directory));
    let step = want()
        .is("event.action", "connection_attempted")
        .is("hostnet.owner.kind", "container")
        .is("container.runtime", "buildkit")
        .absent("container.name")
        .is("hostnet.attribution.method", "cgroup-path")
        .is("hostnet.attribution.confidence", "path")
        .absent("hostnet.creator")
        .absent("hostnet.owner.nested");
    assert_is(&event, &step);
    let id = event["container"]["id"].as_str().expect("text");
    let bare = id.strip_prefix("buildkit:").unwrap_or_else(|| panic!("{id}"));
    let path = event["hostnet"]["owner"]["cgroup"]["path"].as_str().expect("text");
    assert!(path.contains(bare), "{id} is in {path}");
}

/// Its steps are containers like any other.
#[test]
fn e38_a_step_of_the_classic_builder() {
    needs_root!();
    needs_docker!("a build");
    let client = PathBuf::from("docker");
    let (event, said) = built(IMAGE, |directory| docker_build(&client, "0", directory));
    let step = want()
        .is("hostnet.owner.kind", "container")
        .is("container.runtime", "docker")
        .present("container.name")
        .one_of("hostnet.attribution.confidence", ["confirmed", "runtime"]);
    assert_is(&event, &step);
    let short = said.rsplit_once("Running in ").and_then(|(_, rest)| rest.get(..12));
    let short = short.unwrap_or_else(|| panic!("docker says which container it is: {said}"));
    let id = event["container"]["id"].as_str().expect("text");
    assert!(id.starts_with(short), "{id} is not {short}");
}

/// Podman's builder names its cgroups as anybody may, and keeps a step from the host
/// by namespaces, or by a mount namespace and a chroot alone.
#[test]
fn e38_a_step_of_podman() {
    needs_root!();
    if !Podman::is_installed() {
        return;
    }
    let podman = Podman::start();
    for isolation in ["oci", "chroot"] {
        let (event, _) = built(PODMAN_IMAGE, |directory| {
            podman.build(isolation, directory.path());
            String::new()
        });
        let step = want()
            .is("event.action", "connection_attempted")
            .is("hostnet.owner.kind", "container-unknown")
            .absent("container.id")
            .is("hostnet.attribution.method", "namespaces")
            .is("hostnet.attribution.confidence", "namespace")
            .is("process.name", "actor");
        assert_is(&event, &step);
        let path = event["hostnet"]["owner"]["cgroup"]["path"].as_str().expect("text");
        assert_eq!(path.contains("/buildah-"), isolation == "oci", "{path}");
    }
}
