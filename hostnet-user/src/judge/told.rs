//! Which findings were told already: a person wants each once.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::event::Owner;

/// Most that are remembered; beyond, the older half is told anew.
const MOST: usize = 1 << 16;

/// When each was told last.
#[derive(Debug)]
pub struct ToldBefore {
    repeat_after_ns: u64,
    told: HashMap<u64, u64>,
}

impl ToldBefore {
    pub fn new(repeat_after_ns: u64) -> Self {
        Self { repeat_after_ns, told: HashMap::new() }
    }

    /// Whether this is to be told; it is then remembered. Two that the hash takes for
    /// one are one in 2^64, as long as nobody can choose what it is made of at will.
    pub fn is_news(&mut self, rule: &str, owner: &Owner, subject: &str, now_ns: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        (rule, owner.kind as u8, &owner.container_id, subject).hash(&mut hasher);
        // Who has no id is known by where it is.
        if owner.container_id.is_none() {
            owner.cgroup_id.hash(&mut hasher);
        }
        let told = self.told.entry(hasher.finish()).or_insert(u64::MAX);
        if *told != u64::MAX && now_ns.saturating_sub(*told) < self.repeat_after_ns {
            return false;
        }
        *told = now_ns;
        if self.told.len() > MOST {
            self.forget();
        }
        true
    }

    fn forget(&mut self) {
        let mut times: Vec<u64> = self.told.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        self.told.retain(|_, told| *told > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_per_owner_and_subject_until_it_is_old() {
        let mut told = ToldBefore::new(100);
        let (one, other) = (Owner::unknown(1, None), Owner::unknown(2, None));
        assert!(told.is_news("a", &one, "x", 0));
        assert!(!told.is_news("a", &one, "x", 99));
        assert!(told.is_news("a", &one, "y", 99));
        assert!(told.is_news("b", &one, "x", 99));
        assert!(told.is_news("a", &other, "x", 99));
        assert!(told.is_news("a", &one, "x", 100));
    }

    #[test]
    fn memory_is_bounded_and_the_youngest_stay() {
        let mut told = ToldBefore::new(u64::MAX);
        let owner = Owner::unknown(1, None);
        for at in 0..3 * MOST as u64 {
            assert!(told.is_news("a", &owner, &at.to_string(), at));
            assert!(told.told.len() <= MOST);
        }
        assert!(!told.is_news("a", &owner, &(3 * MOST as u64 - 1).to_string(), u64::MAX - 1));
    }
}
