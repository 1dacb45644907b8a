//! Findings of attempts whose outcome is not known yet: it amends them when it comes.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::event::{Owner, shares::share_name};

/// Most of one owner; beyond, its oldest is forgotten.
const MOST: usize = 1 << 10;

/// Most owners; beyond, the one with the oldest latest finding is forgotten.
const MOST_OWNERS: usize = 1 << 12;

/// Their ids, which sort by time, by owner.
#[derive(Debug, Default)]
pub struct Open(HashMap<String, BTreeSet<Uuid>>);

impl Open {
    /// A finding of `owner` waits for an outcome.
    pub fn insert(&mut self, owner: &Owner, finding: Uuid) {
        let name = share_name(owner);
        if self.0.len() >= MOST_OWNERS && !self.0.contains_key(name) {
            let oldest = self.0.iter().min_by_key(|(_, findings)| findings.last().copied());
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.0.remove(&oldest);
            }
        }
        let findings = self.0.entry(name.to_owned()).or_default();
        if findings.len() >= MOST {
            findings.pop_first();
        }
        findings.insert(finding);
    }

    /// Whether this finding of `owner` has waited for the outcome that is there now.
    pub fn settle(&mut self, owner: &Owner, finding: &Uuid) -> bool {
        let name = share_name(owner);
        let Some(findings) = self.0.get_mut(name) else { return false };
        let is_it = findings.remove(finding);
        if findings.is_empty() {
            self.0.remove(name);
        }
        is_it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: usize) -> Owner {
        Owner { container_id: Some(id.to_string()), ..Owner::unknown(1, None) }
    }

    #[test]
    fn who_leaves_many_attempts_open_forgets_only_its_own() {
        let mut open = Open::default();
        open.insert(&owner(1), Uuid::from_u128(1));
        for at in 2..10_000 {
            open.insert(&owner(2), Uuid::from_u128(at));
        }
        assert!(open.settle(&owner(1), &Uuid::from_u128(1)));
        assert!(!open.settle(&owner(1), &Uuid::from_u128(1)));
        assert!(!open.settle(&owner(2), &Uuid::from_u128(2)));
        assert!(open.settle(&owner(2), &Uuid::from_u128(9_999)));
        assert_eq!(open.0.values().map(BTreeSet::len).sum::<usize>(), MOST - 1);
    }

    #[test]
    fn owners_are_bounded() {
        let mut open = Open::default();
        for id in 0..2 * MOST_OWNERS {
            open.insert(&owner(id), Uuid::from_u128(id as u128));
        }
        assert_eq!(open.0.len(), MOST_OWNERS);
        let last = 2 * MOST_OWNERS - 1;
        assert!(open.settle(&owner(last), &Uuid::from_u128(last as u128)));
    }
}
