//! Records of forks, programs and moves, and whose the processes are after them.

use hostnet_abi::{Connect, EventKind, Hook, Listen, Payload};
use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::{
    attribute::{Attribution, Decoded, RuntimeNews},
    event::{Event, Operation, Process},
};

const A: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const VICTIM: &str = "6aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const ROOT: u64 = 1;
const IN_A: u64 = 7;
const IN_VICTIM: u64 = 8;
const CHILD_OF_A: u64 = 9;
const SERVICE: u64 = 10;
const HOST_MOUNTS: u32 = 5;

struct Stage(Attribution);

impl Stage {
    fn new() -> Self {
        let mut stage = Attribution::new(Policy {
            sees_listeners: true,
            sees_datagram_ends: true,
            host_mount_namespace: HOST_MOUNTS,
            own_mount_namespace: HOST_MOUNTS,
            seed: 1,
            ..Policy::default()
        });
        for (id, path) in [
            (ROOT, "/".to_owned()),
            (IN_A, format!("/docker/{A}")),
            (IN_VICTIM, format!("/docker/{VICTIM}")),
            (CHILD_OF_A, format!("/docker/{A}/child")),
            (SERVICE, "/system.slice/web.service".to_owned()),
        ] {
            stage.cgroup(id, path);
        }
        Self(stage)
    }

    /// A record of process `tgid` in `cgroup`; 0 for nobody.
    fn record<P: Payload>(&mut self, tgid: u32, cgroup: u64, payload: P) {
        self.record_of(tgid, cgroup, (0, 0), payload);
    }

    fn record_of<P: Payload>(&mut self, tgid: u32, cgroup: u64, socket: (u64, u64), payload: P) {
        let mut header = Header::new_zeroed();
        (header.cookie, header.socket_cgroup) = socket;
        (header.tgid, header.tid, header.task_cgroup) = (tgid, tgid, cgroup);
        (header.boot_ns, header.kind) = (100, P::KIND as u16);
        header.hook = Hook::Connect4 as u16;
        header.length = P::KIND.record_length() as u32;
        let bytes = [header.as_bytes(), payload.as_bytes()].concat();
        self.0.record(&Decoded::of(&bytes).expect("a record"));
    }

    fn attach(&mut self, by: u32, pid: u32, from: u64, to: u64) {
        let attach = CgroupAttach { id: to, from, start_ns: 50, moved: pid, padding: 0 };
        self.record(by, ROOT, attach);
    }

    fn fork(&mut self, (parent, cgroup): (u32, u64), child: u32, into: u64) {
        let fork = ForkRecord {
            start_ns: 60,
            cgroup: into,
            child,
            namespace_pid: 1,
            contained: 1,
            padding: 0,
        };
        self.record(parent, cgroup, fork);
    }

    fn exec(&mut self, pid: u32, cgroup: u64, mount_namespace: u32, pid_level: u32) {
        let exec = ExecRecord { mount_namespace, pid_level, ..ExecRecord::new_zeroed() };
        self.record(pid, cgroup, exec);
    }

    /// The runtime says of a container where it is, and /proc which mounts it has.
    fn says(&mut self, id: &str, mount_namespace: u32) {
        let container = Container {
            id: id.to_owned(),
            created: "now".to_owned(),
            pid: 80,
            cgroup_path: format!("/docker/{id}"),
            mount_namespace,
            ..Container::default()
        };
        self.0.runtime(RuntimeNews::Container(Box::new(container)), 10);
    }

    /// The events so far as action, container and where it is now.
    fn told(&mut self) -> Vec<(&'static str, String, u64)> {
        self.0.reporter.release_overdue(&mut self.0.owners, u64::MAX);
        let mut events = Vec::new();
        self.0.take_events(&mut events);
        events.retain(|event| !matches!(event.operation, Operation::Joined(_)));
        let row = |event: &Event| {
            let owner = event.owner.as_ref().expect("an owner");
            let now = owner.moved_to.as_ref().map_or(0, |cgroup| cgroup.id);
            (event.operation.told().action().name(), owner.label().to_owned(), now)
        };
        events.iter().map(row).collect()
    }

    /// Label and creator of what process `pid` does in `cgroup` with a socket
    /// made in `made_in`.
    fn acts(&mut self, pid: u32, cgroup: u64, made_in: u64) -> Option<(String, Option<String>)> {
        self.told();
        let socket = hostnet_abi::Socket { family: 2, kind: 2, protocol: 17 };
        let connect = Connect { address: [0; 4], port: 9, socket };
        self.record_of(pid, cgroup, (u64::from(pid), made_in), connect);
        self.0.reporter.release_overdue(&mut self.0.owners, u64::MAX);
        let mut events = Vec::new();
        self.0.take_events(&mut events);
        let event = events.pop()?;
        let label = |owner: Arc<Owner>| owner.label().to_owned();
        Some((label(event.owner?), event.creator.map(label)))
    }
}

