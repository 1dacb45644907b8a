//! Runtimes that hostnet asks nothing: their containers are known by their cgroups'
//! paths, where these name one, and by their namespaces where not. The containers are
//! containerd's, LXC's and systemd-nspawn's own; containerd puts them into any cgroup,
//! so also into those that other runtimes make with either cgroup driver.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use hostnet_tests::{Agent, Want, fill_image, needs_root, net, skip, wait_for, want};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A cgroup of a container, in which `ID` is its id; who makes such ones, as the path
/// tells it.
const PLACES: &[(&str, &str)] = &[
    ("/default/ID", "unknown"),
    ("/system.slice/nerdctl-ID.scope", "containerd"),
    ("/system.slice/docker-ID.scope", "docker"),
    ("/machine.slice/libpod-ID.scope", "podman"),
    ("/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/ID", "kubernetes"),
    ("/kubepods.slice/kubepods-pod11111111_2222.slice/cri-containerd-ID.scope", "containerd"),
    ("/kubepods.slice/kubepods-pod11111111_2222.slice/crio-ID.scope", "cri-o"),
    // Without root.
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/docker-ID.scope", "docker"),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", "podman"),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        "podman",
    ),
];

/// Whether a program is here; says which package has it when not.
fn has(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        skip(&format!("no {program} here (Debian: apt-get install {package})"));
    }
    found
}

/// A directory with the files of a container.
fn files() -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    fill_image(root.path());
    root
}

/// A containerd of the test's own.
struct Containerd {
    directory: TempDir,
    files: TempDir,
    child: Child,
}

impl Containerd {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = directory.path().display();
        let text = format!(
            "version = 2\nroot = \"{at}/root\"\nstate = \"{at}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = \"{at}/socket\"\n"
        );
        let config = directory.path().join("config.toml");
        fs::write(&config, text).expect("a config file");
        let mut command = Command::new("containerd");
        command.arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("containerd can be started");
        let containerd = Self { directory, files: files(), child };
        wait_for("containerd", || {
            let version = containerd.ctr().arg("version").stdout(Stdio::null()).status();
            version.expect("ctr can be started").success()
        });
        containerd
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.directory.path().join("socket"));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Has a container in a cgroup connect to `port`.
    fn connects(&self, id: &str, cgroup: &str, port: u16) {
        let mut command = self.ctr();
        command.args(["run", "--rm", "--rootfs", "--net-host", "--cgroup", cgroup]);
        command.arg(self.files.path()).args([id, "/actor", "short", "127.0.0.1"]);
        let output = command.arg(port.to_string()).output().expect("ctr can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("ECONNREFUSED"), "{cgroup}: {} {said}", output.status);
        remove_above(cgroup);
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("our own child");
        let _ = self.child.wait();
    }
}

/// Takes away the cgroups above one that is gone, where nothing else is in them.
fn remove_above(cgroup: &str) {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let words = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    for mount in words.filter(|words| words[2].starts_with("cgroup")) {
        let above = Path::new(cgroup.trim_start_matches('/')).ancestors().skip(1);
        for directory in above.filter(|directory| !directory.as_os_str().is_empty()) {
            let _in_use = fs::remove_dir(Path::new(mount[1]).join(directory));
        }
    }
}

/// The only event of a port, as it must be; nothing of the host's is told.
fn only(agent: Agent, port: u16, expected: &Want) {
    agent.marker();
    let run = agent.stop();
    run.none(&want().is("hostnet.owner.kind", "host"));
    let event = run.only(&want().is("hostnet.remote.port", port));
    assert_eq!(expected.differences(event), [""; 0], "{event}");
}

fn by_path(id: &str, runtime: &str) -> Want {
    want()
        .is("hostnet.owner.kind", "container")
        .is("container.id", id)
        .is("container.runtime", runtime)
        .absent("container.name")
        .is("hostnet.attribution.method", "cgroup-path")
        .is("hostnet.attribution.confidence", "path")
        .absent("hostnet.owner.nested")
        .absent("hostnet.creator")
}

