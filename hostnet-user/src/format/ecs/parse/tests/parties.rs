//! Whose the events of the samples are, with everything that is known of anybody.

use crate::event::*;

const SECOND: u64 = 1_000_000_000;

pub fn container() -> Container {
    let label = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Container {
        id: "c0ffee".repeat(10),
        name: "web\u{202e}\n".to_owned(),
        image: "registry:5000/shop/web:1.2".to_owned(),
        image_id: "sha256:00".to_owned(),
        labels: [
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "web"),
            ("com_docker_compose_service", "web"),
            ("com.docker.swarm.service.name", "shop_web"),
            ("com.docker.stack.namespace", "shop"),
            ("hostnet.expected", "yes"),
            ("a.b", "c"),
        ]
        .map(label)
        .into(),
        network_mode: "host".to_owned(),
        privileged: true,
        capabilities: vec!["NET_ADMIN".to_owned(), "-CHOWN".to_owned()],
        user: "1000".to_owned(),
        restart_policy: "always".to_owned(),
        created: "2026-11-25T17:11:02.289495426Z".to_owned(),
        users: UserNames::of(1000, "shop").expect("a name"),
        is_infra: true,
        runtime: "docker".to_owned(),
        ..Container::default()
    }
}

pub fn owner(container: Container) -> Owner {
    Owner {
        kind: OwnerKind::Container,
        container_id: Some(container.id.clone()),
        runtime: Some("docker"),
        method: Method::Origin,
        confidence: Confidence::Runtime,
        moved_to: Some(Cgroup { id: 12, path: "/elsewhere".to_owned() }),
        container: Some(container.into()),
        ..Owner::unknown(11, Some("/docker/c0ffee"))
    }
}

pub fn host() -> Owner {
    let cgroup = Some("/system.slice/redis.service");
    let (method, confidence) = (Method::CgroupId, Confidence::Cgroup);
    Owner { kind: OwnerKind::Host, method, confidence, ..Owner::unknown(13, cgroup) }
}

pub fn process(is_exec: bool) -> Process {
    let ancestor = |pid, name: &[u8]| Ancestor {
        pid,
        start_ns: 3 * SECOND,
        name: name.to_vec(),
        executable: [b"/bin/", name].concat(),
        cgroup: None,
    };
    Process {
        pid: 70,
        namespace_pid: 1,
        parent: 60,
        start_ns: 4_999 * SECOND + 12_345_678,
        name: b"server".to_vec(),
        executable: Location { path: b"usr/bin/server".to_vec(), outside: true, truncated: true },
        file: ExecutedFile { inode: 5, device: (8, 1), deleted: true, memfd: false },
        called: if is_exec { b"./\xff".to_vec() } else { b"./server".to_vec() },
        called_truncated: true,
        directory: Location { path: b"/srv\xfe".to_vec(), outside: true, truncated: false },
        arguments: vec![b"server".to_vec(), b"--quietly".to_vec()],
        arguments_truncated: true,
        from_proc: !is_exec,
        known_parent: Some(ancestor(60, b"sh").into()),
        ancestors: vec![ancestor(60, b"sh").into(), ancestor(50, b"init").into()],
        ..Process::default()
    }
}
