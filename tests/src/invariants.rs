//! What holds for every run of the agent, whatever the test was about.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{events::Event, field::at};

/// One event is one line of JSON, and no line drives a terminal.
pub(crate) fn check_lines(events: &[Event]) {
    for event in events {
        let text = String::from_utf8_lossy(&event.line);
        assert!(event.json.is_object(), "not a JSON object: {text:?}");
        let text =
            std::str::from_utf8(&event.line).unwrap_or_else(|_| panic!("not UTF-8: {text:?}"));
        assert!(!text.chars().any(char::is_control), "a control character: {text:?}");
    }
}

pub(crate) fn check(events: &[Value], started: SystemTime) {
    check_all_but_losses(events, started);
    let lost: Vec<&Value> = with_action(events, "records-lost").collect();
    assert!(lost.is_empty(), "records were lost: {lost:?}");
}

/// The same for a run that may have lost records; how many it says it lost, by
/// program. Other losses than those of programs that were not run are none of its.
pub(crate) fn check_but_programs(events: &[Value], started: SystemTime) -> HashMap<String, u64> {
    check_all_but_losses(events, started);
    let mut lost = HashMap::new();
    for event in with_action(events, "records-lost") {
        assert_eq!(text(event, "hostnet.loss.place"), Some("kernel-program"), "{event}");
        let programs = at(event, "hostnet.loss.by").and_then(Value::as_array);
        for program in programs.expect("a loss names its programs") {
            let name = program["operation"].as_str().expect("a program's name").to_owned();
            *lost.entry(name).or_default() += program["count"].as_u64().expect("a number");
        }
    }
    lost
}

fn check_all_but_losses(events: &[Value], started: SystemTime) {
    check_frame(events);
    check_references(events);
    check_times(events, started);
    check_owners(events);
    check_once(events);
    check_names(events);
}

fn text<'a>(event: &'a Value, path: &str) -> Option<&'a str> {
    at(event, path).and_then(Value::as_str)
}

fn with_action<'a>(events: &'a [Value], action: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| text(event, "event.action") == Some(action))
}

/// A run begins and ends by saying so, once.
fn check_frame(events: &[Value]) {
    for (event, action) in [(events.first(), "agent-started"), (events.last(), "agent-stopped")] {
        let event = event.expect("the agent wrote something");
        assert_eq!(text(event, "event.action"), Some(action), "{event}");
        assert_eq!(with_action(events, action).count(), 1, "{action} more than once");
    }
    let run = at(&events[0], "agent.ephemeral_id");
    for event in events {
        assert_eq!(at(event, "agent.ephemeral_id"), run, "another run's id: {event}");
    }
}

fn check_references(events: &[Value]) {
    let mut ids = HashSet::new();
    for event in events {
        let id = text(event, "event.id").expect("event.id is a string");
        assert!(ids.insert(id), "event.id {id} twice");
        let amended = match at(event, "hostnet.amends") {
            Some(Value::Array(many)) => many.clone(),
            Some(one) => vec![one.clone()],
            None => continue,
        };
        for id in amended {
            let known = id.as_str().is_some_and(|id| {
                ids.contains(id) || events.iter().any(|e| text(e, "container.id") == Some(id))
            });
            assert!(known, "amends {id}, which no earlier event has: {event}");
        }
    }
}

fn check_times(events: &[Value], started: SystemTime) {
    let started = started.duration_since(UNIX_EPOCH).expect("after 1970");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let tolerance = Duration::from_millis(500);
    for event in events {
        let time = text(event, "@timestamp").expect("@timestamp is a string");
        let time = seconds(time).unwrap_or_else(|| panic!("not a UTC time: {time}"));
        assert!(
            (started - tolerance..=now + tolerance).contains(&time),
            "not within the run ({started:?} to {now:?}): {event}"
        );
    }
}

/// `2026-11-23T18:20:00.123456789Z` since 1970.
fn seconds(time: &str) -> Option<Duration> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since the epoch of a year that begins in March (Hinnant's algorithm).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    let whole = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let fraction = time.get(19..)?.strip_suffix('Z')?;
    let fraction: f64 =
        if fraction.is_empty() { 0.0 } else { format!("0{fraction}").parse().ok()? };
    Some(Duration::from_secs(whole.try_into().ok()?) + Duration::from_secs_f64(fraction))
}

/// Nothing of another network namespace, and never half an owner.
fn check_owners(events: &[Value]) {
    for event in events {
        if text(event, "event.dataset") == Some("hostnet.network") {
            assert_eq!(at(event, "hostnet.netns.is_host"), Some(&Value::Bool(true)), "{event}");
        }
        let id = text(event, "container.id");
        if text(event, "hostnet.owner.kind") == Some("container") {
            let full =
                id.is_some_and(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()));
            // What only a path names has the id that its runtime puts there.
            let is_by_path = text(event, "hostnet.attribution.confidence") == Some("path");
            let is_known = full || is_by_path && id.is_some_and(|id| !id.is_empty());
            assert!(is_known, "a container without its full id: {event}");
        } else if text(event, "hostnet.owner.kind") == Some("host") {
            assert_eq!(id, None, "a host process with a container: {event}");
        }
    }
}

/// One operation on a TCP socket is told once. A socket that was disconnected
/// may connect again, to another peer.
fn check_once(events: &[Value]) {
    let told = ["connection_attempted", "connection_accepted", "disconnect_received"];
    let mut seen: HashMap<(&str, u64, String), &Value> = HashMap::new();
    for event in events {
        let (Some(action), Some("tcp")) =
            (text(event, "event.action"), text(event, "network.transport"))
        else {
            continue;
        };
        let Some(cookie) = at(event, "hostnet.socket.cookie").and_then(Value::as_u64) else {
            continue;
        };
        let peer = at(event, "hostnet.remote").map(Value::to_string).unwrap_or_default();
        if cookie != 0
            && told.contains(&action)
            && let Some(before) = seen.insert((action, cookie, peer), event)
        {
            panic!("told twice:\n{before}\n{event}");
        }
    }
}

/// A name that comes late says how many events were told without it, and what an
/// inspect tells likewise.
fn check_names(events: &[Value]) {
    for (index, event) in events.iter().enumerate() {
        if text(event, "event.action") != Some("container-identified") {
            continue;
        }
        let id = text(event, "container.id");
        let described = "hostnet.container";
        let lacked = at(event, described).map_or("container.name", |_| described);
        let less = events[..index]
            .iter()
            .filter(|earlier| id.is_some() && text(earlier, "container.id") == id)
            .filter(|earlier| text(earlier, "event.action") != Some("container-identified"))
            .filter(|earlier| at(earlier, lacked).is_none())
            .count() as u64;
        let told = at(event, "hostnet.identified.events").and_then(Value::as_u64);
        assert_eq!(told, Some(less), "earlier events without {lacked}: {event}");
        assert!(less > 0, "tells nothing new: {event}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_utc_times() {
        let time = |text| seconds(text).map(|time| (time.as_secs(), time.subsec_millis()));
        assert_eq!(time("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(time("2026-11-23T18:20:00.123456789Z"), Some((1_795_458_000, 123)));
        assert_eq!(time("2024-02-29T23:59:59Z"), Some((1_709_251_199, 0)));
        assert_eq!(time("2026-11-23T18:20:00+01:00"), None);
    }
}
