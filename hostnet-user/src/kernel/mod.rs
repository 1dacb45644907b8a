//! Everything that talks to the kernel's BPF: the only code that imports aya.
//!
//! It loads and attaches the programs, proves that each fires, and hands raw
//! records on. It knows nothing of containers, of what a record means, or of
//! where events go.

mod attach;
mod btf;
mod canary;
mod canary_beyond_ip;
mod cgroup_root;
mod complaint;
mod coverage;
mod diagnostics;
mod host;
mod load;
mod losses;
mod meter;
mod recording;
mod release;
mod ring;

pub use attach::BeyondIp;
pub use btf::{Btf, BtfError, path as btf_path};
pub use canary::{WAIT_ARGUMENT, prove};
pub use cgroup_root::CgroupRoot;
pub use coverage::{Coverage, Row, State};
pub use host::{Host, boot_clock, in_network_namespace};
pub use load::{CannotObserve, LoadOptions, Maps, Programs, attach_each, load};
pub use losses::{Losses, Lost};
pub use meter::{MapNumbers, Meter, ProgramNumbers};
pub use recording::{Recorder, Recording};
pub use release::{release, running_release};
pub use ring::{Ring, RingNumbers};
