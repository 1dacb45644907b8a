//! A container that may write to the cgroup file system stays the owner of what
//! it does, in whatever cgroup, of whatever name. `ss`, which knows a socket's
//! cgroup and nothing else, tells of another owner each time.

use std::{fs, path::Path};

use hostnet_tests::{
    ActorBox, Container, Docker, Technique, Trial, all, at, cgroups, needs_docker, needs_root, net,
    wait_for, want,
};
use serde_json::Value;

/// Where the container has the host's hierarchy.
const MOUNTED: &str = "/cgroups";

fn with_cgroups() -> Technique {
    let volume = format!("--volume={}:{MOUNTED}:rw", cgroups::root().display());
    Technique::new().unconfined().options([volume.as_str(), "--cgroupns=host"])
}

/// A directory as the container sees it.
fn inside(path: &str) -> String {
    cgroups::directory(Path::new(MOUNTED), path).display().to_string()
}

fn victim() -> Container {
    Docker::shared().launch("host").start(["sleep", "1000"])
}

/// The container's own cgroup.
fn own(actor: &ActorBox) -> String {
    cgroups::path_of(actor.container.pid)
}

fn make(actor: &mut ActorBox, path: &str) {
    assert_eq!(actor.one(&format!("cgroup-make {}", inside(path)))["result"], "ok");
}

fn enter(actor: &mut ActorBox, path: &str) {
    assert_eq!(actor.one(&format!("cgroup-enter {}", inside(path)))["result"], "ok");
    assert_eq!(cgroups::path_of(actor.container.pid), path);
}

/// A listener on a port of its own, which is two operations.
fn listen(actor: &mut ActorBox) -> Vec<Value> {
    let listening = actor.one("listen 127.0.0.1 0");
    let mut bound = listening.clone();
    bound["op"] = "bind".into();
    all("ok", vec![bound, listening])
}

/// A listener, both ends of a connection, a refused one, a UDP socket.
fn act(actor: &mut ActorBox) -> Vec<Value> {
    let mut rows = listen(actor);
    let port = rows[0]["local"]["port"].clone();
    rows.push(actor.one(&format!("tcp-connect 127.0.0.1 {port}")));
    rows.extend(actor.perform(&format!("serve {port}")));
    rows.extend(actor.perform("bind 127.0.0.1 0"));
    rows.extend(actor.perform(&format!("udp-send 127.0.0.1 {}", net::closed_port())));
    let rows = all("ok", rows);
    let refused = format!("tcp-connect 127.0.0.1 {}", net::closed_port());
    rows.into_iter().chain(all("ECONNREFUSED", vec![actor.one(&refused)])).collect()
}

/// What `ss` says of the listener: the cgroup it was made in.
fn says_of_its_listeners(trial: &Trial, path: &str) {
    let listening = trial.rows.iter().find(|row| row["op"] == "listen").expect("a listener");
    let cookie = listening["cookie"].as_u64().expect("a cookie");
    let seen = trial.witness.get(&cookie).expect("ss shows a listener");
    assert_eq!(seen.cgroup.as_deref(), Some(path));
}

fn migrations(trial: &Trial) -> Vec<&Value> {
    let migration = want().action("cgroup-migration").owned_by(&trial.container);
    trial.run.all(&migration.is("hostnet.owner.kind", "container"))
}

