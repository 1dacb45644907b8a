use proptest::prelude::*;

use super::*;

/// Line and reason of the only fault.
fn fault(text: &str) -> (usize, String) {
    let (rules, faults) =
        Rules::parse(&[RuleText { file: "a.yml".to_owned(), text: text.to_owned() }]);
    assert!(rules.is_empty(), "{text}");
    let [fault] = faults.as_slice() else { panic!("{faults:#?}\n{text}") };
    (fault.line.unwrap(), fault.reason.clone())
}

#[test]
fn each_fault_has_its_line_and_reason() {
    let s = |fields: &str| rule(&format!("    s:\n{fields}    condition: s\n"));
    let deep = format!("{}s{}", "(".repeat(65), ")".repeat(65));
    let cases = [
        ("title: a\nid: [\n".to_owned(), 3, "is not YAML"),
        ("- a\n".to_owned(), 1, "is not a rule"),
        ("title: a\n---\ntitle: b\n".to_owned(), 1, "several documents"),
        ("title: a\ncorrelation:\n    type: event_count\n".to_owned(), 2, "is a correlation"),
        (rule("    s:\n        hostnet.operation: exit\n"), 5, "has no condition"),
        (
            s("        hostnet.operation: exit\n").replace("id: 5a", "id: xx"),
            2,
            "its id is no UUID",
        ),
        (
            s("        hostnet.operation: exit\n").replace("hostnet\n", "windows\n"),
            3,
            "is about other logs",
        ),
        (
            format!("{}level: urgent\n", s("        hostnet.operation: exit\n")),
            9,
            "its level is \"urgent\"",
        ),
        (s("        hostnet.operation|in: exit\n"), 7, "unknown modifier `in`"),
        (s("        event.action: x\n        Image: y\n"), 8, "no event has a field `Image`"),
        (s("        hostnet.remot.port: 1\n"), 7, "no event has a field `hostnet.remot.port`"),
        (s("        event.type: start\n"), 7, "`event.type` may have several values"),
        (s("        event.reason: null\n"), 7, "use |exists: false"),
        (s("        event.reason:\n"), 7, "use |exists: false"),
        (s("        user.id|lt: ~\n"), 7, "`user.id|lt` is compared with nothing"),
        (format!("\u{feff}{}", s("        user.id: 0\n")), 1, "a UTF-8 byte order mark"),
        (s("        user.id: root\n"), 7, "`user.id` holds a whole number: the text `root`"),
        (s("        user.id: 0.5\n"), 7, "0.5 never matches"),
        (s("        user.id: -1\n"), 7, "-1 never matches"),
        (s("        user.id: true\n"), 7, "true never matches"),
        (s("        user.id|gt: root\n"), 7, "`root` is no number"),
        (s("        event.action|gt: 5\n"), 7, "`event.action` holds text: |lt,"),
        (s("        '@timestamp|gt': '2026-01-01'\n"), 7, "`@timestamp` holds text: |lt,"),
        (s("        hostnet.remote.ip|lt: 5\n"), 7, "holds an address: |lt,"),
        (s("        hostnet.remote.ip: 10.0.0.0/8\n"), 7, "compare it with 10.0.0.0/8 by |cidr"),
        (s("        hostnet.remote.ip:\n            - 10.0.0.1\n            - web\n"), 9, "`web`"),
        (s("        hostnet.remote.port|cidr: 10.0.0.0/8\n"), 7, "|cidr compares addresses"),
        (
            s("        hostnet.netns.is_host: perhaps\n"),
            7,
            "holds true or false: the text `perhaps`",
        ),
        (s("        hostnet.netns.is_host: 1\n"), 7, "1 never matches"),
        (s("        container.labels.version: 1.10\n"), 7, "put it in quotes"),
        (
            s("        hostnet.remote.port|fieldref: container.name\n"),
            7,
            "`hostnet.remote.port` holds a whole number and `container.name` text",
        ),
        (
            s("        event.action|re:\n            - 'ok'\n            - '(a'\n"),
            9,
            "no regular expression",
        ),
        (s("        event.action|re: '(a{900}){900}'\n"), 7, "becomes more than 128 KiB"),
        (
            s(
                "        hostnet.remote.ip|cidr:\n            - 10.0.0.0/8\n            - 10.0.0.1/8\n",
            ),
            9,
            "failed to parse IP address",
        ),
        (s("        event.action|exists: perhaps\n"), 7, "requires a single boolean"),
        (s(&format!("        event.action: {}\n", "x".repeat(513))), 7, "a value has 513 bytes"),
        (rule("    s:\n        - some words\n    condition: s\n"), 6, "words without a field"),
        (
            rule("    s:\n        event.action: x\n    timeframe: 5m\n    condition: s\n"),
            8,
            "`timeframe` is no selection",
        ),
        (
            rule("    s:\n        event.action: x\n    condition: s | count() > 5\n"),
            8,
            "its condition has '|'",
        ),
        (
            rule("    s:\n        event.action: x\n    condition: s and t\n"),
            8,
            "undefined identifiers",
        ),
        (
            rule("    s:\n        event.action: x\n    condition: 1 of t*\n"),
            8,
            "no selection is called `t*`",
        ),
        (rule("    s:\n        event.action: x\n    condition: sä\n"), 8, "its condition has 'ä'"),
        (
            rule(&format!("    s:\n        event.action: x\n    condition: {deep}\n")),
            8,
            "too many parentheses",
        ),
        (
            rule("    s:\n        event.action: x\n    condition:\n        - s\n"),
            8,
            "its condition is no text",
        ),
    ];
    for (text, line, reason) in cases {
        let (found, said) = fault(&text);
        assert!(said.contains(reason), "{said}, not {reason}:\n{text}");
        assert_eq!(found, line, "{said}\n{text}");
    }
}

