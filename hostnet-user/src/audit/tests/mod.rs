//! An audit of facts made up: a host with a container of every way to be in its
//! network namespace, and one that is not.

mod facts;
mod forms;

use rustix::thread::CapabilitySet;

use super::*;
use crate::judge::expectations::{Entry, Expectations, Settings};
use facts::Made;

fn expect(entries: &str) -> Expectations {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct File {
        expect: Vec<Entry>,
        expectations: Settings,
    }
    let File { expect, expectations } = toml::from_str(entries).unwrap();
    Expectations::new(&expect, &expectations)
}

fn nobody() -> Expectations {
    Expectations::default()
}

fn ids(subject: &Subject) -> Vec<&str> {
    subject.reasons.iter().map(|reason| reason.id).collect()
}

/// The only subject of these facts.
fn one(made: Made, expectations: &Expectations) -> Subject {
    let mut audit = made.audit(expectations);
    assert_eq!(audit.in_host_network.len(), 1, "{audit:?}");
    audit.in_host_network.remove(0)
}

#[test]
fn how_each_came_to_be_here() {
    let declared = Made::default().container("web", "host").process(10, "web");
    assert_eq!(one(declared, &nobody()).way, Way::Declared);

    let joined = Made::default().container("web", "host").container("side", "container:web");
    let audit = joined.process(10, "web").process(20, "side").audit(&nobody());
    let side = audit.in_host_network.iter().find(|subject| subject.label == "side").unwrap();
    assert_eq!(side.way, Way::Joined { container: facts::id("web"), name: Some("web".to_owned()) });

    let undeclared = Made::default().container("db", "default").process(10, "db");
    assert_eq!(one(undeclared, &nobody()).way, Way::Undeclared { declared: "bridge".into() });

    // One that was listed, and not inspected in time: its first process is not known.
    let listed = Made::default().stopped("db", "bridge").process(11, "db");
    assert_eq!(one(listed, &nobody()).way, Way::Undeclared { declared: "bridge".into() });

    // Its first process, whose id is 10, is not here.
    let entered = Made::default().container("db", "shop_net").process(11, "db");
    assert_eq!(one(entered, &nobody()).way, Way::Entered { declared: "shop_net".into() });

    let unknown = Made::default().process(10, "cri");
    let subject = one(unknown, &nobody());
    assert_eq!(subject.way, Way::Unknown);
    assert_eq!(ids(&subject), ["unexpected", "unconfirmed"]);

    let apart = Made::default().apart(30, 77);
    assert_eq!(one(apart, &nobody()).way, Way::OwnNamespaces { mounts_of: None });
    let db = Made::default().container("db", "bridge");
    let mounts = db.mounts_of("db");
    let subject = one(db.apart(30, mounts), &nobody());
    assert_eq!(subject.way, Way::OwnNamespaces { mounts_of: Some("db".into()) });
    assert_eq!((subject.risk, subject.label.as_str()), (Level::Critical, "sleep[30]"));

    let spoof = Made::default().container("db", "bridge").false_name(40, "db");
    let subject = one(spoof, &nobody());
    assert_eq!((subject.way.clone(), subject.risk), (Way::FalseName, Level::Critical));
}

#[test]
fn a_container_in_a_network_of_its_own_is_not_told() {
    let audit = Made::default().container("db", "bridge").audit(&nobody());
    assert!(audit.in_host_network.is_empty() && audit.complete);
    assert!(audit.docker_ps[0].agrees);
    assert_eq!((audit.risk(), audit.cis.result), (Level::None, Verdict::Pass));
    // Standard output that is a connected unix socket is nothing to tell.
    let handed = Made::default().container("db", "bridge").unix_connected("db");
    assert!(handed.audit(&nobody()).in_host_network.is_empty());
    let listener = Made::default().container("db", "bridge").listens("db", "0.0.0.0:80");
    assert_eq!(one(listener, &nobody()).way, Way::Handed);
}

