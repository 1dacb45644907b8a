//! How much of a bounded table each owner has, so that none fills it for the others.
//!
//! An owner may have as many entries as are left free. One that takes all it can get
//! has half of the table, two have a third each, and so on: an owner with few entries always
//! finds room, and no entry has to be found that makes room for another.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::Arc};

use serde::Serialize;

use crate::event::{Owner, OwnerKind};

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fill {
    /// Entries in it.
    pub entries: u64,
    /// Entries it has room for.
    pub capacity: u64,
}

impl Fill {
    /// Of a table in memory.
    #[must_use]
    pub const fn of(entries: usize, capacity: usize) -> Self {
        Self { entries: entries as u64, capacity: capacity as u64 }
    }
}

/// The name that an owner's entries are counted by: a container with all its cgroups is
/// one owner, and so is the host. No id of a container has a `/`.
#[must_use]
pub fn share_name(owner: &Owner) -> &str {
    match (&owner.container_id, owner.kind) {
        (Some(id), _) => id,
        (None, OwnerKind::Host) => "/host",
        (None, OwnerKind::Container | OwnerKind::ContainerUnknown) => "/container-unknown",
        (None, OwnerKind::Unknown) => "/unknown",
    }
}

/// How many entries each owner may keep, so that of these counts no more than `room` are
/// left: who has fewer keeps all of them.
#[must_use]
pub fn level(mut counts: Vec<usize>, room: usize) -> usize {
    counts.sort_unstable();
    let (mut room, mut owners) = (room, counts.len());
    for count in counts {
        let each = room / owners;
        if count > each {
            return each;
        }
        room -= count;
        owners -= 1;
    }
    usize::MAX
}

/// Entries by owner.
#[derive(Debug)]
pub struct Shares {
    capacity: usize,
    taken: usize,
    by_owner: HashMap<Arc<str>, Count>,
}

/// What one owner has.
#[derive(Debug, Default)]
struct Count {
    entries: usize,
    /// More of its entries were refused.
    refused: bool,
}

/// The place of one entry, to be given back when that is removed.
#[derive(Debug)]
#[must_use]
pub struct Share(Arc<str>);

impl Shares {
    /// Of a table with room for so many entries.
    #[must_use]
    pub fn of(capacity: usize) -> Self {
        Self { capacity, taken: 0, by_owner: HashMap::new() }
    }

    /// A place for one more entry of this owner, unless it has its share.
    pub fn take(&mut self, owner: &Owner) -> Option<Share> {
        let name = share_name(owner);
        let free = self.capacity.saturating_sub(self.taken);
        let share: Arc<str> = match self.by_owner.get_key_value(name) {
            Some((share, _)) => Arc::clone(share),
            None if free > 0 => Arc::from(name),
            None => return None,
        };
        let count = self.by_owner.entry(Arc::clone(&share)).or_default();
        if count.entries >= free {
            count.refused = true;
            return None;
        }
        count.entries += 1;
        self.taken += 1;
        Some(Share(share))
    }

    /// Whether an owner that has entries was refused more of them.
    #[must_use]
    pub fn has_refused(&self, owner: &Owner) -> bool {
        self.by_owner.get(share_name(owner)).is_some_and(|count| count.refused)
    }

    /// An entry is gone.
    pub fn give_back(&mut self, Share(name): Share) {
        let Some(count) = self.by_owner.get_mut(&name) else { return };
        self.taken -= 1;
        count.entries -= 1;
        if count.entries == 0 {
            self.by_owner.remove(&name);
        }
    }

    /// How full the table is.
    #[must_use]
    pub const fn fill(&self) -> Fill {
        Fill::of(self.taken, self.capacity)
    }
}

/// A map with room for so many entries, in which each owner has its share.
#[derive(Debug)]
pub struct SharedMap<K, V> {
    entries: HashMap<K, (V, Share)>,
    shares: Shares,
}

impl<K: Eq + Hash, V> SharedMap<K, V> {
    /// An empty one.
    #[must_use]
    pub fn of(capacity: usize) -> Self {
        Self { entries: HashMap::new(), shares: Shares::of(capacity) }
    }

