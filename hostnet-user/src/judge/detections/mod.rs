//! The built-in detections: one file each, and the one table of them.
//!
//! A detection is a function of a scene and of what it remembers itself. It says
//! whether the act is suspicious, and of what; whether that was told before, and to
//! whom it goes, is not its business.

mod agent_blinded;
mod api_server;
mod beyond_expectation;
mod cgroup_migration;
mod cloud_metadata;
mod destination_taken;
mod etcd;
mod excuse;
mod flood;
mod host_abstract_socket;
mod host_loopback_service;
mod kubelet;
mod name_spoof;
mod netlink_change;
mod new_destination;
mod packet_socket;
mod port_scan;
mod port_shared;
mod privileged_port;
mod raw_socket;
mod runtime_api;
mod service;
mod techniques;
#[cfg(test)]
pub(super) mod testing;
mod undeclared_join;
mod unexpected_container;
mod wildcard_listener;

pub use excuse::Excuse;

use hostnet_abi::Sensitive;

use super::{Reach, Scene, surface::MetadataService};
use crate::event::{Contact, Learned, Reached, Rule, Severity, Technique, from_socket_addr};

/// One detection.
#[derive(Debug)]
pub struct Detection {
    /// Short and stable.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Unless the suspicion says otherwise.
    pub severity: Severity,
    /// ATT&CK techniques that look like it: ids and names.
    pub techniques: &'static [(&'static str, &'static str)],
    /// What has to be seen for it: sets of hooks, as `hostnet doctor` names them.
    pub needs: &'static [&'static str],
    /// What it means and what to do.
    pub text: &'static str,
    /// What an expectation can excuse.
    pub excuse: Excuse,
    /// Whether an act is suspicious.
    pub judge: fn(&Scene<'_>, &mut Memory) -> Option<Suspicion>,
}

/// An act that is suspicious.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// What it is about: the same for all acts that are one to a person.
    pub subject: String,
    /// The sentence after the owner's name.
    pub sentence: String,
    /// Where it is not the detection's own.
    pub severity: Option<Severity>,
}

/// What detections remember, each its own.
#[derive(Debug, Default)]
pub struct Memory {
    port_scan: port_scan::Targets,
    new_destination: new_destination::Profiles,
}

impl Memory {
    /// Learns what images reach for so long before what is new is suspicious.
    #[must_use]
    pub fn learning_for(learn_ns: u64) -> Self {
        let new_destination = new_destination::Profiles::learning_for(learn_ns);
        Self { new_destination, ..Self::default() }
    }

    /// Knows from now on what images reached while other runs judged.
    pub fn remember(&mut self, reached: &[Reached]) {
        self.new_destination.remember(reached);
    }

    /// What the last event has taught, for the runs to come.
    pub const fn take_learned(&mut self) -> Option<Learned> {
        self.new_destination.take_learned()
    }
}

/// Every detection.
pub const DETECTIONS: &[Detection] = &[
    runtime_api::DETECTION,
    host_abstract_socket::DETECTION,
    cloud_metadata::DETECTION,
    kubelet::DETECTION,
    etcd::DETECTION,
    api_server::DETECTION,
    host_loopback_service::DETECTION,
    packet_socket::DETECTION,
    raw_socket::DETECTION,
    netlink_change::DETECTION,
    wildcard_listener::DETECTION,
    privileged_port::DETECTION,
    port_shared::DETECTION,
    port_scan::DETECTION,
    destination_taken::DETECTION,
    undeclared_join::DETECTION,
    unexpected_container::DETECTION,
    beyond_expectation::DETECTION,
    name_spoof::DETECTION,
    cgroup_migration::DETECTION,
    new_destination::DETECTION,
    flood::DETECTION,
    agent_blinded::DETECTION,
];

/// What detections look for that a flood must not hide: the same lists that they use.
#[must_use]
pub fn sensitive() -> Vec<Sensitive> {
    let addresses = MetadataService::all()
        .map(|(ip, _)| Sensitive::Address(from_socket_addr((ip, 0).into()).0));
    let ports = [&runtime_api::PORTS[..], &kubelet::PORTS, &etcd::PORTS, &api_server::PORTS];
    let ports = ports.into_iter().flatten().map(|port| Sensitive::Port(*port));
    let names = runtime_api::SOCKETS.iter().map(|name| Sensitive::PathEnd(name.as_bytes()));
    addresses.chain(ports).chain(names).collect()
}