#[test]
fn all_faults_of_a_rule_are_told_at_once() {
    let text = rule("    s:\n        Image: a\n        event.action|in: b\n    condition: s\n");
    let (_, faults) = Rules::parse(&[RuleText { file: "a.yml".to_owned(), text }]);
    let lines: Vec<_> = faults.iter().map(|fault| fault.line.unwrap()).collect();
    assert_eq!(lines, [7, 8]);
}

/// The same key twice: the line is that of the one that is wrong.
#[test]
fn the_right_one_of_two_alternatives_is_named() {
    let text = rule(
        "    s:\n        - event.action|re: 'a'\n          user.id: 0\n        - event.action|re: '['\n    condition: s\n",
    );
    assert_eq!(fault(&text).0, 9);
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,200}") {
        let _ = Rules::parse(&[RuleText { file: String::new(), text }]);
    }

    /// Real rules with a piece of something else in them.
    #[test]
    fn no_change_of_a_rule_breaks_it(
        which: prop::sample::Index, at in 0.0..1.0f64, length in 0..20usize, piece in "[\\PC\n]{0,12}",
    ) {
        let rules = pack();
        let text = &which.get(&rules).text;
        let chars: Vec<char> = text.chars().collect();
        let at = (at * chars.len() as f64) as usize;
        let rest = chars.iter().skip(at + length);
        let text: String = chars.iter().take(at).copied().chain(piece.chars()).chain(rest.copied()).collect();
        let (rules, faults) = Rules::parse(&[RuleText { file: String::new(), text: text.clone() }]);
        prop_assert!(rules.is_empty() != faults.is_empty(), "{}", text);
        let lines = text.lines().count().max(1) + 1;
        prop_assert!(faults.iter().all(|fault| fault.line.is_some_and(|line| line >= 1 && line <= lines)));
    }

    #[test]
    fn no_condition_breaks_it(condition in "[a-z()*_ ]{0,40}|((1|all|not|and|or|of|them|s|\\(|\\)) ?){0,20}") {
        let text = rule(&format!("    s:\n        event.action: x\n    condition: '{condition}'\n"));
        let (rules, _) = Rules::parse(&[RuleText { file: String::new(), text }]);
        let _ = rules.judge(&json!({ "event": { "dataset": "hostnet.network", "action": "x" } }));
    }
}
