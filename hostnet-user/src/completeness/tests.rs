use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn event(run: &str, sequence: u64, action: &str) -> Value {
    json!({
        "@timestamp": format!("2026-11-23T18:05:00.{sequence:09}Z"),
        "agent": { "ephemeral_id": run },
        "host": { "hostname": "node" },
        "event": { "id": format!("{run}-{sequence}"), "sequence": sequence, "action": action },
        "hostnet": {},
    })
}

/// A run of five events, from start to stop.
fn whole(run: &str) -> Vec<Value> {
    let mut events: Vec<Value> = (1..=5).map(|place| event(run, place, "exec")).collect();
    events[0]["event"]["action"] = "agent-started".into();
    events[4]["event"]["action"] = "agent-stopped".into();
    events[4]["hostnet"]["health"] = json!({ "reason": "terminated" });
    events
}

fn check(events: &[Value]) -> Vec<Run> {
    let mut check = Check::default();
    for event in events {
        check.take(event.to_string().as_bytes()).unwrap();
    }
    check.finish()
}

fn holes(run: &Run) -> Vec<(u64, u64)> {
    run.holes().0.iter().map(|hole| (hole.first, hole.last)).collect()
}

#[test]
fn a_whole_run_is_complete() {
    let runs = check(&whole("a"));
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].verdict(), Verdict::Complete);
    assert_eq!(runs[0].stopped, Some(("terminated".to_owned(), 5)));
    assert_eq!((runs[0].events, runs[0].duplicates, holes(&runs[0])), (5, 0, vec![]));
}

/// What a filter may have left out is not held against it; what contradicts is.
#[test]
fn of_a_filtered_stream_only_contradictions_are_found() {
    let filtered = |events: &[Value]| {
        let mut check = Check::new(true);
        for event in events {
            check.take(event.to_string().as_bytes()).unwrap();
        }
        check.finish().remove(0)
    };
    assert_eq!(filtered(&whole("a")).verdict(), Verdict::Complete);
    let run = filtered(&whole("a")[1..3]);
    assert_eq!((run.verdict(), holes(&run)), (Verdict::Filtered, vec![(1, 1)]));
    let mut other = event("a", 2, "exec");
    other["event"]["id"] = "another".into();
    let run = filtered(&[event("a", 2, "exec"), other]);
    assert_eq!((run.verdict(), run.conflicts), (Verdict::Incomplete, 1));
}

#[test]
fn what_is_missing_is_named() {
    for (gone, wanted) in
        [(vec![0], vec![(1, 1)]), (vec![1, 2], vec![(2, 3)]), (vec![1, 3], vec![(2, 2), (4, 4)])]
    {
        let events: Vec<Value> = whole("a")
            .into_iter()
            .enumerate()
            .filter_map(|(index, event)| (!gone.contains(&index)).then_some(event))
            .collect();
        let runs = check(&events);
        assert_eq!(runs[0].verdict(), Verdict::Incomplete);
        assert_eq!(holes(&runs[0]), wanted);
    }
}

#[test]
fn a_run_without_its_stop_is_incomplete_and_the_next_one_says_after_what() {
    let mut events = whole("a");
    events.pop();
    assert_eq!(check(&events)[0].verdict(), Verdict::Incomplete);
    let mut next = whole("b");
    next[1]["event"]["action"] = "agent-crashed".into();
    next[1]["hostnet"]["health"] = json!({ "run": "a", "sequence": 6 });
    events.extend(next);
    let runs = check(&events);
    let [crashed, next] = &runs[..] else { panic!("two runs") };
    assert_eq!((crashed.crashed_after, crashed.last_place()), (Some(6), 6));
    assert_eq!(holes(crashed), [(5, 6)]);
    assert_eq!(next.verdict(), Verdict::Complete);
}