impl Detection {
    /// The rule that its findings name.
    #[must_use]
    pub fn rule(&self) -> Rule {
        let technique = |(id, name): &(&'static str, &'static str)| Technique {
            id: (*id).into(),
            name: (*name).into(),
        };
        Rule {
            id: self.id.into(),
            name: self.title.into(),
            description: self.text.into(),
            ruleset: "hostnet",
            techniques: self.techniques.iter().map(technique).collect(),
        }
    }
}

impl Suspicion {
    fn new(subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { subject: subject.into(), sentence: sentence.into(), severity: None }
    }

    fn with(self, severity: Severity) -> Self {
        Self { severity: Some(severity), ..self }
    }

    /// Of an attempt to reach something: what it came to is in the sentence, and decides
    /// how much it matters. `severity` is that of having reached it, `what` says in words
    /// what it is.
    fn of(reach: &Reach<'_>, severity: Severity, subject: &str, what: &str) -> Self {
        let sentence = reach.sentence(what);
        let (came_to, severity) = match reach.contact {
            Contact::Reached => return Self::new(subject, sentence),
            Contact::Unknown => ("perhaps", severity.one_less()),
            Contact::Pending | Contact::Refused | Contact::Failed => ("tried", severity.one_less()),
            Contact::Aimed => ("aimed at", Severity::Low),
        };
        Self::new(format!("{subject}, {came_to}"), sentence).with(severity)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_detection_says_what_a_person_needs() {
        let ids: BTreeSet<&str> = DETECTIONS.iter().map(|detection| detection.id).collect();
        assert_eq!(ids.len(), DETECTIONS.len());
        for detection in DETECTIONS {
            assert!(detection.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            assert!(detection.text.ends_with('.') && !detection.title.ends_with('.'));
            assert!(!detection.techniques.is_empty() && !detection.needs.is_empty());
        }
    }

    #[test]
    fn what_a_flood_must_not_hide_fits_into_the_programs_table() {
        let all: BTreeSet<u64> = sensitive().into_iter().map(Sensitive::entry).collect();
        assert!(all.len() <= hostnet_abi::sensitive::ENTRIES && !all.contains(&0));
    }

    /// A sentence that begins right behind another, or behind a comma.
    fn is_glued(word: &str) -> bool {
        let is_code = word.contains(['`', '/', '_']);
        let letters: Vec<char> = word.chars().collect();
        let seam = |three: &[char]| {
            three[0].is_alphanumeric()
                && matches!(three[1], '.' | ',' | ';' | ':')
                && three[2].is_alphabetic()
        };
        !is_code && letters.windows(3).any(seam)
    }

    #[test]
    fn no_two_sentences_of_a_text_are_glued_together() {
        for detection in DETECTIONS {
            for text in [detection.text, detection.title] {
                let glued = text.split_whitespace().find(|word| is_glued(word));
                assert_eq!(glued, None, "{}: {text}", detection.id);
                assert!(!text.contains("  "), "{}: {text}", detection.id);
            }
        }
        assert!(is_glued("network.Pods") && !is_glued("CVE-2020-15257);"));
    }

    /// Two words are glued where a line of a string ends without a space.
    fn glued_lines(source: &str) -> Vec<&str> {
        let is_glued = |line: &&str| {
            let Some(before) = line.strip_suffix('\\') else { return false };
            let is_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':');
            before.ends_with(is_word) && !before.ends_with("\\n")
        };
        source.lines().filter(is_glued).collect()
    }

    #[test]
    fn no_string_goes_on_in_the_next_line_without_a_space() {
        let glued = "    text: \"read their\\\n           secrets\",";
        assert_eq!(glued_lines(glued).len(), 1);
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let source = fs::read_to_string(&path).unwrap();
                    assert_eq!(glued_lines(&source), [""; 0], "{}", path.display());
                    files += 1;
                }
            }
        }
        assert!(files > 100, "{files}");
    }
}
