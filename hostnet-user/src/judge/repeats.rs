//! Which findings were made already: a person wants each once.

use std::collections::HashMap;

use super::digest::digest;
use crate::event::{Learned, Owner, PastFinding};

/// Most that are remembered; beyond, the older half is forgotten.
pub const MOST: usize = 1 << 16;

/// When each was made last.
#[derive(Debug)]
pub struct Repeats {
    repeat_after_ns: u64,
    boot: String,
    last: HashMap<u128, u64>,
}

impl Repeats {
    pub fn new(repeat_after_ns: u64) -> Self {
        Self { repeat_after_ns, boot: String::new(), last: HashMap::new() }
    }

    /// The boot of the host: cgroups are numbered anew with each.
    pub fn boot(&mut self, boot: &str) {
        boot.clone_into(&mut self.boot);
    }

    /// What other runs have found.
    pub fn remember(&mut self, all: &[PastFinding]) {
        for PastFinding { rule, owner, subject, last_ns } in all {
            let last = self.last.entry(digest(&[rule, owner, subject])).or_default();
            *last = (*last).max(*last_ns);
        }
    }

    /// What is to be remembered of a finding that is to be made; `None` when it was made
    /// not long ago.
    pub fn news(
        &mut self,
        rule: &str,
        owner: &Owner,
        subject: &str,
        now_ns: u64,
    ) -> Option<Learned> {
        let owner = self.name(owner);
        let key = digest(&[rule, &owner, subject]);
        if let Some(last) = self.last.get(&key)
            // One from long after now was made while the clock was wrong.
            && last.abs_diff(now_ns) < self.repeat_after_ns
        {
            return None;
        }
        self.last.insert(key, now_ns);
        let forgotten_to_ns = (self.last.len() > MOST).then(|| self.forget());
        let (rule, subject) = (rule.to_owned(), subject.to_owned());
        let finding = PastFinding { rule, owner, subject, last_ns: now_ns };
        Some(Learned::Found { finding, forgotten_to_ns })
    }

    /// An owner without an id is known by where it is.
    fn name(&self, owner: &Owner) -> String {
        owner.container_id.clone().unwrap_or_else(|| {
            format!("{:?} cgroup {} boot {}", owner.kind, owner.cgroup_id, self.boot)
        })
    }

    fn forget(&mut self) -> u64 {
        let mut times: Vec<u64> = self.last.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        self.last.retain(|_, last| *last > middle);
        middle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_news(repeats: &mut Repeats, rule: &str, owner: &Owner, subject: &str, at: u64) -> bool {
        repeats.news(rule, owner, subject, at).is_some()
    }

    #[test]
    fn once_per_owner_and_subject_until_it_is_old() {
        let mut repeats = Repeats::new(100);
        let (one, other) = (Owner::unknown(1, None), Owner::unknown(2, None));
        assert!(is_news(&mut repeats, "a", &one, "x", 0));
        assert!(!is_news(&mut repeats, "a", &one, "x", 99));
        assert!(is_news(&mut repeats, "a", &one, "y", 99));
        assert!(is_news(&mut repeats, "b", &one, "x", 99));
        assert!(is_news(&mut repeats, "a", &other, "x", 99));
        assert!(is_news(&mut repeats, "a", &one, "x", 100));
    }

    #[test]
    fn what_another_run_found_is_no_news_in_the_same_boot() {
        let mut before = Repeats::new(100);
        before.boot("one");
        let nobody = Owner::unknown(1, None);
        let Some(Learned::Found { finding, .. }) = before.news("a", &nobody, "x", 5) else {
            panic!("it is news")
        };
        for (boot, is_new) in [("one", false), ("two", true)] {
            let mut after = Repeats::new(100);
            after.boot(boot);
            after.remember(std::slice::from_ref(&finding));
            assert_eq!(is_news(&mut after, "a", &nobody, "x", 50), is_new, "boot {boot}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_youngest_stay() {
        let mut repeats = Repeats::new(1 << 62);
        let owner = Owner::unknown(1, None);
        for at in 0..3 * MOST as u64 {
            assert!(is_news(&mut repeats, "a", &owner, &at.to_string(), at));
            assert!(repeats.last.len() <= MOST);
        }
        let last = (3 * MOST as u64 - 1).to_string();
        assert!(!is_news(&mut repeats, "a", &owner, &last, 1 << 60));
    }
}