/// Enters `path` and acts: the owner is the one it was, and the move is told once.
fn goes_to(technique: &Technique, path: &str, prepare: impl Fn(&mut ActorBox)) -> Trial {
    let trial = technique.is_told(|actor| {
        prepare(actor);
        enter(actor, path);
        act(actor)
    });
    says_of_its_listeners(&trial, path);
    let moved = want()
        .action("cgroup-migration")
        .owned_by(&trial.container)
        .is("event.category", serde_json::json!(["process"]))
        .is("hostnet.migration.to.path", path)
        .is("hostnet.migration.pid", trial.container.pid)
        .is("hostnet.migration.by.pid", trial.container.pid)
        .is("hostnet.migration.by.container.id", trial.container.id.as_str())
        .is("process.pid", trial.container.pid);
    let event = trial.run.only(&moved);
    let from = at(event, "hostnet.migration.from.path").and_then(Value::as_str);
    assert!(from.is_some_and(|from| from.contains(&trial.container.id)), "{event}");
    trial.run.only(&want().action("cgroup-migration"));
    let operation = want()
        .owned_by(&trial.container)
        .is("hostnet.attribution.method", "origin")
        .is("hostnet.owner.cgroup.path", from)
        .is("hostnet.owner.moved_to.path", path)
        .absent("hostnet.creator");
    for action in [
        "listen-for-connections",
        "connection_accepted",
        "connection_attempted",
        "bound-socket",
        "disconnect_received",
    ] {
        let of_the_kind = trial.run.all(&want().action(action).owned_by(&trial.container));
        assert!(!of_the_kind.is_empty(), "{action}");
        for event in of_the_kind {
            assert!(operation.matches(event), "{:?}", operation.differences(event));
        }
    }
    trial
}

#[test]
fn e24_a_cgroup_within_its_own() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let trial = with_cgroups().is_told(|actor| {
        let child = format!("{}/child", own(actor));
        make(actor, &child);
        enter(actor, &child);
        act(actor)
    });
    assert!(migrations(&trial).is_empty(), "it is at home");
    trial.run.none(&want().action("name-spoof"));
    let listening = want().action("listen-for-connections").owned_by(&trial.container);
    trial.run.only(
        &listening
            .is("hostnet.attribution.method", "cgroup-id")
            .is("hostnet.attribution.confidence", "confirmed"),
    );
}

/// Below its own cgroup, and beside it.
#[test]
fn e25_a_cgroup_named_after_another_container() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let victim = victim();
    for name in [format!("docker-{}.scope", victim.id), victim.id.clone()] {
        let trial = with_cgroups().is_told(|actor| {
            let child = format!("{}/{name}", own(actor));
            make(actor, &child);
            enter(actor, &child);
            act(actor)
        });
        assert!(migrations(&trial).is_empty(), "it is at home");
        let spoof = want()
            .action("name-spoof")
            .owned_by(&trial.container)
            .is("hostnet.spoof.container.id", victim.id.as_str())
            .is("hostnet.spoof.container.name", victim.name.as_str())
            .present("hostnet.spoof.cgroup.path");
        let spoof = trial.run.only(&spoof);
        let finding = want().action("finding").is("rule.id", "name-spoof");
        let finding = finding.is("event.kind", "alert").owned_by(&trial.container);
        let id = spoof["event"]["id"].as_str().expect("an id");
        trial.run.only(&finding.is("hostnet.finding.evidence", id));
        let nested =
            want().owned_by(&trial.container).includes("hostnet.owner.nested", &*victim.id);
        trial.run.only(&nested.action("listen-for-connections"));
        trial.run.none(&want().owned_by(&victim).action("listen-for-connections"));
    }
}

#[test]
fn e25_a_cgroup_beside_it_named_after_another_container() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let victim = victim();
    let parent = format!("/hostnet-test-spoof-{}", std::process::id());
    let path = format!("{parent}/docker-{}.scope", victim.id);
    // The process that was in it may be about to end.
    let clean = || {
        for path in [&path, &parent] {
            let directory = cgroups::directory(&cgroups::root(), path);
            wait_for("the end of a cgroup", || {
                !directory.exists() || fs::remove_dir(&directory).is_ok()
            });
        }
    };
    let trial = goes_to(&with_cgroups(), &path, |actor| {
        clean();
        make(actor, &parent);
        make(actor, &path);
    });
    clean();
    let spoof = want().action("name-spoof").owned_by(&trial.container);
    trial.run.only(&spoof.is("hostnet.spoof.container.id", victim.id.as_str()));
    trial.run.none(&want().owned_by(&victim).action("listen-for-connections"));
}

#[test]
fn e26_into_another_containers_cgroup() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let victim = victim();
    let path = cgroups::path_of(victim.pid);
    let trial = goes_to(&with_cgroups(), &path, |_| {});
    trial.run.none(&want().owned_by(&victim).action("listen-for-connections"));
    trial.run.none(&want().owned_by(&victim).action("connection_accepted"));
}

