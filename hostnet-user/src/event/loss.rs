//! Records that were lost, counted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Owner;

/// Records of one owner and kind that were lost.
#[derive(Clone, Debug)]
pub struct LossCount {
    /// Whose; `None` when even that was lost.
    pub owner: Option<Arc<Owner>>,
    /// Kind of record, or name of the program that was not run.
    pub operation: String,
    /// How many.
    pub count: u64,
    /// Those of them that were no repeats, of what was beyond its owner's budget.
    pub new: u64,
}

/// The same while only the owner's cgroup is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lost {
    /// Cgroup of the owner; `None` when even that was lost.
    pub cgroup: Option<u64>,
    /// Kind of record, or name of the program that was not run.
    pub operation: String,
    /// How many.
    pub count: u64,
    /// As in [`LossCount`].
    #[serde(default)]
    pub new: u64,
}

/// All of them, as far as one number can say it.
pub fn total(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}
