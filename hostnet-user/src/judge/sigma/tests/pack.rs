use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The rules of the pack that an event breaks, by their files' names.
fn broken(rules: &Rules, event: &Value) -> BTreeSet<String> {
    rules.judge(event).iter().map(|about| about.file.trim_end_matches(".yml").to_owned()).collect()
}

#[test]
fn every_rule_is_good_and_says_what_a_person_needs() {
    let rules = Rules::pack();
    let texts = PACK
        .iter()
        .map(|(file, text)| RuleText { file: (*file).to_owned(), text: (*text).to_owned() });
    let (_, faults) = Rules::parse(&texts.collect::<Vec<_>>());
    assert_eq!(faults, []);
    assert_eq!(rules.len(), PACK.len());
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules")).unwrap();
    assert_eq!(files.count(), PACK.len(), "each file of rules/ is in the pack");
    for about in rules.iter() {
        assert!(!about.techniques.is_empty(), "{}", about.file);
        assert!(!about.falsepositives.is_empty(), "{}", about.file);
        assert!(about.description.len() > 80, "{}", about.file);
    }
}

/// A recorded event, by its action and what else it has, and changes to it.
struct Case {
    rule: &'static str,
    of: &'static [(&'static str, &'static str)],
    set: &'static [(&'static str, &'static str)],
    /// Each of them alone keeps it from firing.
    but: &'static [(&'static str, &'static str)],
}

const CONNECT: &[(&str, &str)] = &[
    ("/hostnet/operation", "connect"),
    ("/event/outcome", "success"),
    ("/hostnet/surface/target", "host-loopback"),
];
const UNIX: &[(&str, &str)] =
    &[("/hostnet/operation", "unix-connect"), ("/event/outcome", "success")];
const NOT_OURS: &[(&str, &str)] = &[
    ("/hostnet/surface/target", "\"lan\""),
    ("/event/outcome", "\"failure\""),
    ("/hostnet/owner/kind", "\"host\""),
    ("/hostnet/remote/port", "8080"),
];
const HOST: (&str, &str) = ("/hostnet/owner/kind", "\"host\"");
const UNIX_BUT: &[(&str, &str)] = &[
    ("/event/outcome", "\"failure\""),
    HOST,
    ("/hostnet/remote/name", "\"/run/x\""),
    ("/hostnet/operation", "\"unix-accept\""),
];

