//! What an audit looks like outside: that each form is what its standard says, and
//! that nobody's name drives a terminal.

use std::collections::BTreeSet;

use jsonschema::Validator;
use rustix::thread::CapabilitySet;
use serde_json::Value;

use super::{Made, expect, facts, nobody};
use crate::audit::{
    Audit, Level, RULES,
    risk::table,
    show::{self, Form},
};

const HOSTILE: &str = "a\x1b]0;owned\x07\n\u{202e}b";

/// Every kind of subject and socket, and names that nobody would choose.
fn everything() -> Audit {
    Made::default()
        .container("web", "host")
        .image(HOSTILE)
        .labels(&[("hostnet.expected", "true"), ("hostnet.reason", HOSTILE)])
        .process(10, "web")
        .privileged()
        .exposes(("/run/docker.sock", true, true))
        .listens("web", "0.0.0.0:80")
        .listens("web", "[::1]:81")
        .came_in("web", "0.0.0.0:80", "192.0.2.9:5000")
        .connects("web", "[2001:db8::1]:443")
        .packet("web")
        .unix_listens("web", b"\0\x1b[2J\xff")
        .container("side", "container:web")
        .process(20, "side")
        .container("db", HOSTILE)
        .process(30, "db")
        .process(50, "cri")
        .apart(60, 5)
        .false_name(70, "db")
        .gap(HOSTILE)
        .audit(&expect(
            "[expectations]\ntrust_labels = true\n[[expect]]\nname = \"side\"\nreason = \"r\"\n\
             owner = \"o\"\nuntil = 2027-01-31\n",
        ))
}

fn shown(audit: &Audit, form: Form) -> String {
    let mut bytes = Vec::new();
    show::write(audit, form, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_table_drives_no_terminal() {
    let text = shown(&everything(), Form::Table);
    let plain = anstream::adapter::strip_str(&text).to_string();
    assert!(!plain.contains('\x1b') && !plain.contains('\x07') && !plain.contains('\u{202e}'));
    assert!(plain.contains("a\\x1b]0;owned\\x07\\n\\u{202e}b"), "{plain}");
    // The colours are ours alone: what was stripped is no operating system command.
    assert!(!text.contains("\x1b]"));
}

#[test]
fn the_table_of_nothing_says_so() {
    let text = shown(&Made::default().audit(&nobody()), Form::Table);
    assert!(text.starts_with("Nothing but the host is in the host's network namespace."), "{text}");
}

#[test]
fn the_json_keeps_every_name() {
    let audit: Value = serde_json::from_str(&shown(&everything(), Form::Json)).unwrap();
    let subjects = audit["in_host_network"].as_array().unwrap();
    let of = |label: &str| subjects.iter().find(|one| one["label"] == label).unwrap();
    let web = of("web");
    assert_eq!(web["container"]["image"], HOSTILE);
    assert_eq!(web["expectation"]["by"]["source"], "label");
    assert_eq!(web["expectation"]["reason"], HOSTILE);
    assert_eq!(web["holds"]["unix_listeners"][0]["hex"], "001b5b324aff");
    let side = of("side");
    assert_eq!(side["expectation"]["until"], "2027-01-31");
    assert_eq!(side["expectation"]["by"]["matches"], "name side");
    assert_eq!(side["way"]["container"], facts::id("web"));
    assert_eq!(audit["complete"], false);
    assert_eq!(audit["gaps"][0], HOSTILE);
    let levels = Level::ALL.map(Level::name);
    assert!(subjects.iter().all(|one| levels.contains(&one["risk"].as_str().unwrap())));
}

#[test]
fn the_ocsf_events_are_valid() {
    let schema = include_str!("../../../../tests/data/ocsf-1.8.0.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut class = schema["classes"]["5040"].clone();
    class["$defs"] = schema["$defs"].clone();
    let validator = jsonschema::validator_for(&class).unwrap();
    let text = shown(&everything(), Form::Ocsf);
    // Six subjects, two listeners, connections by two ends.
    assert_eq!(text.lines().count(), 10);
    for line in text.lines() {
        assert_valid(&validator, &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn the_sarif_log_is_valid() {
    let schema = include_str!("../../../tests/data/sarif-2.1.0.schema.json");
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    // Its pattern is no regular expression by most readers' rules; we name no language.
    for of in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][of]["properties"]["language"];
        language.as_object_mut().unwrap().remove("pattern");
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    for audit in [everything(), Made::default().audit(&nobody())] {
        let log: Value = serde_json::from_str(&shown(&audit, Form::Sarif)).unwrap();
        assert_valid(&validator, &log);
        let run = &log["runs"][0];
        let reasons = audit.in_host_network.iter().map(|subject| subject.reasons.len());
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), reasons.sum::<usize>());
        for result in results {
            let index = result["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
            // What GitHub asks for beyond the schema: one place in a file, by a relative path.
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
            assert!(uri.bytes().all(is_plain) && !uri.starts_with('/'), "{uri}");
            assert!(uri.split('/').all(|part| !matches!(part, "" | "." | "..")), "{uri}");
            assert_eq!(place["region"]["startLine"], 1);
        }
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), rules.len());
    }
}

fn assert_valid(validator: &Validator, value: &Value) {
    let errors = validator.iter_errors(value);
    let errors: Vec<String> =
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// A host as one meets it.
fn example() -> Audit {
    Made::default()
        .container("proxy", "host")
        .image("traefik:3.5")
        .process(10, "proxy")
        .listens("proxy", "0.0.0.0:80")
        .listens("proxy", "0.0.0.0:443")
        .connects("proxy", "198.51.100.7:443")
        .container("exporter", "host")
        .image("prom/node-exporter:v1.9.1")
        .process(20, "exporter")
        .may(|one| one.host_pids = true)
        .listens("exporter", "0.0.0.0:9100")
        .container("debug", "container:proxy")
        .image("nicolaka/netshoot")
        .process(30, "debug")
        .may(|one| one.uid = 0)
        .capabilities(CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN)
        .packet("debug")
        .container("ci", "bridge")
        .image("ci-runner:7")
        .process(41, "ci")
        .may(|one| one.uid = 0)
        .exposes(("/run/docker.sock", true, true))
        .audit(&expect(
            "[[expect]]\nname = \"proxy\"\nowner = \"web team\"\nreason = \"keeps client \
             addresses\"\nuntil = 2027-06-30\nbind = [\"tcp/80\", \"tcp/443\"]\n[[expect]]\n\
             image = \"prom/node-exporter\"\nreason = \"host metrics\"\nuntil = 2026-10-31\n",
        ))
}

#[test]
fn the_example_is_that_of_the_documentation() {
    let text = shown(&example(), Form::Table);
    let plain = anstream::adapter::strip_str(&text).to_string();
    let lines: Vec<&str> = plain.lines().map(str::trim_end).collect();
    let plain = lines.join("\n");
    let page = include_str!("../../../../docs/audit.md");
    assert!(page.contains(&plain), "docs/audit.md has another example than this:\n{plain}");
}

#[test]
fn the_rules_are_those_of_the_documentation() {
    let page = include_str!("../../../../docs/audit.md");
    assert!(page.contains(&table()), "docs/audit.md has another table than this:\n{}", table());
    let mut levels: Vec<Level> = RULES.iter().map(|rule| rule.level).collect();
    levels.reverse();
    assert!(levels.is_sorted(), "the worst come first");
}
