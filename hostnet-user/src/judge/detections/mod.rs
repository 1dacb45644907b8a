//! The built-in detections: one file each, and the one table of them.
//!
//! A detection is a function of a scene and of what it remembers itself. It says
//! whether the act is suspicious, and of what; whether that was told before, and to
//! whom it goes, is not its business.

mod excuse;
mod sigma_rule;
mod techniques;
#[cfg(test)]
pub(super) mod testing;

pub use excuse::Excuse;
pub use sigma_rule::SigmaRule;
pub use techniques::Technique;

use hostnet_abi::Sensitive;

use super::{Reach, Scene};
use crate::event::{self, Contact, Learned, Reached, Rule, Severity};

/// What a row stands for: its file, what that remembers, and its detections.
macro_rules! detections {
    ($($row:ident $file:ident $(remembers $memory:ident)?;)*) => {
        $(#[allow(clippy::wildcard_enum_match_arm, reason = "a detection is about some kinds")]
        mod $file;)*

        /// What detections remember, each its own.
        #[derive(Debug, Default)]
        pub struct Memory { $($($file: $file::$memory,)?)* }

        const TABLE: &[&[Detection]] = &[$(detections!(@$row $file)),*];
    };
    (@one $file:ident) => { std::slice::from_ref(&$file::DETECTION) };
    (@several $file:ident) => { $file::DETECTIONS };
}

// The one list of detections. Of the same event, those above are told first.
detections! {
    one runtime_api;
    one host_abstract_socket;
    one cloud_metadata;
    several services;
    one host_loopback_service;
    one packet_socket;
    one raw_socket;
    one netlink_change;
    one wildcard_listener;
    one privileged_port;
    one port_shared;
    one port_scan remembers Targets;
    one destination_taken;
    one undeclared_join;
    one unexpected_container;
    one beyond_expectation;
    one name_spoof;
    one cgroup_migration;
    one new_destination remembers Profiles;
    one flood;
    one agent_blinded;
}

/// One detection.
#[derive(Debug)]
pub struct Detection {
    /// Short and stable.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Unless the suspicion says otherwise.
    pub severity: Severity,
    /// What looks like it.
    pub techniques: &'static [Technique],
    /// What has to be seen for it: sets of hooks, as `hostnet doctor` names them.
    pub needs: &'static [&'static str],
    /// What it means and what to do.
    pub text: &'static str,
    /// What an expectation can excuse.
    pub excuse: Excuse,
    /// TCP ports of the host that it is about; a flood must not hide what goes there.
    pub ports: &'static [u16],
    /// What else of it a flood must not hide.
    pub sensitive: fn() -> Vec<Sensitive>,
    /// Whether an act is suspicious.
    pub criterion: Criterion,
    /// What of it one event shows, for a SIEM.
    pub sigma: &'static [SigmaRule],
}

/// What makes an act suspicious.
#[derive(Clone, Copy, Debug)]
pub enum Criterion {
    /// A function says so.
    Act(fn(&Scene<'_>, &mut Memory) -> Option<Suspicion>),
    /// It reaches this service at one of the detection's ports.
    Service(&'static str),
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

/// What detections look for that a flood must not hide: the same lists that they use.
#[must_use]
pub fn sensitive() -> Vec<Sensitive> {
    let of = |one: &Detection| {
        let ports = one.ports.iter().map(|port| Sensitive::Port(*port));
        ports.chain((one.sensitive)()).collect::<Vec<_>>()
    };
    Detection::all().flat_map(of).collect()
}

impl Detection {
    /// What most have: whose row says nothing else is about the network, and never excused.
    const BASE: Self = Self {
        id: "",
        title: "",
        severity: Severity::Medium,
        techniques: &[],
        needs: &["inet"],
        text: "",
        excuse: Excuse::Never,
        ports: &[],
        sensitive: Vec::new,
        criterion: Criterion::Act(|_, _| None),
        sigma: &[],
    };

    /// Every one.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLE.iter().copied().flatten()
    }

    /// Whether an act is suspicious.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
        match self.criterion {
            Criterion::Act(judge) => judge(scene, memory),
            Criterion::Service(name) => services::judge(self, name, scene),
        }
    }

    /// Files of rules for a SIEM, by their names: what it finds of one event.
    pub fn sigma_rules(&self) -> impl Iterator<Item = (String, String)> {
        self.sigma.iter().map(|rule| (format!("{}.yml", rule.name), rule.text(self)))
    }

    /// The rule that its findings name.
    #[must_use]
    pub fn rule(&self) -> Rule {
        let technique =
            |one: &Technique| event::Technique { id: one.id.into(), name: one.name.into() };
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
        let ids: BTreeSet<&str> = Detection::all().map(|detection| detection.id).collect();
        assert_eq!(ids.len(), Detection::all().count());
        for detection in Detection::all() {
            assert!(!detection.id.is_empty() && !detection.title.is_empty());
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
        for detection in Detection::all() {
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
