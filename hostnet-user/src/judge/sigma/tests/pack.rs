use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::judge::{
    Detection,
    detections::{SigmaRule, testing::Case},
};

/// The rules of the pack that an event breaks, by their files' names.
fn broken(rules: &Rules, event: &Value) -> BTreeSet<String> {
    rules.judge(event).iter().map(|about| about.file.trim_end_matches(".yml").to_owned()).collect()
}

#[test]
fn every_rule_is_good_and_says_what_a_person_needs() {
    let (rules, faults) = Rules::parse(&pack());
    assert_eq!(faults, []);
    assert_eq!(rules.len(), pack().len());
    for about in rules.iter() {
        assert!(!about.techniques.is_empty(), "{}", about.file);
        assert!(!about.falsepositives.is_empty(), "{}", about.file);
        assert!(about.description.len() > 80, "{}", about.file);
    }
}

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
    for SigmaRule { name, cases, .. } in Detection::all().flat_map(|detection| detection.sigma) {
        assert!(!cases.is_empty(), "{name}");
        for Case { of, set: changes, but } in *cases {
            let is = |event: &Value, (pointer, value): &(&str, &str)| {
                event.pointer(pointer).is_some_and(|is| is == value)
            };
            let mut event = events
                .iter()
                .find(|event| of.iter().all(|field| is(event, field)))
                .unwrap_or_else(|| panic!("{name}: {of:?}"))
                .clone();
            set(&mut event, changes);
            assert!(broken(&rules, &event).contains(*name), "{name}: {event:#}");
            for change in *but {
                let mut other = event.clone();
                set(&mut other, std::slice::from_ref(change));
                assert!(!broken(&rules, &other).contains(*name), "{name} {change:?}");
            }
        }
    }
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
    let line = |(rule, by): (&String, &BTreeSet<String>)| {
        format!("{rule}: {}", by.iter().cloned().collect::<Vec<_>>().join(" "))
    };
    let found: Vec<String> = found.iter().map(line).collect();
    insta::assert_snapshot!(found.join("\n"));
}