fn a() -> String {
    A[..12].to_owned()
}

fn by_a() -> Option<(String, Option<String>)> {
    Some((a(), None))
}

#[test]
fn a_process_stays_its_containers() {
    for (to, path) in [(ROOT, "/"), (IN_VICTIM, "/docker/6"), (SERVICE, "/system.slice")] {
        let mut stage = Stage::new();
        stage.attach(70, 70, IN_A, to);
        assert_eq!(stage.told(), [("cgroup-migration", a(), to)], "{path}");
        assert_eq!(stage.acts(70, to, to), by_a(), "{path}");
        // Its child, and what it made in other places it has been in.
        stage.fork((70, to), 71, to);
        assert_eq!(stage.told(), [], "{path}");
        assert_eq!(stage.acts(71, to, IN_A), by_a(), "{path}");
    }
}

#[test]
fn from_place_to_place_and_home() {
    let mut stage = Stage::new();
    for (from, to) in [(IN_A, IN_VICTIM), (IN_VICTIM, ROOT), (ROOT, CHILD_OF_A)] {
        stage.attach(10, 70, from, to);
    }
    assert_eq!(
        stage.told(),
        [
            ("cgroup-migration", a(), IN_VICTIM),
            ("cgroup-migration", a(), ROOT),
            ("cgroup-migration", a(), 0)
        ]
    );
    assert!(stage.0.owners.strays.is_empty());
    stage.attach(70, 70, CHILD_OF_A, IN_A);
    assert_eq!(stage.told(), [], "it moves at home");
}

#[test]
fn a_runtime_passes_through() {
    let mut stage = Stage::new();
    stage.attach(10, 20, 0, IN_A);
    stage.attach(10, 20, 0, ROOT);
    assert_eq!(stage.told(), []);
    assert_eq!(stage.acts(20, ROOT, ROOT), None, "a host process is not told");
    assert_eq!(stage.acts(20, IN_A, IN_A), by_a());
}

#[test]
fn a_child_born_elsewhere() {
    let mut stage = Stage::new();
    stage.fork((70, IN_A), 71, ROOT);
    assert_eq!(stage.told(), [("cgroup-migration", a(), ROOT)]);
    assert_eq!(stage.acts(71, ROOT, ROOT), by_a());
    assert_eq!(stage.acts(70, IN_A, IN_A), by_a());
}

#[test]
fn a_strangers_listener_is_not_the_victims() {
    let mut stage = Stage::new();
    let socket = hostnet_abi::Socket { family: 2, kind: 1, protocol: 6 };
    stage.attach(70, 70, IN_A, IN_VICTIM);
    let listen = Listen { port: 80, backlog: 1, socket, ..Listen::new_zeroed() };
    stage.record_of(70, IN_VICTIM, (99, IN_VICTIM), listen);
    stage.told();
    let accept = hostnet_abi::Accept { listener: 99, socket, ..hostnet_abi::Accept::new_zeroed() };
    stage.record_of(0, 0, (100, IN_VICTIM), accept);
    assert_eq!(stage.told(), [("connection_accepted", a(), IN_VICTIM)]);
    // Of a socket nobody has told of, it cannot be known whose it is.
    let accept = hostnet_abi::Accept { listener: 98, ..accept };
    stage.record_of(0, 0, (101, IN_VICTIM), accept);
    assert_eq!(stage.told(), [("connection_accepted", "unknown".to_owned(), 0)]);
}

#[test]
fn namespaces_tell_a_process_from_the_hosts() {
    let apart = "container-unknown".to_owned();
    for (cgroup, mounts, pid_level, is_apart) in [
        (ROOT, HOST_MOUNTS, 0, false),
        (ROOT, HOST_MOUNTS + 1, 0, true),
        (ROOT, HOST_MOUNTS, 1, true),
        (SERVICE, HOST_MOUNTS + 1, 0, false),
        (SERVICE, HOST_MOUNTS, 1, true),
    ] {
        let mut stage = Stage::new();
        stage.exec(30, cgroup, mounts, pid_level);
        let told = is_apart.then(|| ("exec", apart.clone(), 0));
        assert_eq!(stage.told(), told.into_iter().collect::<Vec<_>>());
        let acts = is_apart.then(|| (apart.clone(), None));
        assert_eq!(stage.acts(30, cgroup, cgroup), acts);
    }
}

#[test]
fn what_is_set_up_apart_becomes_a_containers() {
    let mut stage = Stage::new();
    stage.exec(30, ROOT, HOST_MOUNTS + 1, 1);
    stage.told();
    stage.attach(30, 30, ROOT, IN_A);
    assert_eq!(stage.told(), []);
    assert_eq!(stage.acts(30, IN_A, IN_A), by_a());
}

