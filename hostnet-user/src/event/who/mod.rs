//! Whoever an event is about: owners, containers and processes as they are told,
//! plain data. It must not know how they became known.

mod container;
mod owner;
pub mod process;
mod selector;
mod subject;
mod unit;
mod users;

pub use container::Container;
pub use owner::{Cgroup, Confidence, ContainerName, Method, Owner, OwnerKind, short_id};
pub use process::{Ancestor, ExecutedFile, Location, Process};
pub use selector::{NotSelected, select};
pub use subject::{process_name, subject};
pub use unit::unit;
pub use users::{NameSource, UserNames};
