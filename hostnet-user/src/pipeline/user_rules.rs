//! The files with the user's rules, read at start and whenever that is asked for.

use crate::{
    config,
    input::World,
    judge::sigma::{self, Rules},
};

/// Where they are.
pub struct UserRuleFiles {
    rules: Option<config::Rules>,
    are_told: bool,
}

impl UserRuleFiles {
    /// Where this says, if they are to be judged.
    pub const fn new(rules: Option<config::Rules>) -> Self {
        Self { rules, are_told: false }
    }

    /// What they say now; nothing where there never was a rule. A bad one is logged
    /// with its line, and the others are judged.
    pub fn read(&mut self) -> Option<World> {
        let place = self.rules.as_ref()?;
        let paths: Vec<_> = place.directory().into_iter().map(ToOwned::to_owned).collect();
        let (texts, mut faults) = sigma::read(&paths);
        let (rules, wrong) = Rules::parse(&texts);
        faults.extend(wrong);
        for fault in &faults {
            tracing::warn!("a rule is not judged: {fault}");
        }
        if rules.is_empty() && !self.are_told {
            return None;
        }
        self.are_told = true;
        tracing::info!("{} rules of {} are judged", rules.len(), place.directory.display());
        Some(World::Rules(texts))
    }
}