#[test]
fn e26_into_the_root() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    goes_to(&with_cgroups(), "/", |_| {});
}

/// A cgroup of the host's, which the kernel's programs are told to be quiet about.
#[test]
fn e26_into_the_hosts() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let hosts = cgroups::HostCgroup::new("hosts");
    goes_to(&with_cgroups(), &hosts.path, |_| {});
}

/// The child never was in its container's cgroup.
#[test]
fn e26_born_in_the_hosts() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let hosts = cgroups::HostCgroup::new("born");
    let port = net::closed_port();
    let trial = with_cgroups().is_told(|actor| {
        let words =
            format!("born-in-cgroup {} -- tcp-connect 127.0.0.1 {port}", inside(&hosts.path));
        let mut rows = actor.perform(&words);
        let cloned = rows.pop().expect("the parent tells last");
        assert_eq!(cloned["result"], "ok", "{cloned}");
        all("ECONNREFUSED", rows)
    });
    let migration = want().action("cgroup-migration").owned_by(&trial.container);
    trial.run.only(
        &migration
            .is("hostnet.migration.to.path", hosts.path.as_str())
            .is("hostnet.migration.by.pid", trial.container.pid),
    );
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    trial.run.only(&connect.is("hostnet.owner.moved_to.path", hosts.path.as_str()));
}

/// From one strange place to the next, and back.
#[test]
fn e26_there_and_back() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let victim = victim();
    let theirs = cgroups::path_of(victim.pid);
    let trial = with_cgroups().is_told(|actor| {
        let home = own(actor);
        // systemd removes the cgroup of a container once nobody is in it.
        Docker::shared().run(["exec", "--detach", &actor.container.id, "sleep", "600"]);
        let mut rows = Vec::new();
        for path in ["/", &theirs, &home] {
            enter(actor, path);
            rows.extend(listen(actor));
        }
        rows
    });
    let told: Vec<_> =
        migrations(&trial).iter().map(|event| at(event, "hostnet.migration.to.path")).collect();
    let home = at(migrations(&trial)[0], "hostnet.migration.from.path");
    assert_eq!(told, [Some(&"/".into()), Some(&theirs.as_str().into()), home]);
    let last = trial.run.all(&want().action("listen-for-connections").owned_by(&trial.container));
    assert_eq!(at(last[2], "hostnet.owner.moved_to"), None);
}

/// A test can fail: without the hook that sees moves, the owner is another.
#[test]
fn e26_is_not_told_without_the_hook() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let victim = victim();
    let path = cgroups::path_of(victim.pid);
    with_cgroups().is_not_told_without(
        "cgroup_attach_task",
        |actor| {
            enter(actor, &path);
            listen(actor)
        },
        |trial| migrations(trial).len() == 1,
    );
}

/// A container cannot see its own cgroup's path; the kernel's number is the same.
#[test]
fn e27_a_container_in_a_cgroup_namespace_of_its_own() {
    needs_root!();
    needs_docker!("a cgroup namespace");
    let trial = Technique::new().options(["--cgroupns=private"]).is_told(|actor| {
        let table = actor.container.exec(["cat", "/proc/self/cgroup"]);
        assert!(table.lines().any(|line| line == "0::/"), "{table}");
        act(actor)
    });
    let listening = want().action("listen-for-connections").owned_by(&trial.container);
    trial.run.only(&listening.is("hostnet.attribution.confidence", "confirmed"));
}

/// What a runtime inside a container makes of it: the outer one is the owner.
#[test]
fn e28_a_container_within_a_container() {
    needs_root!();
    needs_docker!("a container that may write to the cgroup file system");
    let inner = "1f".repeat(32);
    let trial = with_cgroups().is_told(|actor| {
        let parent = format!("{}/docker", own(actor));
        make(actor, &parent);
        let path = format!("{parent}/{inner}");
        make(actor, &path);
        enter(actor, &path);
        act(actor)
    });
    trial.run.none(&want().action("name-spoof"));
    assert!(migrations(&trial).is_empty(), "it is at home");
    let nested = want().owned_by(&trial.container).includes("hostnet.owner.nested", inner.as_str());
    trial.run.only(&nested.action("listen-for-connections"));
}
