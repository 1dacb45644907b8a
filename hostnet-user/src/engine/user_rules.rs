//! The user's own rules among the stages: each event that is told is shown to them as
//! the document it is written as, but nothing of it is cut and it has all labels of its
//! container: padding hides nothing from a rule. It is never text. What they find is an
//! event, too. Without rules no document is made.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    event::{
        Event, Operation, Owner, PastFinding, Recorded, Rule, Severity, Technique, UnixAddress,
        canonical,
    },
    format::ecs::{Encoder, Identity},
    judge::{
        Repeats, finding,
        sigma::{About, Level, RuleText, Rules},
    },
};

/// The rules of a run.
pub struct UserRules {
    rules: Rules,
    encoder: Option<Encoder>,
    repeats: Repeats,
}

impl UserRules {
    /// None yet. What was found is found again after `repeat_after_ns`.
    #[must_use]
    pub fn new(repeat_after_ns: u64) -> Self {
        let repeats = Repeats::new(repeat_after_ns);
        Self { rules: Rules::default(), encoder: None, repeats }
    }

    /// Where the run is: documents say so.
    pub fn identify(&mut self, identity: &Identity) {
        self.encoder = Some(Encoder::whole(identity));
        self.repeats.boot(&identity.boot_id);
    }

    /// What other runs have found.
    pub fn remember(&mut self, found: &[PastFinding]) {
        self.repeats.remember(found);
    }

    /// These rules from now on. The bad ones among them were told when they were read.
    pub fn replace(&mut self, texts: &[RuleText]) {
        (self.rules, _) = Rules::parse(texts);
    }

    /// Adds what the rules find of the event to `findings`.
    pub fn judge(&mut self, record: &Recorded, findings: &mut Vec<Event>) {
        let event = &record.event;
        let Some(encoder) = self.encoder.as_mut().filter(|_| !self.rules.is_empty()) else {
            return;
        };
        if event.is_finding() || matches!(event.operation, Operation::Health(_)) {
            return;
        }
        // What cannot be written is not told either, and the output says so.
        let Ok(document) = encoder.value(record) else { return };
        let nobody = Owner::unknown(0, None);
        let owner = event.owner.as_deref().unwrap_or(&nobody);
        for about in self.rules.judge(&document) {
            let subject = subject(event);
            if let Some(learned) = self.repeats.news(&about.id, owner, &subject, event.wall_ns) {
                let (rule, sentence) = (Arc::new(rule(&about)), event.operation.to_string());
                let severity = severity(about.level);
                findings.push(finding(event, rule, severity, (subject, sentence), Some(learned)));
            }
        }
    }
}

/// What the act was aimed at, so that the same act is told once.
fn subject(event: &Event) -> String {
    let told = event.operation.told();
    let name = |name: Option<&UnixAddress>| name.map(ToString::to_string);
    let address = |address: Option<SocketAddr>| address.map(|one| canonical(one).to_string());
    let end = address(told.remote())
        .or_else(|| name(told.remote_name()))
        .or_else(|| address(told.local()))
        .or_else(|| name(told.local_name()))
        .unwrap_or_default();
    format!("{} {end}", told.operation()).trim_end().to_owned()
}

fn rule(about: &About) -> Rule {
    let technique = |id: &String| Technique { id: id.clone().into(), name: "".into() };
    Rule {
        id: about.id.clone().into(),
        name: about.title.clone().into(),
        description: about.description.clone().into(),
        ruleset: "sigma",
        techniques: about.techniques.iter().map(technique).collect(),
    }
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Informational | Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use uuid::Uuid;

    use super::*;
    use crate::{
        docs::EVERY_KIND,
        engine::{
            capture::Recording,
            input::{self, Input, World},
            stages::{Filter, Stages},
        },
        event::Finding,
        judge::{Judge, Law},
        output::Output,
    };

    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Heard>>);

    #[derive(Default)]
    struct Heard {
        /// Of the user's rules: id, severity and evidence.
        findings: Vec<(String, Severity, Uuid)>,
        events: Vec<Uuid>,
    }

    impl Output for Told {
        fn write(&mut self, record: &Recorded) -> anyhow::Result<()> {
            let mut told = self.0.lock().unwrap();
            told.events.push(record.event.id);
            if let Operation::Finding(finding) = &record.event.operation
                && finding.rule.ruleset == "sigma"
            {
                let Finding { rule, severity, evidence, .. } = finding;
                told.findings.push((rule.id.to_string(), *severity, *evidence));
            }
            Ok(())
        }

        fn flush(&mut self) -> anyhow::Result<()> {
            Ok(())
        }
    }

    fn rule(id: u8, detection: &str, level: &str) -> RuleText {
        let text = format!(
            "title: t\nid: 00000000-0000-4000-8000-0000000000{id:02}\nlevel: {level}\nlogsource:\n    \
             product: hostnet\ndetection:\n    s:\n        {detection}\n    condition: s\n"
        );
        RuleText { file: format!("{id}.yml"), text }
    }

    /// The recorded run with these rules.
    fn run(rules: &[RuleText]) -> Told {
        let told = Told::default();
        let mut recording = Recording::read(EVERY_KIND).unwrap();
        let (tag, bytes) = recording.frame().unwrap().unwrap();
        let Input::World(World::Run { policy, identity, .. }) =
            input::from_frame(tag, bytes).unwrap()
        else {
            panic!("a run begins with where it was made");
        };
        let judge = Judge::new(&Law::default());
        let mut stages =
            Stages::new(policy, judge, Filter::default(), vec![Box::new(told.clone())]);
        stages.identify(&identity);
        stages.world(World::Rules(rules.to_vec())).unwrap();
        while let Some((tag, bytes)) = recording.frame().unwrap() {
            stages.input(input::from_frame(tag, bytes).unwrap()).unwrap();
        }
        stages.finish().unwrap();
        told
    }

    #[test]
    fn what_a_rule_finds_is_an_event_after_the_one_that_shows_it() {
        let rules = [
            rule(1, "hostnet.operation: listen", "high"),
            rule(2, "event.action: bound-packet-socket", "informational"),
            rule(3, "hostnet.operation: health", "high"),
            rule(4, "container.name: nobody", "high"),
            rule(5, "host.name: node1\n        hostnet.operation: raw-socket", "critical"),
        ];
        let told = run(&rules);
        let told = told.0.lock().unwrap();
        let severities = |id: u8| {
            let id = format!("00000000-0000-4000-8000-0000000000{id:02}");
            let of_rule = told.findings.iter().filter(|(rule, ..)| *rule == id);
            of_rule.map(|(_, severity, _)| *severity).collect::<Vec<_>>()
        };
        assert!(severities(1).iter().all(|severity| *severity == Severity::High));
        assert!(!severities(1).is_empty());
        assert_eq!(severities(2), [Severity::Low]);
        assert!(severities(3).is_empty() && severities(4).is_empty());
        assert_eq!(severities(5), [Severity::Critical]);
        // By an event that was told before.
        assert!(told.findings.iter().all(|(.., evidence)| told.events.contains(evidence)));
    }

    #[test]
    fn without_rules_nothing_is_found_and_nothing_else_changes() {
        let (without, with) = (run(&[]), run(&[rule(1, "hostnet.operation: listen", "low")]));
        let (without, with) = (without.0.lock().unwrap(), with.0.lock().unwrap());
        assert!(without.findings.is_empty());
        assert_eq!(without.events.len() + with.findings.len(), with.events.len());
    }
}