const CASES: &[Case] = &[
    Case {
        rule: "docker_api_port",
        of: CONNECT,
        set: &[("/hostnet/remote/port", "2375")],
        but: NOT_OURS,
    },
    Case {
        rule: "kubelet_port",
        of: CONNECT,
        set: &[("/hostnet/remote/port", "10250")],
        but: NOT_OURS,
    },
    Case {
        rule: "etcd_port",
        of: CONNECT,
        set: &[("/hostnet/remote/port", "2379")],
        but: NOT_OURS,
    },
    Case {
        rule: "kubernetes_api_server_port",
        of: CONNECT,
        set: &[("/hostnet/remote/port", "6443")],
        but: NOT_OURS,
    },
    Case {
        rule: "cloud_metadata",
        of: CONNECT,
        set: &[("/hostnet/surface/target", "\"metadata\""), ("/hostnet/remote/port", "80")],
        but: &[
            ("/hostnet/surface/target", "\"link-local\""),
            ("/event/outcome", "\"failure\""),
            HOST,
            ("/hostnet/remote/port", "53"),
        ],
    },
    Case {
        rule: "container_runtime_socket",
        of: UNIX,
        set: &[("/hostnet/remote/name", "\"/mnt/docker.sock\"")],
        but: UNIX_BUT,
    },
    Case {
        rule: "containerd_shim_socket",
        of: UNIX,
        set: &[("/hostnet/remote/name", "\"@/containerd-shim/moby/x.sock\"")],
        but: &[HOST, ("/hostnet/remote/name", "\"/containerd-shim/x\"")],
    },
    Case {
        rule: "host_abstract_socket",
        of: UNIX,
        set: &[("/hostnet/peer/kind", "\"host\"")],
        but: &[
            ("/hostnet/peer/kind", "\"container\""),
            HOST,
            ("/hostnet/surface/target", "\"path-unix\""),
        ],
    },
    Case {
        rule: "packet_socket",
        of: &[("/hostnet/operation", "packet-bind")],
        set: &[],
        but: &[HOST],
    },
    Case {
        rule: "packet_socket",
        of: &[("/hostnet/operation", "family-socket")],
        set: &[],
        but: &[HOST, ("/hostnet/socket/family", "\"vsock\"")],
    },
    Case {
        rule: "raw_socket",
        of: &[("/hostnet/operation", "raw-socket")],
        set: &[],
        but: &[HOST],
    },
    Case {
        rule: "wildcard_listener",
        of: &[("/hostnet/operation", "listen")],
        set: &[],
        but: &[HOST, ("/hostnet/listen/scope", "\"loopback\"")],
    },
    Case {
        rule: "privileged_port",
        of: &[("/hostnet/operation", "listen")],
        set: &[("/hostnet/local/port", "80")],
        but: &[HOST, ("/hostnet/local/port", "1024")],
    },
    Case {
        rule: "privileged_port",
        of: &[("/hostnet/operation", "bind"), ("/network/transport", "udp")],
        set: &[("/hostnet/local/port", "53"), ("/hostnet/bind/requested_port", "53")],
        but: &[HOST, ("/hostnet/bind/requested_port", "0"), ("/event/outcome", "\"failure\"")],
    },
    Case {
        rule: "port_shared",
        of: &[("/hostnet/operation", "listen")],
        set: &[("/hostnet/listen/shares_port_with", "[{\"kind\":\"container\"}]")],
        but: &[HOST, ("/hostnet/listen/shares_port_with", "[]")],
    },
    Case {
        rule: "undeclared_join",
        of: &[("/hostnet/operation", "join")],
        set: &[("/hostnet/netns/declared", "\"bridge\"")],
        but: &[
            ("/hostnet/netns/declared", "\"host\""),
            ("/hostnet/netns/declared", "\"container:1\""),
            ("/hostnet/netns/declared", "null"),
        ],
    },
    Case {
        rule: "cgroup_migration",
        of: &[("/hostnet/operation", "cgroup-migration")],
        set: &[],
        but: &[("/hostnet/operation", "\"exec\"")],
    },
    Case {
        rule: "name_spoof",
        of: &[("/hostnet/operation", "name-spoof")],
        set: &[],
        but: &[("/hostnet/operation", "\"exec\"")],
    },
    // The recording has no netlink request: it is made of a packet socket's event.
    Case {
        rule: "netlink_change",
        of: &[("/hostnet/operation", "packet-bind")],
        set: &[("/hostnet/operation", "\"netlink-request\"")],
        but: &[HOST, ("/event/outcome", "\"failure\""), ("/hostnet/operation", "\"netlink-bind\"")],
    },
];

fn set(event: &mut Value, changes: &[(&str, &str)]) {
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut at = &mut *event;
        for part in parent.split('/').skip(1) {
            at = at.as_object_mut().unwrap().entry(part).or_insert_with(|| json!({}));
        }
        at[name] = serde_json::from_str(value).unwrap();
    }
}

#[test]
fn each_rule_fires_for_what_it_says_and_for_nothing_near_it() {
    let rules = Rules::pack();
    let events = replay(EVERY_KIND).unwrap();
    for Case { rule, of, set: changes, but } in CASES {
        let is_it = |event: &&Value| {
            of.iter().all(|(pointer, value)| event.pointer(pointer).is_some_and(|is| is == value))
        };
        let mut event =
            events.iter().find(is_it).unwrap_or_else(|| panic!("{rule}: {of:?}")).clone();
        set(&mut event, changes);
        assert!(broken(&rules, &event).contains(*rule), "{rule}: {event:#}");
        for change in *but {
            let mut other = event.clone();
            set(&mut other, std::slice::from_ref(change));
            assert!(!broken(&rules, &other).contains(*rule), "{rule} {change:?}");
        }
    }
    let tried: BTreeSet<&str> = CASES.iter().map(|case| case.rule).collect();
    let all: BTreeSet<&str> = PACK.iter().map(|(file, _)| file.trim_end_matches(".yml")).collect();
    assert_eq!(tried, all);
}

/// On the recorded run as it is, by what was done.
#[test]
fn the_recorded_run_breaks_these() {
    let rules = Rules::pack();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in replay(EVERY_KIND).unwrap() {
        for rule in broken(&rules, &event) {
            let operation = event.pointer("/hostnet/operation").and_then(Value::as_str);
            found.entry(rule).or_default().insert(operation.unwrap().to_owned());
        }
    }
    let found: Vec<String> = found
        .iter()
        .map(|(rule, by)| format!("{rule}: {}", by.iter().cloned().collect::<Vec<_>>().join(" ")))
        .collect();
    assert_eq!(
        found,
        [
            "cgroup_migration: cgroup-migration",
            "name_spoof: name-spoof",
            "packet_socket: family-socket packet-bind",
            "port_shared: bind listen",
            "raw_socket: raw-socket",
            "wildcard_listener: listen",
        ]
    );
}
