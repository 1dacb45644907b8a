//! Records that a table of the agent has no room for. Each owner has a share of a table
//! (`shares.rs`): what one has beyond it is lost, and reported as its own loss.

use std::{collections::BTreeMap, sync::Arc};

use hostnet_abi::EventKind;

use super::Attribution;
use crate::event::{Health, LossCount, Owner, shares::share_name, total};

/// Where these are lost.
pub const PLACE: &str = "agent-table";

/// How long they are counted before they are reported.
const COUNT_NS: u64 = 1_000_000_000;

/// Counts by owner and kind of record.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    since_ns: u64,
    by: BTreeMap<(String, &'static str), (Arc<Owner>, u64)>,
}

impl Attribution {
    /// What a record of this kind says of `owner` at `at` goes unreported, because a table
    /// has no room for what came before it.
    pub(super) fn not_kept(&mut self, at: u64, owner: &Arc<Owner>, kind: EventKind) {
        let Unkept { since_ns, by } = &mut self.unkept;
        if by.is_empty() {
            *since_ns = at;
        }
        let of_owner = by.entry((share_name(owner).to_owned(), kind.name()));
        of_owner.or_insert_with(|| (Arc::clone(owner), 0)).1 += 1;
    }

    /// Reports what was counted, at most once a second, and returns how many records
    /// that were.
    pub fn report_unkept(&mut self, boot_ns: u64) -> u64 {
        let from_ns = self.unkept.since_ns;
        if self.unkept.by.is_empty() || boot_ns.saturating_sub(from_ns) < COUNT_NS {
            return 0;
        }
        let by = std::mem::take(&mut self.unkept.by).into_iter().map(
            |((_, operation), (owner, count))| LossCount {
                owner: Some(self.registry.renewed(&owner, &self.tree)),
                operation: operation.to_owned(),
                count,
                new: 0,
            },
        );
        let by: Vec<LossCount> = by.collect();
        let count = total(by.iter().map(|loss| loss.count));
        let to_ns = self.now_ns.max(from_ns);
        self.health(to_ns, Health::Lost { place: PLACE.to_owned(), from_ns, to_ns, by });
        count
    }
}
