//! The files with the user's rules, read at start and whenever that is asked for.

use crate::{
    ask::in_time,
    config,
    engine::input::World,
    event::{Health, RuleFault},
    judge::sigma::{self, Rules},
};

/// Faults that an event has at most; the log has them all.
const MOST_FAULTS: usize = 64;

/// Where they are.
pub struct UserRuleFiles {
    rules: Option<config::Rules>,
    are_told: bool,
    /// How many are judged.
    judged: usize,
    /// What was wrong with them when they were read last.
    faults: Vec<RuleFault>,
    news: Option<Health>,
}

impl UserRuleFiles {
    /// Where this says, if they are to be judged.
    pub const fn new(rules: Option<config::Rules>) -> Self {
        Self { rules, are_told: false, judged: 0, faults: Vec::new(), news: None }
    }

    /// What they say now; nothing where there never was a rule. A bad one is logged
    /// with its line, and the others are judged.
    pub fn read(&mut self) -> Option<World> {
        let place = self.rules.as_ref()?;
        let asked = place.clone();
        let read = in_time::ask("read-rules", in_time::PATIENCE, move || {
            let paths: Vec<_> = asked.directory().into_iter().map(ToOwned::to_owned).collect();
            sigma::read(&paths)
        });
        let (texts, mut faults) = match read {
            Ok(read) => read,
            Err(unanswered) => {
                // Those that were read before are still judged.
                let file = place.directory.display().to_string();
                let faults = vec![RuleFault { file, line: None, reason: unanswered.to_string() }];
                tracing::warn!("the rules are not read: {}", faults[0]);
                if faults != self.faults {
                    self.news = Some(health(self.judged, &faults));
                }
                self.faults = faults;
                return None;
            }
        };
        let (rules, wrong) = Rules::parse(&texts);
        self.judged = rules.len();
        faults.extend(wrong);
        for fault in &faults {
            tracing::warn!("a rule is not used: {fault}");
        }
        if faults != self.faults {
            self.news = Some(health(rules.len(), &faults));
        }
        let refused = faults.len();
        self.faults = faults;
        if rules.is_empty() && !self.are_told {
            return None;
        }
        self.are_told = true;
        tracing::info!(
            "rules in {}: {} in use, {refused} faults",
            place.directory.display(),
            rules.len(),
        );
        Some(World::Rules(texts))
    }

    /// What is to be told of their faults, when those are others than were told.
    pub const fn take_news(&mut self) -> Option<Health> {
        self.news.take()
    }
}

fn health(judged: usize, faults: &[RuleFault]) -> Health {
    let refused = faults.len();
    if refused == 0 {
        return Health::RulesMended { judged };
    }
    let faults = faults.iter().take(MOST_FAULTS).cloned().collect();
    Health::RulesRefused { judged, refused, faults }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn faults_are_told_when_they_are_others_and_when_they_are_mended() {
        let directory = tempfile::tempdir().unwrap();
        let bad = |name: &str| fs::write(directory.path().join(name), "title: a\nid: [\n").unwrap();
        let place = config::Rules { directory: directory.path().to_owned() };
        let mut rules = UserRuleFiles::new(Some(place));
        let mut told = || {
            rules.read();
            rules.take_news()
        };
        assert!(told().is_none());
        bad("a.yml");
        let Some(Health::RulesRefused { judged: 0, refused: 1, faults }) = told() else {
            panic!("a bad rule was not told");
        };
        let file = directory.path().join("a.yml").display().to_string();
        assert_eq!((&faults[0].file, faults[0].line), (&file, Some(3)));
        assert!(faults[0].reason.starts_with("is not YAML"), "{}", faults[0].reason);
        assert!(told().is_none());
        (0..2 * MOST_FAULTS).for_each(|index| bad(&format!("b{index}.yml")));
        let Some(Health::RulesRefused { refused, faults, .. }) = told() else {
            panic!("more bad rules were not told");
        };
        assert_eq!((refused, faults.len()), (2 * MOST_FAULTS + 1, MOST_FAULTS));
        for file in fs::read_dir(directory.path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        assert!(matches!(told(), Some(Health::RulesMended { judged: 0 })));
        assert!(told().is_none());
    }
}
