//! Everything that talks to the kernel's BPF: the only code that imports aya.
//!
//! It loads and attaches the programs, proves that each fires, and hands raw
//! records on. It knows nothing of containers, of what a record means, or of
//! where events go.

mod alive;
mod attach;
mod btf;
mod budget;
mod canary;
mod canary_beyond_ip;
mod canary_multicast;
mod cgroup_root;
mod complaint;
mod coverage;
mod diagnostics;
mod due;
mod host;
mod load;
mod loader;
mod losses;
mod maps;
pub(crate) mod memory;
mod meter;
mod pins;
mod release;
mod ring;
mod rings;
mod room;
mod running;
mod told;

pub use attach::BeyondIp;
pub use btf::{Btf, BtfError, path as btf_path};
pub use budget::{Budget, Suppressed};
pub use canary::{WAIT_ARGUMENT, prove};
pub use cgroup_root::CgroupRoot;
pub use coverage::{Coverage, Row, State};
pub use due::Progress;
pub use host::{Host, boot_clock, both_clocks, in_network_namespace};
pub use load::{Adopted, CannotObserve, LoadOptions, Programs, attach_each, load};
pub use losses::{Losses, Lost};
pub use maps::Maps;
pub use meter::{MapNumbers, Meter, ProgramNumbers};
pub use pins::{pinned, uninstall};
pub use release::{release, running_release};
pub use ring::RingNumbers;
pub use rings::Rings;
pub use told::Told;
