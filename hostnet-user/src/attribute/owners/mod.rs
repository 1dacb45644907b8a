//! Whose a cgroup, a process or a socket is.
//!
//! Tables hold what runtimes say of containers and which processes their cgroup does not
//! tell of; `whose.rs` answers from all of them. A wrong owner is worse than none. It must
//! not know what is done with a socket, nor who is at its other end.

mod cache;
mod cgroup_life;
mod containers;
mod registry;
pub(super) mod strays;
mod v1_claims;
mod whose;

pub(super) use registry::ContainerRegistry;
pub use strays::Apart;
pub(super) use strays::Strays;
pub(super) use v1_claims::V1Claims;