#[test]
fn the_list_of_docker_is_told_where_it_is_wrong() {
    let audit = Made::default()
        .container("web", "host")
        .container("side", "container:web")
        .container("db", "bridge")
        .container("lost", "host")
        .process(10, "web")
        .process(20, "side")
        .process(31, "db")
        .process(50, "cri")
        .audit(&nobody());
    let Agreement { agrees, listed, disagreements, .. } = &audit.docker_ps[0];
    assert!(!agrees);
    let mut expected = [facts::id("web"), facts::id("lost")];
    expected.sort();
    assert_eq!(*listed, expected);
    let mut wrong: Vec<(&str, bool)> =
        disagreements.iter().map(|one| (one.label.as_str(), one.is_listed)).collect();
    wrong.sort_unstable();
    let cri = &facts::id("cri")[..12];
    let mut expected = [(cri, false), ("db", false), ("lost", true), ("side", false)];
    expected.sort_unstable();
    assert_eq!(wrong, expected);
}

#[test]
fn the_benchmark_fails_what_is_configured_so_and_what_is_so() {
    let audit = Made::default()
        .container("web", "host")
        .stopped("old", "host")
        .stopped("fine", "bridge")
        .container("db", "bridge")
        .container("in", "bridge")
        .process(10, "web")
        .process(99, "in")
        .process(50, "cri")
        .audit(&nobody());
    let result = |name: &str| {
        let check = audit.cis.containers.iter().find(|check| check.name == name).unwrap();
        (check.result, check.evidence.as_str())
    };
    let process = "is in the host's network namespace";
    assert_eq!(result("web"), (Verdict::Fail, &*format!("NetworkMode=host; process 10 {process}")));
    assert_eq!(result("old"), (Verdict::Fail, "NetworkMode=host; not running (exited)"));
    assert_eq!(result("fine"), (Verdict::Pass, "NetworkMode=bridge; not running (exited)"));
    let none = "NetworkMode=bridge; no process in the host's network namespace";
    assert_eq!(result("db"), (Verdict::Pass, none));
    assert_eq!(
        result("in"),
        (Verdict::Fail, &*format!("NetworkMode=bridge; process 99 {process}"))
    );
    assert_eq!(result(&facts::id("cri")[..12]).0, Verdict::Fail);
    assert_eq!(audit.cis.result, Verdict::Fail);
}

/// What each reason needs, alone, and that nothing else gives it.
#[test]
fn every_reason_has_its_cause() {
    let web = || Made::default().container("web", "host").process(10, "web");
    let with = |bits: CapabilitySet| web().capabilities(bits);
    let expected = "[[expect]]\nname = \"web\"\nreason = \"r\"\n";
    let some = format!("{expected}bind = [\"tcp/80\"]\n");
    let expired = format!("{expected}until = 2020-01-01\n");
    let label = [("hostnet.expected", "true"), ("hostnet.reason", "r")];
    let socket = ("/run/docker.sock", true, true);
    for (id, made, entries) in [
        ("runtime-socket", web().exposes(socket), expected),
        ("host-files-writable", web().exposes(("/", true, true)), expected),
        ("host-files", web().exposes(("/", false, true)), expected),
        ("host-files", web().exposes(("/", true, false)), expected),
        ("privileged", web().privileged(), expected),
        ("module-capability", with(CapabilitySet::SYS_MODULE), expected),
        ("admin-capability", with(CapabilitySet::SYS_PTRACE), expected),
        ("network-capability", with(CapabilitySet::NET_ADMIN), expected),
        ("raw-capability", with(CapabilitySet::NET_RAW), expected),
        ("host-processes", web().may(|one| one.host_pids = true), expected),
        ("host-mounts", web().may(|one| one.host_mounts = true), expected),
        ("root", web().may(|one| one.uid = 0), expected),
        ("packet-socket", web().packet("web"), expected),
        ("abstract-socket", web().unix_connects("web", b"\0shim").host_unix(b"\0shim"), expected),
        ("bind-not-expected", web().listens("web", "127.0.0.1:81"), &*some),
        ("unexpected", web(), ""),
        ("expired", web(), &*expired),
        ("says-itself", web().labels(&label), "[expectations]\ntrust_labels = true\n"),
        // By default its labels excuse nothing.
        ("unexpected", web().labels(&label), ""),
        ("listens-everywhere", web().listens("web", "[::]:80"), expected),
        ("listens", web().listens("web", "192.0.2.1:80"), expected),
        (
            "local-services",
            web().connects("web", "127.0.0.1:5432").host_listens("0.0.0.0:5432"),
            expected,
        ),
    ] {
        let expectations = if entries.is_empty() { nobody() } else { expect(entries) };
        let subject = one(made, &expectations);
        // A listener that is not expected is told as a listener, too.
        let found: Vec<&str> = ids(&subject)
            .into_iter()
            .filter(|found| id != "bind-not-expected" || *found != "listens")
            .collect();
        assert_eq!(found, [id], "{:?}", subject.reasons);
        let rule = RULES.iter().find(|rule| rule.id == id).unwrap();
        assert!(subject.risk >= rule.level);
    }
    let nothing = one(web(), &expect(expected));
    assert_eq!((nothing.risk, nothing.reasons.len()), (Level::None, 0));
    // What may be bound is no reason; a socket that cannot be used is none either.
    let permitted = one(web().listens("web", "0.0.0.0:80"), &expect(&some));
    assert_eq!(permitted.risk, Level::None);
    // Whoever asks for a name sends from a port that the kernel chose.
    let resolver = one(web().udp("web", "0.0.0.0:40000"), &expect(&some));
    assert!(resolver.holds.listeners[0].is_chosen && resolver.risk == Level::None);
    let server = one(web().udp("web", "0.0.0.0:53"), &expect(&some));
    assert_eq!(ids(&server), ["bind-not-expected", "listens-everywhere"]);
    let own = web().unix_connects("web", b"\0own").unix_listens("web", b"\0own");
    assert_eq!(one(own, &expect(expected)).risk, Level::None);
    let unusable = one(web().exposes(("/run/docker.sock", true, false)), &expect(expected));
    assert_eq!(unusable.risk, Level::None);
}

