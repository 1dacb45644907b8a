//! What rules say about real events, and what is said about bad rules.

mod faults;
mod pack;

use serde_json::{Value, json};

use super::*;
use crate::docs::{EVERY_KIND, replay};

/// A rule with this detection block, whose own lines are indented.
fn rule(detection: &str) -> String {
    format!(
        "title: A test\nid: 5a1cd0c0-3b3f-4bd3-9d5c-62a9d13a2b1e\nlogsource:\n    product: hostnet\n\
         detection:\n{detection}"
    )
}

fn one(detection: &str) -> Rules {
    let text = RuleText { file: "a.yml".to_owned(), text: rule(detection) };
    let (rules, faults) = Rules::parse(&[text]);
    assert_eq!(faults, []);
    rules
}

fn matches(detection: &str, document: &Value) -> bool {
    !one(detection).judge(document).is_empty()
}

#[test]
fn a_rule_is_judged_by_scalars_and_lists() {
    let document = json!({
        "event": { "dataset": "hostnet.network", "type": ["connection", "start"] },
        "process": { "args": ["sh", "-c", "curl evil"], "pid": 7 },
        "hostnet": {
            "remote": { "ip": "127.0.0.1", "port": 2375 },
            "netns": { "is_host": true },
            "process": { "ancestors": [{ "name": "sh" }, { "name": "sshd" }] },
        },
    });
    let cases = [
        ("hostnet.remote.port: 2375", true),
        ("hostnet.remote.port: '2375'", true),
        ("hostnet.remote.port|lt: 1024", false),
        ("hostnet.remote.port|gte: 2375", true),
        ("hostnet.remote.ip|cidr: 127.0.0.0/8", true),
        ("hostnet.remote.ip|cidr: 10.0.0.0/8", false),
        ("hostnet.netns.is_host: true", true),
        ("hostnet.local.port|exists: false", true),
        ("event.type|contains: start", true),
        ("event.type|contains: end", false),
        ("process.args|contains|all:\n            - curl\n            - '-c'", true),
        ("hostnet.process.ancestors.name|contains: sshd", true),
        ("hostnet.process.ancestors.name|contains: nginx", false),
        ("process.args|re: 'c\\w+l'", true),
    ];
    for (field, expected) in cases {
        let detection = format!("    s:\n        {field}\n    condition: s\n");
        assert_eq!(matches(&detection, &document), expected, "{field}");
    }
}

/// YAML's types are not the document's: what is the same value matches.
#[test]
fn a_value_matches_however_it_is_written() {
    let document = json!({
        "event": { "dataset": "hostnet.network" },
        "network": { "iana_number": "6", "transport": "tcp" },
        "user": { "id": "0" },
        "process": { "user": { "id": "1000" }, "exit_code": 7, "args": ["serve", "8080"] },
        "container": { "labels": { "tier": "2", "beta": "true" },
                       "security_context": { "privileged": false } },
        "hostnet": {
            "remote": { "ip": "::1", "port": 443 },
            "local": { "ip": "10.0.0.1", "port": 443 },
            "socket": { "errno": 111, "cookie": 9_300_000_000_000_000_000_u64 },
            "netns": { "is_host": true },
        },
    });
    let cases = [
        ("user.id: 0", true),
        ("user.id: '0'", true),
        ("user.id: '00'", true),
        ("user.id: 0.0", true),
        ("user.id: 1", false),
        ("user.id: [1, 0]", true),
        ("user.id|lt: 1000", true),
        ("user.id|lt: '1000'", true),
        ("process.user.id|lt: 1000", false),
        ("process.user.id|lt: 1000.5", true),
        ("process.user.id|gt: 999.5", true),
        ("process.user.id|lte: 999.5", false),
        ("process.user.id|gte: '1e3'", true),
        ("network.iana_number: 6", true),
        ("network.iana_number: 17", false),
        ("network.iana_number|gte: 6", true),
        ("hostnet.socket.errno|gte: '100'", true),
        ("hostnet.socket.errno|lt: '100'", false),
        ("hostnet.socket.errno: '111'", true),
        ("hostnet.socket.errno: 111.0", true),
        ("hostnet.socket.errno: '1*'", true),
        ("hostnet.socket.errno|startswith: 11", true),
        ("hostnet.socket.errno|re: '^1+$'", true),
        ("hostnet.socket.cookie: 9300000000000000000", true),
        ("hostnet.socket.cookie: '9300000000000000000'", true),
        ("hostnet.socket.cookie|gt: 5", true),
        ("hostnet.netns.is_host: yes", true),
        ("hostnet.netns.is_host: 'On'", true),
        ("hostnet.netns.is_host: true", true),
        ("hostnet.netns.is_host: no", false),
        ("container.security_context.privileged: no", true),
        ("hostnet.netns.is_host|exists: yes", true),
        ("hostnet.remote.ip: 0:0:0:0:0:0:0:1", true),
        ("hostnet.remote.ip: '::1'", true),
        ("hostnet.local.ip: '::ffff:10.0.0.1'", true),
        ("hostnet.local.ip|cidr: 10.0.0.0/24", true),
        ("hostnet.local.ip: '10.*'", true),
        ("container.labels.tier: 2", true),
        ("container.labels.tier|gt: 1", true),
        ("container.labels.beta: true", true),
        ("process.args|contains: 8080", true),
        ("hostnet.local.port|fieldref: hostnet.remote.port", true),
        ("process.exit_code|fieldref: user.id", false),
    ];
    for (field, expected) in cases {
        let detection = format!("    s:\n        {field}\n    condition: s\n");
        assert_eq!(matches(&detection, &document), expected, "{field}");
        let detection = format!("    s:\n        - {field}\n    condition: s\n");
        assert_eq!(matches(&detection, &document), expected, "{field}");
    }
}