fn by_namespaces() -> Want {
    want()
        .is("hostnet.owner.kind", "container-unknown")
        .absent("container.id")
        .is("hostnet.attribution.method", "namespaces")
        .is("hostnet.attribution.confidence", "namespace")
}

#[test]
fn containerd_in_every_runtimes_cgroups() {
    needs_root!();
    if !has("ctr", "containerd") {
        return;
    }
    let containerd = Containerd::start();
    let agent = Agent::start();
    let told: Vec<_> = (0_u64..)
        .zip(PLACES)
        .map(|(number, (place, runtime))| {
            let (id, port) = (format!("{number:02x}").repeat(32), net::closed_port());
            let cgroup = place.replace("ID", &id);
            containerd.connects(&id, &cgroup, port);
            (port, by_path(&id, runtime).is("hostnet.owner.cgroup.path", cgroup))
        })
        .collect();
    agent.marker();
    let run = agent.stop();
    run.none(&want().is("hostnet.owner.kind", "host"));
    for (port, expected) in told {
        let event = run.only(&want().is("hostnet.remote.port", port));
        assert_eq!(expected.differences(event), [""; 0], "{event}");
    }
}

/// libvirt's containers, and its virtual machines, which are no containers.
#[test]
fn a_container_in_libvirts_cgroup_is_called_by_its_own_name() {
    needs_root!();
    if !has("ctr", "containerd") {
        return;
    }
    let (containerd, port) = (Containerd::start(), net::closed_port());
    let agent = Agent::start();
    let place = "/machine.slice/machine-lxc\\x2d969\\x2dhubud0xians01.scope/libvirt";
    containerd.connects("libvirt", place, port);
    let expected = by_path("libvirt-lxc:hubud0xians01", "libvirt-lxc");
    only(agent, port, &expected.is("hostnet.owner.cgroup.path", place));
}

/// What anybody may call a cgroup names nobody, but a container is not the host.
#[test]
fn containerd_with_a_name_of_its_own() {
    needs_root!();
    if !has("ctr", "containerd") {
        return;
    }
    let (containerd, port) = (Containerd::start(), net::closed_port());
    let agent = Agent::start();
    containerd.connects("web", "/default/web", port);
    only(agent, port, &by_namespaces().is("hostnet.owner.cgroup.path", "/default/web"));
}

#[test]
fn lxc_by_path() {
    needs_root!();
    if !has("lxc-start", "lxc") {
        return;
    }
    let (files, port) = (files(), net::closed_port());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let name = format!("hostnet-test-{}", std::process::id());
    let text = format!(
        "lxc.uts.name = {name}\nlxc.rootfs.path = dir:{}\nlxc.net.0.type = none\n\
         lxc.apparmor.profile = unconfined\nlxc.init.cmd = /actor short 127.0.0.1 {port}\n",
        files.path().display()
    );
    let config = directory.path().join("config");
    fs::write(&config, text).expect("a config file");
    let agent = Agent::start();
    let output = Command::new("lxc-start")
        .args(["--foreground", "--name", &name, "--lxcpath"])
        .arg(directory.path())
        .arg("--rcfile")
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .expect("lxc-start can be started");
    // It keeps what the container says to itself.
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    remove_above("/lxc.pivot/any");
    only(agent, port, &by_path(&name, "lxc"));
}

/// Where it registers with nobody, it is in its caller's cgroup.
#[test]
fn nspawn_by_its_namespaces() {
    needs_root!();
    if !has("systemd-nspawn", "systemd-container") {
        return;
    }
    let (files, port) = (files(), net::closed_port());
    // What it takes for a system's files.
    fs::create_dir(files.path().join("usr")).expect("a directory");
    fs::write(files.path().join("etc/os-release"), "").expect("a file");
    let agent = Agent::start();
    let output = Command::new("systemd-nspawn")
        .args(["--quiet", "--register=no", "--keep-unit", "--directory"])
        .arg(files.path())
        .args(["/actor", "short", "127.0.0.1", &port.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("systemd-nspawn can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ECONNREFUSED"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    for left in ["/payload/any", "/supervisor/any"] {
        remove_above(left);
    }
    only(agent, port, &by_namespaces());
}