#[test]
fn a_shared_port_names_the_others() {
    let audit = Made::default()
        .container("web", "host")
        .container("thief", "host")
        .process(10, "web")
        .process(20, "thief")
        .listens("web", "0.0.0.0:80")
        .listens("thief", "127.0.0.1:80")
        .listens("web", "0.0.0.0:443")
        .host_listens("[::]:443")
        .audit(&nobody());
    let says = |label: &str| {
        let subject = audit.in_host_network.iter().find(|one| one.label == label).unwrap();
        let reason = subject.reasons.iter().find(|reason| reason.id == "shared-port").unwrap();
        reason.says.clone()
    };
    let start = "Other programs listen on the same port";
    assert_eq!(says("web"), format!("{start}: *:443 (also sshd), *:80 (also thief)."));
    assert_eq!(says("thief"), format!("{start}: 127.0.0.1:80 (also web)."));
}

#[test]
fn capabilities_in_a_user_namespace_of_ones_own_are_nothing_here() {
    let web = Made::default().container("web", "host").process(10, "web");
    let all = web.may(|one| {
        one.uid = 0;
        one.capabilities = CapabilityBits(u64::MAX);
        one.own_user_namespace = true;
    });
    assert_eq!(ids(&one(all, &nobody())), ["unexpected"]);
}

#[test]
fn connections_are_counted_by_the_other_end() {
    let mut made = Made::default().container("web", "host").process(10, "web");
    made = made.listens("web", "0.0.0.0:80").came_in("web", "0.0.0.0:80", "192.0.2.9:5000");
    made = made.came_in("web", "0.0.0.0:80", "192.0.2.9:5001");
    for _ in 0..3 {
        made = made.connects("web", "198.51.100.1:443");
    }
    let connections = one(made, &nobody()).holds.connections;
    let found: Vec<_> = connections
        .remotes
        .iter()
        .map(|one| (one.address.to_string(), one.port, one.to_port, one.count))
        .collect();
    assert_eq!(connections.count, 5);
    assert_eq!(
        found,
        [
            ("198.51.100.1".to_owned(), Some(443), None, 3),
            ("192.0.2.9".to_owned(), None, Some(80), 2)
        ]
    );
}

#[test]
fn the_worst_comes_first() {
    let audit = Made::default()
        .container("a", "host")
        .container("b", "bridge")
        .process(10, "a")
        .process(20, "b")
        .audit(&nobody());
    let labels: Vec<&str> = audit.in_host_network.iter().map(|one| one.label.as_str()).collect();
    assert_eq!(labels, ["b", "a"]);
    assert_eq!(audit.risk(), Level::High);
}
