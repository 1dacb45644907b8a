//! Facts made up, one by one.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use hostnet_abi::Socket;
use rustix::thread::CapabilitySet;

use crate::{
    attribute::Found,
    audit::{
        Audit, CapabilityBits, Exposed, Privileges, assemble,
        facts::{Facts, Held, Present},
    },
    event::{Confidence, Container, Method, Owner, OwnerKind, Process, SocketState, UnixAddress},
    judge::expectations::Expectations,
    sources::docker::{Census, Counted},
};

/// The id of the container with this name.
pub fn id(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64}")
}

/// Facts, and the audit of them. The first process of the first container has id 10,
/// of the second 20, and so on.
pub struct Made {
    facts: Facts,
    cookie: u64,
}

impl Default for Made {
    fn default() -> Self {
        let docker = Census {
            endpoint: "unix:///var/run/docker.sock".to_owned(),
            runtime: "docker",
            version: "Docker 20.10".to_owned(),
            ..Census::default()
        };
        // 2026-11-28
        let wall_ns = 1_795_824_000_000_000_000;
        Self {
            facts: Facts {
                wall_ns,
                runtimes: vec![docker],
                chosen_ports: (32_768, 60_999),
                ..Facts::default()
            },
            cookie: 0,
        }
    }
}

impl Made {
    pub fn audit(self, expectations: &Expectations) -> Audit {
        assemble(&self.facts, expectations)
    }

    pub fn gap(mut self, sentence: &str) -> Self {
        self.facts.gaps.push(sentence.to_owned());
        self
    }

    fn counted(&mut self) -> &mut Vec<Counted> {
        &mut self.facts.runtimes[0].containers
    }

    pub fn container(mut self, name: &str, network_mode: &str) -> Self {
        let number = self.counted().len() as u32 + 1;
        let network_mode = match network_mode.strip_prefix("container:") {
            Some(other) => format!("container:{}", id(other)),
            None => network_mode.to_owned(),
        };
        let container = Container {
            id: id(name),
            name: name.to_owned(),
            image: "nginx:1.27".to_owned(),
            network_mode,
            created: "2026-01-01T00:00:00Z".to_owned(),
            runtime: "docker".to_owned(),
            pid: number * 10,
            mount_namespace: 1000 + number,
            ..Container::default()
        };
        self.counted().push(Counted { container, state: "running".to_owned() });
        self
    }

