//! Records that a table of the agent has no room for. Each owner has a share of a table
//! (`shares.rs`): what one has beyond it is lost, and reported as its own loss.

use std::{collections::BTreeMap, sync::Arc};

use hostnet_abi::EventKind;

use crate::event::{LossCount, Owner, shares::share_name};

/// Where these are lost.
pub const PLACE: &str = "agent-table";

/// How long they are counted before they are reported.
const COUNT_NS: u64 = 1_000_000_000;

/// Counts by owner and kind of record.
#[derive(Debug, Default)]
pub struct Unkept {
    since_ns: u64,
    by: BTreeMap<(String, &'static str), (Arc<Owner>, u64)>,
}

impl Unkept {
    /// What a record of this kind says of `owner` at `at` goes unreported.
    pub fn count(&mut self, at: u64, owner: &Arc<Owner>, kind: EventKind) {
        if self.by.is_empty() {
            self.since_ns = at;
        }
        let of_owner = self.by.entry((share_name(owner).to_owned(), kind.name()));
        of_owner.or_insert_with(|| (Arc::clone(owner), 0)).1 += 1;
    }

    /// What was counted and since when, at most once a second.
    pub fn take(&mut self, boot_ns: u64) -> Option<(u64, Vec<LossCount>)> {
        if self.by.is_empty() || boot_ns.saturating_sub(self.since_ns) < COUNT_NS {
            return None;
        }
        let loss =
            |((_, operation), (owner, count)): ((String, &'static str), (Arc<Owner>, u64))| {
                LossCount { owner: Some(owner), operation: operation.to_owned(), count, new: 0 }
            };
        let counts = std::mem::take(&mut self.by).into_iter().map(loss).collect();
        Some((self.since_ns, counts))
    }
}
