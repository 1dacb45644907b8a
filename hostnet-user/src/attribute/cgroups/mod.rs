//! The cgroup hierarchy, and what the names in it claim: a tree by id, and text.
//!
//! It must not know processes, containers or a runtime's word: whether a claim is true
//! is found out in `owners/`.

pub mod claim;
pub(super) mod claims;
mod machine;
pub mod path;
mod tree;

pub(super) use tree::CgroupTree;