    pub fn stopped(mut self, name: &str, network_mode: &str) -> Self {
        self = self.container(name, network_mode);
        let last = self.counted().last_mut().unwrap();
        last.state = "exited".to_owned();
        last.container.pid = 0;
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Container)) -> Self {
        let last = self.counted().last_mut().unwrap();
        change(&mut last.container);
        let container = Arc::new(last.container.clone());
        let is_its = |one: &&mut Present| one.owner.container_id.as_ref() == Some(&container.id);
        for present in self.facts.present.iter_mut().filter(is_its) {
            let owner = Owner::clone(&present.owner);
            present.owner = Arc::new(Owner { container: Some(Arc::clone(&container)), ..owner });
        }
        self
    }

    pub fn privileged(self) -> Self {
        self.last(|container| container.privileged = true)
    }

    pub fn image(self, image: &str) -> Self {
        self.last(|container| image.clone_into(&mut container.image))
    }

    pub fn labels(self, labels: &[(&str, &str)]) -> Self {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.last(|container| container.labels = labels)
    }

    pub fn mounts_of(&self, name: &str) -> u32 {
        let mut all = self.facts.runtimes[0].containers.iter();
        all.find(|one| one.container.name == name).unwrap().container.mount_namespace
    }

    /// The owner that attribution would find: confirmed when Docker knows it.
    fn owner(&self, name: &str) -> Arc<Owner> {
        let mut all = self.facts.runtimes[0].containers.iter();
        let container = all.find(|one| one.container.name == name);
        let container = container.map(|one| Arc::new(one.container.clone()));
        let (method, confidence) = match container {
            Some(_) => (Method::CgroupId, Confidence::Confirmed),
            None => (Method::CgroupPath, Confidence::Path),
        };
        Arc::new(Owner {
            kind: OwnerKind::Container,
            container_id: Some(id(name)),
            runtime: Some("docker"),
            container,
            method,
            confidence,
            ..Owner::unknown(7, Some(&format!("/docker/{}", id(name))))
        })
    }

    fn present(mut self, pid: u32, owner: Arc<Owner>, mount_namespace: u32) -> Self {
        let process = Arc::new(Process { pid, name: b"sleep".to_vec(), ..Process::default() });
        // An ordinary user without any power.
        let privileges = Privileges { uid: 1000, ..Privileges::default() };
        let exposed = Vec::new();
        let present = Present { process, owner, mount_namespace, privileges, exposed };
        self.facts.present.push(present);
        self
    }

    pub fn process(self, pid: u32, of: &str) -> Self {
        let owner = self.owner(of);
        self.present(pid, owner, 1)
    }

    /// A process that only its namespaces tell from the host's.
    pub fn apart(self, pid: u32, mount_namespace: u32) -> Self {
        self.present(pid, Arc::new(Owner::apart(1, Some("/"))), mount_namespace)
    }

    /// A process in a cgroup that has another container's name.
    pub fn false_name(self, pid: u32, of: &str) -> Self {
        let path = format!("/x/docker-{}.scope", id(of));
        self.present(pid, Arc::new(Owner::unknown(9, Some(&path))), 1)
    }

    pub fn may(mut self, change: impl FnOnce(&mut Privileges)) -> Self {
        change(&mut self.facts.present.last_mut().unwrap().privileges);
        self
    }

    pub fn capabilities(self, set: CapabilitySet) -> Self {
        self.may(|one| one.capabilities = CapabilityBits(set.bits()))
    }

    /// A path of the host, whether it is writable, and usable.
    pub fn exposes(mut self, (path, writable, usable): (&str, bool, bool)) -> Self {
        let (host_path, container_path) = (path.to_owned(), format!("/host{path}"));
        let exposed = Exposed { host_path, container_path, writable, usable };
        self.facts.present.last_mut().unwrap().exposed.push(exposed);
        self
    }

    fn socket(mut self, owner: Arc<Owner>, process: Option<&[u8]>, found: Found) -> Self {
        self.cookie += 1;
        let found = Found { cookie: self.cookie, ..found };
        let process = process.map(|name| Process { name: name.to_vec(), ..Process::default() });
        self.facts.sockets.push(Held { found, owner, process: process.map(Arc::new) });
        self
    }

    pub fn listens(self, of: &str, local: &str) -> Self {
        let owner = self.owner(of);
        self.socket(owner, None, tcp(SocketState::Listen, local, None))
    }

    pub fn udp(self, of: &str, local: &str) -> Self {
        let owner = self.owner(of);
        let found = tcp(SocketState::Bound, local, None);
        let socket = Socket { kind: 2, protocol: 17, ..found.socket };
        self.socket(owner, None, Found { socket, ..found })
    }

    pub fn host_listens(self, local: &str) -> Self {
        self.socket(host(), Some(b"sshd"), tcp(SocketState::Listen, local, None))
    }

    pub fn connects(self, of: &str, remote: &str) -> Self {
        let owner = self.owner(of);
        let local = format!("192.0.2.1:{}", 40_000 + self.cookie);
        self.socket(owner, None, tcp(SocketState::Established, &local, Some(remote)))
    }

    pub fn came_in(self, of: &str, local: &str, remote: &str) -> Self {
        let owner = self.owner(of);
        self.socket(owner, None, tcp(SocketState::Established, local, Some(remote)))
    }

    pub fn packet(self, of: &str) -> Self {
        let owner = self.owner(of);
        let socket = Socket { family: libc::AF_PACKET as u16, kind: 3, protocol: 3 };
        self.socket(owner, None, Found { socket, ..Found::default() })
    }

    /// A pair, or a socket that was handed down.
    pub fn unix_connected(self, of: &str) -> Self {
        let owner = self.owner(of);
        self.socket(owner, None, unix(SocketState::Established))
    }

    pub fn unix_connects(self, of: &str, name: &[u8]) -> Self {
        let owner = self.owner(of);
        let remote_name = UnixAddress::new(name);
        let found = Found { remote_name, ..unix(SocketState::Established) };
        self.socket(owner, None, found)
    }

    pub fn unix_listens(self, of: &str, name: &[u8]) -> Self {
        let owner = self.owner(of);
        let local_name = UnixAddress::new(name);
        self.socket(owner, None, Found { local_name, ..unix(SocketState::Listen) })
    }

    pub fn host_unix(self, name: &[u8]) -> Self {
        let local_name = UnixAddress::new(name);
        let found = Found { local_name, ..unix(SocketState::Listen) };
        self.socket(host(), Some(b"containerd-shim"), found)
    }
}

fn host() -> Arc<Owner> {
    Arc::new(Owner { kind: OwnerKind::Host, ..Owner::unknown(1, Some("/")) })
}

fn unix(state: SocketState) -> Found {
    let socket = Socket { family: libc::AF_UNIX as u16, kind: 1, protocol: 0 };
    Found { socket, state, ..Found::default() }
}

fn tcp(state: SocketState, local: &str, remote: Option<&str>) -> Found {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    Found {
        socket: Socket { family: libc::AF_INET as u16, kind: 1, protocol: 6 },
        state,
        local: Some(end(local)),
        remote: remote.map(end),
        ..Found::default()
    }
}
