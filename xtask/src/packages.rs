//! Debian packages: what a task needs, what of it is missing, and installing
//! that. Nothing is installed without being named first.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::shell;

/// A package and the test of whether what it brings is there. The test asks for
/// the thing itself: a dockerd from elsewhere is as good as Debian's, and the
/// two packages exclude each other.
pub struct Package {
    pub name: &'static str,
    pub present: fn() -> bool,
}

/// What the live tests run: a Docker daemon with its containerd, one without privileges,
/// Podman, LXC and nspawn, Compose, a static busybox to make an image of, so that no test
/// pulls one, Prometheus' judge of metrics (19 MB to fetch, no smaller package has it), and
/// a browser to look at reports with.
pub const LIVE_TESTS: &[Package] = &[
    Package { name: "docker.io", present: || has("dockerd") && has("docker") },
    Package { name: "iptables", present: || has("iptables") },
    Package { name: "iproute2", present: || has("ip") },
    Package { name: "busybox-static", present: busybox_is_static },
    Package { name: "podman", present: || has("podman") },
    Package { name: "uidmap", present: || has("newuidmap") },
    Package { name: "rootlesskit", present: || has("rootlesskit") },
    Package { name: "lxc", present: || has("lxc-start") },
    Package { name: "systemd-container", present: || has("systemd-nspawn") },
    Package { name: "docker-compose", present: || has("docker-compose") },
    Package { name: "logrotate", present: || has("logrotate") },
    Package { name: "redis-server", present: || has("redis-server") },
    Package { name: "postgresql", present: || exists("/usr/lib/postgresql") },
    Package { name: "prometheus", present: || has("promtool") },
    Package { name: "openssh-server", present: || exists("/usr/sbin/sshd") },
    Package { name: "chromium", present: || has("chromium") },
    Package { name: "python3-yaml", present: || succeeds("python3", &["-c", "import yaml"]) },
];

/// What fetches modules for Python.
pub const PYTHON_MODULES: &[Package] = &[Package {
    name: "python3-pip",
    present: || succeeds("python3", &["-m", "pip", "--version"]),
}];
/// What the sinks deliver to in the live tests, each as Debian has it, and what
/// makes certificates for it.
pub const RECEIVERS: &[Package] = &[
    Package { name: "rsyslog", present: || has("rsyslogd") },
    Package { name: "rsyslog-gnutls", present: has_gnutls_for_rsyslog },
    Package { name: "clickhouse-server", present: || has("clickhouse-server") },
    Package { name: "nats-server", present: || has("nats-server") },
    Package { name: "kcat", present: || has("kcat") },
    Package { name: "curl", present: || has("curl") },
    Package { name: "openssl", present: || has("openssl") },
    Package { name: "python3-pip", present: || succeeds("python3", &["-m", "pip", "--version"]) },
];

/// What boots a VM: QEMU, a static busybox for what runs in it, and what unpacks
/// Debian's kernels and makes a disk.
pub const VMS: &[Package] = &[
    Package { name: "qemu-system-x86", present: || has("qemu-system-x86_64") },
    Package { name: "busybox-static", present: busybox_is_static },
    Package { name: "iproute2", present: || has("ss") },
    Package { name: "dpkg", present: || has("dpkg-deb") },
    Package { name: "debian-archive-keyring", present: debian_keys },
    Package { name: "e2fsprogs", present: || has("mke2fs") },
    Package { name: "xz-utils", present: || has("xz") },
    Package { name: "zstd", present: || has("zstd") },
    Package { name: "util-linux", present: || has("setpriv") && has("unshare") },
];

/// Clippy for the compiler that builds the eBPF programs.
pub const BPF_LINT: &[Package] =
    &[Package { name: "rust-web-clippy", present: || exists("/usr/bin/clippy-driver") }];

/// Names what is missing; installs it where that is possible, says how elsewhere.
/// A missing package is no error here: who needs it says so in its own words.
pub fn ensure<'a>(purpose: &str, packages: impl IntoIterator<Item = &'a Package>) -> Result<()> {
    let missing: Vec<&str> = packages
        .into_iter()
        .filter(|package| !(package.present)())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if is_debian() && shell::is_root() {
        return install(purpose, &missing);
    }
    let why = if is_debian() { "only root may install them" } else { "this is not Debian" };
    eprintln!(
        "{purpose}: missing {}, not installed because {why}; on Debian: \
         sudo apt-get install --no-install-recommends {}",
        missing.join(", "),
        missing.join(" ")
    );
    Ok(())
}

/// Installs packages, and says so first.
pub fn install(purpose: &str, names: &[&str]) -> Result<()> {
    eprintln!("{purpose}: installing the Debian packages {}", names.join(", "));
    shell::run(apt_get().arg("update"))?;
    shell::run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(names))
}

pub fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    names_debian(&release) && shell::find_program("apt-get").is_some()
}

fn names_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .any(|(_, value)| value.trim_matches('"').split_whitespace().any(|id| id == "debian"))
}

/// A package's questions would wait forever where nobody answers.
fn apt_get() -> Command {
    let mut command = shell::command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}

fn has(program: &str) -> bool {
    shell::find_program(program).is_some()
}

/// `ldd` fails on a static executable. A dynamic busybox cannot be an image's
/// only file.
fn busybox_is_static() -> bool {
    shell::find_program("busybox")
        .is_some_and(|path| path.to_str().is_some_and(|path| !succeeds("ldd", &[path])))
}

fn has_gnutls_for_rsyslog() -> bool {
    let libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    libraries.iter().any(|library| exists(&format!("/usr/lib/{library}/rsyslog/lmnsd_gtls.so")))
}

fn debian_keys() -> bool {
    exists("/usr/share/keyrings/debian-archive-keyring.gpg")
}

fn exists(path: &str) -> bool {
    fs::exists(path).unwrap_or(false)
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    shell::command(program).args(args).output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::names_debian;

    #[test]
    fn debian_and_its_children_are_known() {
        assert!(names_debian("NAME=x\nID=debian\n"));
        assert!(names_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(names_debian("ID=mint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\nHOME_URL=\"https://debian.example\"\n"));
    }
}
