use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// 2026-11-28.
const TODAY: u64 = 20_785 * DAY_NS;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    expect: Vec<Entry>,
    #[serde(default)]
    expectations: Settings,
}

fn expectations(text: &str) -> Expectations {
    let file: File = toml::from_str(text).unwrap();
    Expectations::new(&file.expect, &file.expectations)
}

fn container(name: &str, image: &str, labels: &[(&str, &str)]) -> Container {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Container { name: name.to_owned(), image: image.to_owned(), labels, ..Container::default() }
}

/// `expected 1`, `expired label`, `unexpected`: the standing, and by which entry.
fn standing(text: &str, of: &Container, at: u64) -> String {
    let standing = expectations(text).standing(of, at);
    let by = match &standing {
        Standing::Expected(one) | Standing::Expired(one) => match &one.by {
            Source::Config { entry, .. } => format!(" {entry}"),
            Source::Label => " label".to_owned(),
        },
        Standing::Unexpected { .. } => String::new(),
    };
    format!("{}{by}", standing.name())
}

#[test]
fn today_is_today() {
    assert_eq!(day(TODAY).to_string(), "2026-11-28");
    assert_eq!(day(u64::MAX).to_string(), "2554-07-21");
}

#[test]
fn containers_are_matched_by_all_that_an_entry_names() {
    let web = container(
        "web-1",
        "registry.example:5000/shop/nginx:1.27@sha256:ab",
        &[("team", "blue"), ("com.docker.compose.project", "shop")],
    );
    for (entry, matches) in [
        (r#"name = "web-1""#, true),
        (r#"name = "web-?""#, true),
        (r#"name = "*""#, true),
        (r#"name = "web""#, false),
        (r#"name = "WEB-1""#, false),
        (r#"image = "registry.example:5000/shop/nginx""#, true),
        (r#"image = "registry.example:5000/shop/nginx:1.27@sha256:ab""#, true),
        (r#"image = "registry.example:5000/*""#, true),
        (r#"image = "registry.example:5000/shop/nginx:1.26*""#, false),
        (r#"image = "nginx""#, false),
        (r#"label = "team=blue""#, true),
        (r#"label = "team=*""#, true),
        (r#"label = "team=red""#, false),
        (r#"label = "other=blue""#, false),
        (r#"compose_project = "shop""#, true),
        (r#"compose_project = "sh""#, false),
        ("name = \"web-1\"\nlabel = \"team=red\"", false),
        ("name = \"web-1\"\nlabel = \"team=blue\"", true),
    ] {
        let text = format!("[[expect]]\nreason = \"r\"\n{entry}\n");
        let expected = if matches { "expected 1" } else { "unexpected" };
        assert_eq!(standing(&text, &web, TODAY), expected, "{entry}");
    }
}

#[test]
fn an_image_is_the_same_however_its_registry_is_written() {
    for (pattern, image, matches) in [
        ("nginx", "nginx:1.27", true),
        ("nginx", "docker.io/library/nginx:latest", true),
        ("docker.io/library/nginx", "nginx", true),
        ("docker.io/prom/node-exporter", "prom/node-exporter:v1", true),
        ("nginx:1.27", "nginx:1.27", true),
        ("nginx:1.27", "nginx:1.28", false),
        ("nginx", "evil.example/nginx", false),
        ("nginx", "nginx-evil", false),
        ("registry.example:5000/web", "registry.example:5000/web", true),
        ("registry.example", "registry.example:5000/web", false),
        ("nginx", "nginx@sha256:ab", true),
    ] {
        let text = format!("[[expect]]\nreason = \"r\"\nimage = {pattern:?}\n");
        let expected = if matches { "expected 1" } else { "unexpected" };
        assert_eq!(standing(&text, &container("a", image, &[]), TODAY), expected, "{image}");
    }
}

#[test]
fn an_expectation_holds_to_the_end_of_its_last_day() {
    let web = container("web", "nginx", &[]);
    let entry =
        |until: &str| format!("[[expect]]\nname = \"web\"\nreason = \"r\"\nuntil = {until}\n");
    for until in ["2026-11-28", "\"2026-11-28\""] {
        assert_eq!(standing(&entry(until), &web, TODAY), "expected 1");
        assert_eq!(standing(&entry(until), &web, TODAY + DAY_NS - 1), "expected 1");
        assert_eq!(standing(&entry(until), &web, TODAY + DAY_NS), "expired 1");
    }
    // An entry that holds goes before one that has ended, and a label cannot
    // prolong what the configuration has ended.
    let two = entry("2020-01-01") + &entry("2030-01-01");
    assert_eq!(standing(&two, &web, TODAY), "expected 2");
    let labelled = container("web", "nginx", &[(LABEL_EXPECTED, "true"), (LABEL_REASON, "r")]);
    assert_eq!(standing(&entry("2020-01-01"), &labelled, TODAY), "expired 1");
}

#[test]
fn labels_are_believed_only_where_the_configuration_says_so() {
    let labels = |more: &[(&str, &str)]| {
        let all = [&[(LABEL_EXPECTED, "true"), (LABEL_REASON, "metrics")], more].concat();
        container("web", "nginx", &all)
    };
    let trust = "[expectations]\ntrust_labels = true\n";
    assert_eq!(standing(trust, &labels(&[]), TODAY), "expected label");
    assert_eq!(standing(trust, &labels(&[(LABEL_UNTIL, "2026-11-28")]), TODAY), "expected label");
    assert_eq!(standing(trust, &labels(&[(LABEL_UNTIL, "2026-11-27")]), TODAY), "expired label");
    assert_eq!(standing("", &labels(&[]), TODAY), "unexpected");
    for (of, because) in [
        (labels(&[(LABEL_EXPECTED, "yes")]), None),
        (labels(&[(LABEL_REASON, " ")]), Some("no hostnet.reason")),
        (labels(&[(LABEL_UNTIL, "soon")]), Some("hostnet.until is not a date")),
        (labels(&[(LABEL_UNTIL, "")]), Some("hostnet.until is not a date")),
    ] {
        let Standing::Unexpected { because: found } = expectations(trust).standing(&of, TODAY)
        else {
            panic!("{of:?}");
        };
        assert_eq!(found.is_some(), because.is_some(), "{of:?}");
        assert!(found.unwrap_or_default().contains(because.unwrap_or_default()), "{found:?}");
    }
    let long = labels(&[(LABEL_REASON, "é".repeat(1000).as_str())]);
    let Standing::Expected(expectation) = expectations(trust).standing(&long, TODAY) else {
        panic!("expected");
    };
    assert_eq!(expectation.reason, "é".repeat(128));
}

#[test]
fn what_may_be_bound() {
    let one = |bind: &str| {
        let text = format!("[[expect]]\nname = \"w\"\nreason = \"r\"\n{bind}\n");
        let found = expectations(&text).standing(&container("w", "", &[]), TODAY);
        found.expected().cloned().unwrap()
    };
    assert!(one("").permits_bind("tcp", 1));
    assert!(!one("bind = []").permits_bind("tcp", 1));
    let some = one(r#"bind = ["tcp/8080", "udp/5000-5010"]"#);
    for (protocol, port, permitted) in [
        ("tcp", 8080, true),
        ("udp", 8080, false),
        ("udp", 5000, true),
        ("udp", 5010, true),
        ("udp", 5011, false),
        ("tcp", 5000, false),
    ] {
        assert_eq!(some.permits_bind(protocol, port), permitted, "{protocol}/{port}");
    }
    assert!(one(r#"bind = ["tcp/*"]"#).permits_bind("tcp", 65535));
}

#[test]
fn what_may_be_reached() {
    let text = r#"
        [[expect]]
        name = "w"
        reason = "r"
        reach = ["lan", "host-loopback:5432", "10.0.0.0/8:443-444", "[fd00::/8]:443", "192.0.2.7",
                 "2001:db8::1"]
    "#;
    let found = expectations(text).standing(&container("w", "", &[]), TODAY);
    let one = found.expected().unwrap();
    for (surface, address, port, permitted) in [
        ("lan", "192.168.1.1", 80, true),
        ("internet", "198.51.100.1", 80, false),
        ("host-loopback", "127.0.0.1", 5432, true),
        ("host-loopback", "127.0.0.1", 2375, false),
        ("internet", "10.1.2.3", 443, true),
        ("internet", "::ffff:10.1.2.3", 444, true),
        ("internet", "10.1.2.3", 80, false),
        ("internet", "fd00::1", 443, true),
        ("internet", "fd00::1", 80, false),
        ("internet", "192.0.2.7", 9, true),
        ("internet", "192.0.2.8", 9, false),
        ("internet", "2001:db8::1", 9, true),
    ] {
        let address: IpAddr = address.parse().unwrap();
        let found = one.permits_reach(surface, Some(address), Some(port));
        assert_eq!(found, permitted, "{surface} {address} {port}");
    }
    assert!(one.permits_reach("lan", None, None));
    assert!(!one.permits_reach("host-loopback", None, None), "it names a port");
    let written: Vec<String> = one.reach.iter().flatten().map(Reach::to_string).collect();
    assert_eq!(written[2..4], ["10.0.0.0/8:443-444", "[fd00::/8]:443"]);
}

#[test]
fn what_is_wrong_is_named() {
    for (entry, says) in [
        ("reason = \"r\"", "names no container"),
        ("name = \"web\"", "the expect entry of name web has no reason"),
        ("name = \"web\"\nreason = \" \"", "has no reason"),
        ("name = \"\"\nreason = \"r\"", "is empty"),
        ("label = \"team\"\nreason = \"r\"", "\"team\" is not a label"),
        ("name = \"w\"\nreason = \"r\"\nuntil = \"soon\"", "\"soon\" is not a date"),
        ("name = \"w\"\nreason = \"r\"\nuntil = 12:00:00", "is not a date"),
        ("name = \"w\"\nreason = \"r\"\nbind = [\"8080\"]", "\"8080\" is nothing to bind"),
        ("name = \"w\"\nreason = \"r\"\nbind = [\"tcp/9-8\"]", "is nothing to bind"),
        ("name = \"w\"\nreason = \"r\"\nbind = [\"sctp/9\"]", "is nothing to bind"),
        ("name = \"w\"\nreason = \"r\"\nreach = [\"10.0.0.0/33\"]", "is nothing to reach"),
        ("name = \"w\"\nreason = \"r\"\nreach = [\"lan:\"]", "is nothing to reach"),
        ("name = \"w\"\nreason = \"r\"\nreach = [\"The LAN\"]", "is nothing to reach"),
        ("name = \"w\"\nreason = \"r\"\nreach = [\"lann\"]", "is nothing to reach"),
        ("nam = \"w\"\nreason = \"r\"", "unknown field `nam`"),
    ] {
        let error = toml::from_str::<File>(&format!("[[expect]]\n{entry}\n")).err().unwrap();
        assert!(error.message().contains(says), "{entry}: {}", error.message());
    }
}

#[test]
fn an_entry_is_written_as_it_was_read() {
    let text = "name = \"web-*\"\nreason = \"r\"\nuntil = \"2027-01-31\"\nbind = [\"tcp/80\"]\n\
                reach = [\"lan\"]\n";
    let entry: Entry = toml::from_str(text).unwrap();
    assert_eq!(toml::to_string(&entry).unwrap(), text);
    assert_eq!(entry.matches(), "name web-*");
}