#[test]
fn what_never_matches_is_warned_of() {
    let warned = |field: &str| {
        let rules = one(&format!("    s:\n        {field}\n    condition: s\n"));
        let all: Vec<String> = rules.warnings().map(ToString::to_string).collect();
        all.join("\n")
    };
    for (field, reason) in [
        ("process.hash.sha256: ab", "a.yml:7: no event has a field `process.hash.sha256`"),
        ("user.nmae: root", "a.yml:7: no event has a field `user.nmae`"),
        ("event.severity: 73", "a.yml:7: no event has a field `event.severity`"),
        ("hostnet.finding.severity: high", "no event has a field `hostnet.finding.severity`"),
        ("hostnet.owner.kind: no", "`hostnet.owner.kind` is never \"no\": it is one of container,"),
    ] {
        assert!(warned(field).contains(reason), "{field}: {}", warned(field));
    }
    for field in ["hostnet.owner.kind: Container", "container.labels.any: x", "user.id: 0"] {
        assert_eq!(warned(field), "", "{field}");
    }
}

#[test]
fn a_category_is_of_one_dataset() {
    let text = rule("    s:\n        hostnet.operation: exit\n    condition: s\n");
    let text = text.replace("product: hostnet", "product: hostnet\n    category: process");
    let (rules, faults) = Rules::parse(&[RuleText { file: "a.yml".to_owned(), text }]);
    assert_eq!(faults, []);
    let of =
        |dataset| json!({ "event": { "dataset": dataset }, "hostnet": { "operation": "exit" } });
    assert_eq!(rules.judge(&of("hostnet.process")).len(), 1);
    assert!(rules.judge(&of("hostnet.network")).is_empty());
    assert!(
        one("    s:\n        hostnet.operation: exit\n    condition: s\n")
            .judge(&of("hostnet.finding"))
            .is_empty()
    );
}

/// Every field of every recorded event is known, and whatever has several values is a list.
#[test]
fn the_fields_are_those_of_real_events() {
    let is_finding = |event: &Value| event["event"]["dataset"] == "hostnet.finding";
    for event in replay(EVERY_KIND).unwrap().into_iter().filter(|event| !is_finding(event)) {
        let mut leaves = Vec::new();
        walk("", &event, false, &mut leaves);
        for (name, is_several) in leaves {
            assert!(fields::kind(&name).is_some(), "{name}");
            assert!(!is_several || fields::is_list(&name), "{name} is a list");
        }
    }
}

fn walk(name: &str, value: &Value, is_several: bool, leaves: &mut Vec<(String, bool)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                walk(&name, value, is_several, leaves);
            }
        }
        Value::Array(values) => {
            for value in values {
                walk(name, value, is_several || values.len() > 1, leaves);
            }
        }
        _ => leaves.push((name.to_owned(), is_several)),
    }
}

#[test]
fn levels_and_techniques_are_told() {
    let text = format!(
        "{}level: high\ntags:\n    - attack.discovery\n    - attack.t1552.005\n    - cve.2020-1\n",
        rule("    s:\n        hostnet.operation: exit\n    condition: s\n")
    );
    let (rules, faults) = Rules::parse(&[RuleText { file: "a.yml".to_owned(), text }]);
    assert_eq!(faults, []);
    let about = rules.iter().next().unwrap();
    assert_eq!(
        (about.level, about.techniques.as_slice()),
        (Level::High, &["T1552.005".to_owned()][..])
    );
}

#[test]
fn a_directory_is_read_in_order_and_bad_files_do_not_keep_good_ones() {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |name: &str, text: &[u8]| std::fs::write(directory.path().join(name), text).unwrap();
    let good = rule("    s:\n        hostnet.operation: exit\n    condition: s\n");
    write("b.yml", good.as_bytes());
    write("c.yml", good.as_bytes());
    write("a.yaml", good.replace("5a1c", "5a1d").as_bytes());
    write("no-rule.txt", b"x");
    write("d.yml", b"title: [\n");
    write("e.yml", b"\xff\xfe");
    write("f.yml", " ".repeat(cost::MOST_BYTES + 1).as_bytes());
    std::fs::create_dir(directory.path().join("g.yml")).unwrap();
    let (rules, faults) = Rules::load(directory.path());
    let files: Vec<_> = rules.iter().map(|about| about.file.rsplit('/').next().unwrap()).collect();
    assert_eq!(files, ["a.yaml", "b.yml"]);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let is_told = |name: &str, reason: &str| {
        assert!(told.iter().any(|one| one.contains(name) && one.contains(reason)), "{told:#?}");
    };
    is_told("c.yml:2", "its id is that of");
    is_told("d.yml:", "is not YAML");
    is_told("e.yml:", "it is not UTF-8");
    is_told("f.yml:", "more than 64 KiB");
    is_told("g.yml:", "it is no file");
    assert_eq!(faults.len(), 5, "{told:#?}");
    let (_, faults) = Rules::load(&directory.path().join("missing"));
    assert!(faults[0].reason.starts_with("cannot be read: No such file"), "{faults:?}");
}