#[test]
fn losses_are_summed_by_place_owner_and_kind_and_once_only() {
    let mut events = whole("a");
    let by = json!([
        { "operation": "connect", "count": 3, "owner": "web" },
        { "operation": "bind", "count": 1 },
    ]);
    events[2]["hostnet"]["loss"] = json!({ "place": "kernel-ring", "count": 6, "by": by });
    events[3]["hostnet"]["loss"] = json!({ "place": "kernel-ring", "count": 3, "by": [by[0]] });
    events.push(events[2].clone());
    let runs = check(&events);
    assert_eq!(runs[0].verdict(), Verdict::Accounted);
    assert_eq!((runs[0].untold_count(), runs[0].duplicates), (9, 1));
    let untold: Vec<(&str, &str, u64)> = runs[0]
        .untold
        .iter()
        .map(|(what, count)| (&*what.owner, &*what.operation, *count))
        .collect();
    assert_eq!(untold, [("", "", 2), ("", "bind", 1), ("web", "connect", 6)]);
}

#[test]
fn another_event_in_a_place_is_told() {
    let mut events = whole("a");
    events.push(events[1].clone());
    events[5]["event"]["id"] = "forged".into();
    let runs = check(&events);
    assert_eq!((runs[0].conflicts, runs[0].duplicates), (1, 0));
    assert_eq!(runs[0].verdict(), Verdict::Incomplete);
}

#[test]
fn what_follows_the_stop_is_no_end() {
    let mut events = whole("a");
    events.push(event("a", 6, "exec"));
    assert_eq!(check(&events)[0].verdict(), Verdict::Incomplete);
}

#[test]
fn what_is_no_event_is_refused_with_its_reason() {
    let mut check = Check::default();
    let mut refused =
        |event: Value| check.take(event.to_string().as_bytes()).unwrap_err().to_string();
    let without = |path: [&str; 2]| {
        let mut event = event("a", 1, "exec");
        event[path[0]].as_object_mut().map(|object| object.remove(path[1]));
        event
    };
    assert_eq!(refused(without(["agent", "ephemeral_id"])), "without agent.ephemeral_id");
    assert_eq!(refused(without(["event", "sequence"])), "without event.sequence");
    assert_eq!(refused(without(["event", "id"])), "without event.id");
    assert_eq!(refused(without(["event", "action"])), "without event.action");
    assert_eq!(refused(event("a", 0, "exec")), "event.sequence is 0: it counts from 1");
    assert!(refused(event("a", u64::MAX, "exec")).starts_with("event.sequence is 18446744073"));
    assert_eq!(refused(json!({})), "without event.sequence");
    assert!(refused(json!([])).starts_with("invalid"));
    assert!(check.finish().is_empty());
}

#[test]
fn ocsf_says_the_same() {
    let mut events = whole("a");
    events[2]["hostnet"]["loss"] = json!({ "place": "kernel-ring", "count": 6, "by": [] });
    events[3]["event"]["action"] = "chain-checkpoint".into();
    for event in &mut events {
        event["event"]["dataset"] = "hostnet.health".into();
    }
    let ecs = check(&events);
    let mut ocsf = Check::default();
    for event in &events {
        let mut line = Vec::new();
        let mut renderer = crate::format::Renderer::new(crate::format::Format::Ocsf);
        renderer.render(event.to_string().as_bytes(), &mut line).unwrap();
        ocsf.take(&line).unwrap();
    }
    assert_eq!(format!("{:?}", ocsf.finish()), format!("{ecs:?}"));
    assert_eq!((ecs[0].untold_count(), ecs[0].checkpoints), (6, 1));
}

proptest! {
    /// Rotated files, several agents, a sink that sends again: the answer is the same.
    #[test]
    fn neither_order_nor_repetition_matters(
        order in Just(()).prop_perturb(|(), mut random| {
            let mut order: Vec<usize> = (0..10).flat_map(|index| vec![index; 2]).collect();
            for index in (1..order.len()).rev() {
                order.swap(index, random.random_range(0..=index));
            }
            order
        }),
    ) {
        let events: Vec<Value> = [whole("a"), whole("b")].concat();
        let shuffled: Vec<Value> = order.iter().map(|index| events[*index].clone()).collect();
        let runs = check(&shuffled);
        prop_assert_eq!(runs.len(), 2);
        for run in &runs {
            prop_assert_eq!(run.verdict(), Verdict::Complete);
            prop_assert_eq!((run.events, run.duplicates), (5, 5));
        }
    }
}