    /// Puts `value` there, as this owner's, and returns what was there before. What is there
    /// stays in the share that it was counted in.
    ///
    /// # Errors
    /// The value, when the owner has its share.
    pub fn insert(&mut self, owner: &Owner, key: K, value: V) -> Result<Option<V>, V> {
        if let Some((there, _)) = self.entries.get_mut(&key) {
            return Ok(Some(std::mem::replace(there, value)));
        }
        let Some(share) = self.shares.take(owner) else { return Err(value) };
        self.entries.insert(key, (value, share));
        Ok(None)
    }

    /// What is there.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// The same, to be changed.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).map(|(value, _)| value)
    }

    /// Takes out what is there.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // Most look-ups of small tables find nothing.
        if self.entries.is_empty() {
            return None;
        }
        let (value, share) = self.entries.remove(key)?;
        self.shares.give_back(share);
        Some(value)
    }

    /// Takes out everything.
    pub fn clear(&mut self) {
        *self = Self::of(self.shares.capacity);
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|(value, _)| value)
    }

    /// Whether an owner that has entries was refused more of them.
    #[must_use]
    pub fn has_refused(&self, owner: &Owner) -> bool {
        self.shares.has_refused(owner)
    }

    /// How full it is.
    #[must_use]
    pub const fn fill(&self) -> Fill {
        self.shares.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, cgroup: u64) -> Owner {
        let (kind, container_id) = (OwnerKind::Container, Some(id.to_owned()));
        Owner { kind, container_id, ..Owner::unknown(cgroup, None) }
    }

    #[test]
    fn who_takes_all_it_can_get_leaves_as_much_as_it_has() {
        let mut map = SharedMap::of(120);
        // Child cgroups of a container are the container.
        let mut fill = |id: &str, from: u64| {
            let keys = from..from + 1_000;
            keys.filter(|key| map.insert(&container(id, *key), *key, ()).is_ok()).count()
        };
        assert_eq!(fill("a", 0), 60);
        assert_eq!(fill("b", 10_000), 30);
        assert_eq!(fill("c", 20_000), 15);
        assert_eq!(fill("a", 30_000), 0);
        assert_eq!(map.fill(), Fill { entries: 105, capacity: 120 });
        assert_eq!(map.insert(&container("a", 1), 1, ()), Ok(Some(())), "it is there already");
    }

    #[test]
    fn what_is_removed_makes_room_and_an_owner_without_entries_is_forgotten() {
        let mut map = SharedMap::of(8);
        let a = container("a", 1);
        for round in 0..100 {
            for key in 0..4 {
                assert_eq!(map.insert(&a, key, round), Ok(None));
            }
            assert_eq!(map.insert(&a, 4, round), Err(round));
            for key in 0..4 {
                assert_eq!(map.remove(&key), Some(round));
                assert_eq!(map.remove(&key), None);
            }
        }
        assert!(map.entries.is_empty() && map.shares.by_owner.is_empty());
        assert_eq!(map.fill(), Fill { entries: 0, capacity: 8 });
    }

    #[test]
    fn who_has_the_most_gives_way() {
        assert_eq!(level(vec![10, 2, 3], 10), 5);
        assert_eq!(level(vec![10, 10], 10), 5);
        assert_eq!(level(vec![1, 2, 3], 10), usize::MAX);
        assert_eq!(level(vec![9, 9, 9], 2), 0);
        assert_eq!(level(Vec::new(), 2), usize::MAX);
    }

    #[test]
    fn no_container_has_the_share_of_the_host_or_of_unknown_owners() {
        let unknown = Owner::unknown(1, None);
        let host = Owner { kind: OwnerKind::Host, ..unknown.clone() };
        let owners = [unknown, host, Owner::apart(1, None), container("host", 1)];
        let names: std::collections::BTreeSet<_> = owners.iter().map(share_name).collect();
        assert_eq!(names.len(), owners.len(), "{names:?}");
        assert_eq!(share_name(&container("a", 1)), share_name(&container("a", 2)));
    }
}
