//! A real event of every action: those of the recorded run, and for actions that it has not,
//! events that agents wrote in live tests, which `cargo xtask record --samples` picks here and
//! makes anonymous. How they are shown is not its concern.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use regex::Regex;
use serde_json::Value;

use super::{EVERY_KIND, replay};
use crate::{
    event::{Action, Recorded},
    format::ecs::{Encoder, Identity, parse::Parser, read::Read},
};

/// Events of the actions that the recorded run has not, one a line.
pub static SAMPLES: &[u8] = include_bytes!("../../tests/data/samples.ndjson");

/// Names that the live tests choose anew each time, and what stands for them.
const CHOSEN_NAMES: [(&str, &str); 2] =
    [(r"/tmp/\.tmp[0-9A-Za-z]{6}", "/var/lib/hostnet"), ("hnt-[a-z]+-[0-9]+-[0-9]+", "web")];

/// An event that may become the sample of its action; the least does: of a container with a
/// name rather than of one without, of any container rather than of the host, a short one
/// rather than a long one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<'a> {
    is_of_host: bool,
    is_nameless: bool,
    length: usize,
    line: &'a [u8],
}

/// The recorded run, and an event of each other action.
///
/// # Errors
/// When the run cannot be replayed, or a sample is not JSON.
pub fn samples() -> Result<Vec<Value>> {
    let mut samples = replay(EVERY_KIND)?;
    for line in lines(SAMPLES) {
        samples.push(serde_json::from_slice(line)?);
    }
    Ok(samples)
}

/// [`SAMPLES`] anew: of each action that the recorded run has not, the best of these lines and
/// of the samples there are. Lines that are no events are passed over.
///
/// # Errors
/// When the run cannot be replayed.
pub fn pick(told: &[u8]) -> Result<String> {
    let run = replay(EVERY_KIND)?;
    let recorded: BTreeSet<&str> =
        run.iter().filter_map(|event| event["event"]["action"].as_str()).collect();
    let chosen_names: Vec<(Regex, &str)> = CHOSEN_NAMES
        .iter()
        .map(|(pattern, instead)| Ok((Regex::new(pattern)?, *instead)))
        .collect::<Result<_>>()?;
    let neutral = |line: &[u8]| neutral(line, &chosen_names);
    let mut best: BTreeMap<Action, (Candidate<'_>, String)> = BTreeMap::new();
    for line in lines(told).chain(lines(SAMPLES)) {
        let Some((action, candidate)) = candidate(line) else { continue };
        if recorded.contains(action.name()) {
            continue;
        }
        let is_better = best.get(&action).is_none_or(|(before, _)| candidate < *before);
        if let Some(sample) = is_better.then(|| neutral(line)).flatten() {
            best.insert(action, (candidate, sample));
        }
    }
    Ok(best.into_values().map(|(_, sample)| sample).collect())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    // What has come by a serial port ends in CR LF.
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn candidate(line: &[u8]) -> Option<(Action, Candidate<'_>)> {
    let event = Read::of(line).ok()?;
    let is_nameless = event.container.id.is_some() && event.container.name.is_none();
    let is_of_host = event.hostnet.owner.kind == "host";
    let candidate = Candidate { is_of_host, is_nameless, length: line.len(), line };
    Some((event.event.action()?, candidate))
}

/// The event as this version writes it, on a host that is nobody's; `None` when it is not read
/// back as it is written then.
fn neutral(line: &[u8], chosen_names: &[(Regex, &str)]) -> Option<String> {
    let mut line = std::str::from_utf8(line).ok()?.to_owned();
    for (pattern, instead) in chosen_names {
        line = pattern.replace_all(&line, *instead).into_owned();
    }
    let (record, identity) = read(&line)?;
    let nobodys = Identity {
        host_name: "node1".to_owned(),
        host_id: "0".repeat(32),
        boot_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        ..identity
    };
    let sample = written(&record, &nobodys)?;
    let (again, identity) = read(&sample)?;
    (written(&again, &identity)? == sample).then_some(sample)
}

fn read(line: &str) -> Option<(Recorded, Identity)> {
    let mut parser = Parser::default();
    let record = parser.record(line.as_bytes()).ok()?;
    Some((record, parser.identity()?.clone()))
}

fn written(record: &Recorded, identity: &Identity) -> Option<String> {
    let mut line = Vec::new();
    Encoder::new(identity).encode(record, &mut line).ok()?;
    String::from_utf8(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an agent in a live test may have written: an event of the recorded run, called so.
    fn told(action: Action, name: &str) -> String {
        let run = replay(EVERY_KIND).unwrap();
        let is_it = |event: &&Value| event["event"]["action"] == action.name();
        let mut event = run.iter().find(is_it).expect("one").clone();
        event["host"]["name"] = "secret".into();
        event["host"]["id"] = "f".repeat(32).into();
        let text = event.to_string();
        text.replace("\"api\"", &format!("\"{name}\"")).replace("api (", &format!("{name} ("))
    }

    fn made_neutral(line: &str) -> Option<String> {
        let chosen_names = CHOSEN_NAMES.map(|(name, instead)| (Regex::new(name).unwrap(), instead));
        neutral(line.as_bytes(), &chosen_names)
    }

    #[test]
    fn a_sample_names_neither_the_host_nor_the_test() {
        let line = told(Action::ContainerLeftHostNetwork, "hnt-box-12-3");
        assert!(line.contains("hnt-box-12-3") && line.contains("secret"), "{line}");
        let sample = made_neutral(&line).expect("it is read back");
        for telling in ["hnt-", "secret", "ffffffff"] {
            assert!(!sample.contains(telling), "{telling}: {sample}");
        }
        let event: Value = serde_json::from_str(&sample).unwrap();
        assert_eq!(event["host"]["name"], "node1");
        assert_eq!(event["container"]["name"], "web");
        assert_eq!(made_neutral(&sample).as_deref(), Some(&*sample), "it is neutral already");
    }

    #[test]
    fn a_containers_event_is_preferred_to_the_hosts_and_a_short_one_to_a_long_one() {
        let rank = |line: &str| {
            let (_, Candidate { is_of_host, is_nameless, length, .. }) =
                candidate(line.as_bytes()).unwrap();
            (is_of_host, is_nameless, length)
        };
        let named = told(Action::ContainerLeftHostNetwork, "web");
        let longer = told(Action::ContainerLeftHostNetwork, "web-with-a-long-name");
        let nameless = named.replace("\"name\":\"web\"", "\"named\":\"web\"");
        let of_host = named.replace("\"kind\":\"container\"", "\"kind\":\"host\"");
        assert!(rank(&named) < rank(&longer));
        assert!(rank(&longer) < rank(&nameless), "{nameless}");
        assert!(rank(&nameless) < rank(&of_host), "{of_host}");
    }

    #[test]
    fn what_is_recorded_or_no_event_is_not_picked() {
        let before = pick(b"").unwrap();
        let told = told(Action::ContainerLeftHostNetwork, "web");
        assert_eq!(pick(format!("{told}\r\nnoise\r\n{{}}").as_bytes()).unwrap(), before);
    }
}
