//! A real Docker daemon inside a container, and what its containers do.

use std::process::{Command, Stdio};

use hostnet_tests::{
    Agent, Container, Docker, IMAGE, needs_docker, needs_root, net, skip, wait_for, want,
};

/// Makes of a privileged container with this machine's files a machine of its own:
/// its processes out of the way, as cgroup v2 asks of who makes cgroups for others,
/// its own cgroups and processes where a daemon looks for them, and room to write.
const DAEMON: &str = "
    set -e
    busybox mkdir /sys/fs/cgroup/init
    echo 1 > /sys/fs/cgroup/init/cgroup.procs
    busybox mount -o bind /sys/fs/cgroup /host/sys/fs/cgroup
    busybox mount -o bind /proc /host/proc
    busybox mount -t tmpfs none /host/run
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    exec busybox chroot /host dockerd --host unix:///run/docker.sock --storage-driver vfs \\
        --data-root /run/data --exec-root /run/exec --pidfile /run/docker.pid --bridge none \\
        --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false";

/// `docker WORDS` of the daemon inside, with what the container has to say first.
fn inside(outer: &Container, first: &str, words: &str) -> Command {
    let script = format!(
        "export PATH=/usr/sbin:/usr/bin:/sbin:/bin DOCKER_CONFIG=/nonexistent; \\
         {first} busybox chroot /host docker --host unix:///run/docker.sock {words}"
    );
    let mut command = Docker::shared().command();
    command.args(["exec", &outer.id, "/bin/sh", "-c", &script]).stdin(Stdio::null());
    command
}

fn told(command: &mut Command) -> String {
    let output = command.output().expect("docker can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// The outer container is the owner, and names the inner one.
#[test]
fn e28_docker_in_docker() {
    needs_root!();
    needs_docker!("a Docker daemon in a container");
    let docker = Docker::shared();
    let mut privileged = docker.command();
    privileged.args(["run", "--rm", "--privileged", "--network", "none", IMAGE, "true"]);
    if !privileged.output().expect("docker can be started").status.success() {
        skip("this machine starts no privileged container");
        return;
    }
    let agent = Agent::start();
    let options = ["--privileged", "--cgroupns=private", "--volume=/:/host"];
    let outer = docker.launch("host").options(options).start(["sh", "-c", DAEMON]);
    wait_for("the daemon inside", || {
        inside(&outer, "", "version").output().is_ok_and(|output| output.status.success())
    });
    let files = "busybox tar -C / -c actor bin etc tmp www |";
    told(&mut inside(&outer, files, "import --change 'ENV PATH=/bin' - inner"));
    let port = net::closed_port();
    let run =
        format!("run --rm --network host --cidfile /run/id inner /actor short 127.0.0.1 {port}");
    told(&mut inside(&outer, "", &run));
    let id = told(Docker::shared().command().args(["exec", &outer.id, "cat", "/host/run/id"]));
    agent.marker();
    let run = agent.stop();
    let connected = want().action("connection_attempted").is("hostnet.remote.port", port);
    let of_outer = connected.clone().owned_by(&outer).includes("hostnet.owner.nested", id.as_str());
    run.only(&of_outer);
    run.only(&connected);
    run.none(&want().is("container.id", id.as_str()));
}
