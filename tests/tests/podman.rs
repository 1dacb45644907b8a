//! Podman by its Docker-compatible socket: the same adapter, another runtime.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use hostnet_tests::{Actor, Agent, Docker, fill_image, needs_root, skip, wait_for, want};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const IMAGE: &str = "localhost/hostnet-test/box:1";

/// A Podman of the test's own, in a directory of its own.
struct Podman {
    directory: TempDir,
    service: Option<Child>,
}

impl Podman {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut podman = Self { directory, service: None };
        let root = tempfile::tempdir().expect("a temporary directory");
        fill_image(root.path());
        let archive = podman.path("image.tar");
        let status = Command::new("tar")
            .args(["-c", "-f", &archive, "-C"])
            .arg(root.path())
            .arg(".")
            .status()
            .expect("tar can be started");
        assert!(status.success(), "tar: {status}");
        podman.run(&["import", "--change", "ENV PATH=/bin", &archive, IMAGE]);
        let mut command = podman.command();
        command.args(["system", "service", "--time=0", &podman.host()]).stderr(Stdio::null());
        podman.service = Some(command.spawn().expect("podman can be started"));
        wait_for("Podman's socket", || Path::new(&podman.path("podman.sock")).exists());
        podman
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn host(&self) -> String {
        format!("unix://{}", self.path("podman.sock"))
    }

    /// `podman …` with nothing of the machine's: no storage driver to choose, no
    /// systemd to ask for cgroups.
    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        for (option, name) in [("--root", "storage"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.args([option, &self.path(name)]);
        }
        command
            .args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"])
            // Of the two it knows, crun refuses hybrid hierarchies.
            .args(["--runtime", "runc"])
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> String {
        let output = self.command().args(words).output().expect("podman can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {words:?}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// An actor in a host-network container of this name.
    fn actor(&self, name: &str) -> Actor {
        let mut command = self.command();
        command.args(["run", "--rm", "--interactive", "--network=host", "--name", name]);
        // Its defaults are more than this machine may have.
        command.args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]);
        command.args(["--label", "team=blue", "--label", &Docker::label()]);
        command.args([IMAGE, "/actor", "repl"]);
        Actor::started(command)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["rm", "--force", "--all", "--time=0"]).output();
        if let Some(service) = &mut self.service {
            kill_process(Pid::from_child(service), Signal::TERM).expect("our own child");
            let _ = service.wait();
        }
    }
}

#[test]
fn a_podman_container_is_confirmed_by_podman() {
    needs_root!();
    let installed = Command::new("podman").arg("--version").stdout(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        return skip("no podman here (Debian: apt-get install podman runc)");
    }
    let podman = Podman::start();
    let mut older = podman.actor("older");
    let agent = Agent::setup_beside(&podman.host()).start();
    let reachable = agent.expect(&want().action("runtime-reachable"));
    assert!(reachable.to_string().contains("Podman"), "{reachable}");
    let mut younger = podman.actor("younger");
    for (name, actor) in [("older", &mut older), ("younger", &mut younger)] {
        let id = podman.run(&["inspect", "--format", "{{.Id}}", name]);
        let ours = want().is("container.id", id.as_str());
        // The first may come before Podman has answered; its name follows.
        let first = actor.connect_refused();
        let event = agent.expect(&want().attempt(first).is("container.id", id.as_str()));
        if event["container"]["name"].is_null() {
            agent.expect(&ours.clone().action("container-identified").is("container.name", name));
        }
        let second = actor.connect_refused();
        agent.expect(
            &want()
                .attempt(second)
                .is("container.id", id.as_str())
                .is("container.name", name)
                .is("container.runtime", "podman")
                .is("container.image.name", "localhost/hostnet-test/box")
                .is("container.labels.team", "blue")
                .is("hostnet.owner.kind", "container")
                .is("hostnet.attribution.confidence", "confirmed")
                .is("hostnet.netns.declared", "host"),
        );
    }
    let id = podman.run(&["inspect", "--format", "{{.Id}}", "younger"]);
    younger.end();
    agent.expect(&want().action("container-left-host-network").is("container.id", id));
    agent.stop();
}