#[test]
fn the_programs_follow_what_is_older_than_they() {
    let mut stage = Stage::new();
    let requests = |stage: &mut Stage, cgroup, mount_namespace, in_host_network| {
        stage.0.take_requests();
        let own_pids = false;
        let apart = Apart { pid: 30, cgroup, mount_namespace, own_pids, in_host_network };
        stage.0.owners().apart(&apart);
        stage.0.take_requests()
    };
    let follow = |home, now| Request::Follow { pid: 30, home, now };
    assert_eq!(requests(&mut stage, IN_A, 9, false), [follow(IN_A, IN_A)]);
    assert_eq!(requests(&mut stage, SERVICE, 9, true), []);
    assert_eq!(requests(&mut stage, ROOT, 9, true), [Request::Mix(ROOT), follow(0, ROOT)]);
    assert_eq!(stage.acts(30, ROOT, ROOT), Some(("container-unknown".to_owned(), None)));
}

#[test]
fn a_cgroup_with_a_process_apart_is_told_whole() {
    let mut stage = Stage::new();
    let mut runs = |pid_level, mount_namespace| {
        let exec = hostnet_abi::Exec { pid_level, mount_namespace, ..FromZeros::new_zeroed() };
        stage.0.take_requests();
        stage.record(30 + pid_level, SERVICE, exec);
        stage.0.take_requests()
    };
    assert_eq!(runs(0, 9), [], "a service may have mounts of its own");
    assert_eq!(runs(1, 9), [Request::Mix(SERVICE)]);
    assert_eq!(runs(1, 9), [], "once is enough");
}

#[test]
fn of_a_cgroup_that_was_never_told_the_process_is_asked() {
    let mut stage = Stage::new();
    let mut header = Header::new_zeroed();
    let mut asked = |tgid, cgroup| {
        (header.tgid, header.task_cgroup, header.kind) = (tgid, cgroup, EventKind::Exit as u16);
        header.hook = Hook::SchedProcessExit as u16;
        header.length = EventKind::Exit.record_length() as u32;
        let exit = hostnet_abi::Exit::new_zeroed();
        let bytes = [header.as_bytes(), exit.as_bytes()].concat();
        stage.0.owners().lookups(&Decoded::of(&bytes).expect("a record")).cgroup
    };
    assert_eq!(asked(30, 99), Some(30));
    assert_eq!(asked(30, IN_A), None);
    assert_eq!(asked(0, 99), None, "nobody can be asked");
    stage.0.cgroup(99, format!("/docker/{A}/late"));
    assert!(!stage.0.owners().lacks_cgroup(99));
}

#[test]
fn a_borrowed_name_is_told_of_its_maker() {
    let mut stage = Stage::new();
    stage.says(VICTIM, 9);
    let mut make = |by: u32, cgroup, id, path: &str| {
        let mut header = Header::new_zeroed();
        (header.tgid, header.task_cgroup, header.boot_ns) = (by, cgroup, 100);
        header.kind = EventKind::CgroupMkdir as u16;
        header.hook = Hook::CgroupMkdir as u16;
        header.length = (EventKind::CgroupMkdir.record_length() + path.len()) as u32;
        let made = hostnet_abi::CgroupMkdir { id, truncated: 0 };
        let bytes = [header.as_bytes(), made.as_bytes(), path.as_bytes()].concat();
        stage.0.record(&Decoded::of(&bytes).expect("a record"));
        stage.told()
    };
    let spoof = [("name-spoof", a(), 0)];
    assert_eq!(make(70, IN_A, 20, &format!("/docker/{A}/docker-{VICTIM}.scope")), spoof);
    assert_eq!(make(70, IN_A, 21, &format!("/docker/docker-{VICTIM}.scope")), spoof);
    assert_eq!(make(70, IN_A, 22, &format!("/docker/{A}/plain")), []);
    assert_eq!(make(10, ROOT, 23, &format!("/other/{VICTIM}")), [], "the host's own");
}

#[test]
fn what_moved_before_the_agent_is_known_by_its_mounts() {
    let mut stage = Stage::new();
    for (pid, mount_namespace) in [(70, 21), (80, 22)] {
        stage.0.process(Process { pid, start_ns: 5, ..Process::default() });
        let (own_pids, in_host_network) = (true, true);
        let cgroup = IN_VICTIM;
        stage.0.owners().apart(&Apart { pid, cgroup, mount_namespace, own_pids, in_host_network });
    }
    stage.says(VICTIM, 22);
    stage.says(A, 21);
    assert_eq!(stage.acts(70, IN_VICTIM, IN_VICTIM), by_a());
    assert_eq!(stage.acts(80, IN_VICTIM, IN_VICTIM), Some((VICTIM[..12].to_owned(), None)));
}
