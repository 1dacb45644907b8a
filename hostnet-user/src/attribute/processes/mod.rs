//! Processes: which there are, what they run, whose children they are, where they go.
//!
//! The table is kept true by records of forks, programs and ends; who leaves a
//! container's cgroup becomes a stray of `owners/`. It must not know sockets.

mod life;
mod migration;
mod table;

pub(super) use migration::Older;
pub(super) use table::ProcessTable;
