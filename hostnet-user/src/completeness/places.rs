//! Which places of a run are taken, and by what: two bytes for each.
//!
//! The two bytes are a part of the event's id, so that an event that comes twice is
//! told from two events in one place but once in 65 535 times. Pages all of whose
//! places are taken lose them when memory gets short, the oldest first.

use std::collections::{BTreeMap, VecDeque};

/// Places in a page.
const PAGE: u64 = 1024;

/// Most pages held with their fingerprints: 64 MiB.
const MOST_PAGES: usize = 1 << 15;

/// Places that are missing, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    pub first: u64,
    pub last: u64,
}

/// How many pages all runs together hold.
#[derive(Debug, Default)]
pub struct Room {
    pages: usize,
}

/// The places of one run.
#[derive(Debug, Default)]
pub struct Places {
    pages: BTreeMap<u64, Page>,
    /// Pages that may be given up, in the order in which they were completed.
    complete: VecDeque<u64>,
    last: u64,
}

#[derive(Debug)]
enum Page {
    Some {
        fingerprints: Box<[u16; PAGE as usize]>,
        taken: u16,
    },
    /// All are taken; by what is not known any more.
    Complete,
}

/// What was in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// Nothing.
    Free,
    /// The same event, as far as is known.
    Same,
    /// Another event.
    Other,
    /// Not known: so many places are missing that not all can be held.
    NoRoom,
}

impl Places {
    /// Takes a place, counted from 1.
    pub fn take(&mut self, sequence: u64, id: &str, room: &mut Room) -> Was {
        let fingerprint = fingerprint(id);
        let (number, offset) = ((sequence - 1) / PAGE, (sequence - 1) % PAGE);
        if !self.pages.contains_key(&number) {
            if room.pages >= MOST_PAGES && !self.give_up_one(room) {
                return Was::NoRoom;
            }
            room.pages += 1;
            let fingerprints = Box::new([0; PAGE as usize]);
            self.pages.insert(number, Page::Some { fingerprints, taken: 0 });
        }
        self.last = self.last.max(sequence);
        let Some(Page::Some { fingerprints, taken }) = self.pages.get_mut(&number) else {
            return Was::Same;
        };
        let place = &mut fingerprints[offset as usize];
        match *place {
            0 => {
                *place = fingerprint;
                *taken += 1;
                if u64::from(*taken) == PAGE {
                    self.complete.push_back(number);
                }
                Was::Free
            }
            known if known == fingerprint => Was::Same,
            _ => Was::Other,
        }
    }

    fn give_up_one(&mut self, room: &mut Room) -> bool {
        let Some(number) = self.complete.pop_front() else { return false };
        self.pages.insert(number, Page::Complete);
        room.pages -= 1;
        true
    }

    /// The last place that is taken.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// What is missing from the first place to `last`, at most `most` holes of it,
    /// and how many places are missing in all.
    pub fn holes(&self, last: u64, most: usize) -> (Vec<Hole>, u64) {
        let mut holes = Holes { found: Vec::new(), most, missing: 0, open: None };
        let mut next = 1;
        for (number, page) in &self.pages {
            let start = number * PAGE + 1;
            holes.missing(next, start.min(last + 1));
            next = start + PAGE;
            match page {
                Page::Complete => holes.close(),
                Page::Some { fingerprints, .. } => {
                    for (sequence, fingerprint) in (start..).zip(fingerprints.iter()) {
                        if *fingerprint != 0 {
                            holes.close();
                        } else if sequence <= last {
                            holes.missing(sequence, sequence + 1);
                        }
                    }
                }
            }
        }
        holes.missing(next, last + 1);
        holes.close();
        (holes.found, holes.missing)
    }
}

/// Holes as they are come upon, from the first place on.
struct Holes {
    found: Vec<Hole>,
    most: usize,
    missing: u64,
    open: Option<Hole>,
}

impl Holes {
    /// From `first` until before `end`.
    fn missing(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
        self.missing += end - first;
        match &mut self.open {
            Some(hole) => hole.last = end - 1,
            None => self.open = Some(Hole { first, last: end - 1 }),
        }
    }

    fn close(&mut self) {
        if let Some(hole) = self.open.take()
            && self.found.len() < self.most
        {
            self.found.push(hole);
        }
    }
}

/// FNV-1a, folded; never 0, which is a free place.
fn fingerprint(id: &str) -> u16 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let folded = hash ^ (hash >> 32);
    ((folded ^ (folded >> 16)) as u16).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_complete_page_that_is_given_up_is_still_complete() {
        let mut room = Room { pages: MOST_PAGES - 1 };
        let mut places = Places::default();
        for sequence in 1..=PAGE {
            assert_eq!(places.take(sequence, "a", &mut room), Was::Free);
        }
        assert_eq!(places.take(PAGE + 1, "a", &mut room), Was::Free);
        assert_eq!(places.take(1, "b", &mut room), Was::Same, "who was there is not known now");
        assert_eq!(places.holes(PAGE + 1, 9), (vec![], 0));
        assert_eq!(places.take(9 * PAGE, "a", &mut room), Was::NoRoom);
    }

    #[test]
    fn the_same_event_again_and_another() {
        let (mut room, mut places) = (Room::default(), Places::default());
        assert_eq!(places.take(7, "a", &mut room), Was::Free);
        assert_eq!(places.take(7, "a", &mut room), Was::Same);
        assert_eq!(places.take(7, "b", &mut room), Was::Other);
        let far = i64::MAX as u64;
        assert_eq!(places.take(far, "b", &mut room), Was::Free);
        assert_eq!(places.last(), far);
        assert_eq!(places.holes(far, 1), (vec![Hole { first: 1, last: 6 }], far - 2));
    }

    proptest! {
        /// Against every place asked by itself.
        #[test]
        fn holes_are_what_is_not_taken(
            taken in prop::collection::btree_set(1_u64..5000, 0..60),
            blocks in prop::collection::vec(0_u64..5, 0..4),
            more in 0_u64..3000,
        ) {
            let (mut room, mut places) = (Room::default(), Places::default());
            let mut all = taken;
            all.extend(blocks.into_iter().flat_map(|block| block * PAGE + 1..=(block + 1) * PAGE));
            for sequence in all.iter().rev() {
                places.take(*sequence, "a", &mut room);
            }
            let last = places.last() + more;
            let (holes, missing) = places.holes(last, usize::MAX);
            let found: Vec<u64> =
                holes.iter().flat_map(|hole| hole.first..=hole.last).collect();
            let wanted: Vec<u64> = (1..=last).filter(|place| !all.contains(place)).collect();
            prop_assert_eq!(missing, wanted.len() as u64);
            prop_assert_eq!(found, wanted);
            let adjoining = holes.windows(2).any(|two| two[0].last + 1 == two[1].first);
            prop_assert!(!adjoining, "{holes:?}");
        }
    }
}
