//! A cgroup bears the name of a container that is elsewhere.

use std::{fmt, sync::Arc};

use super::{Action, Told};
use super::{Cgroup, Owner};

/// The event's owner made the cgroup, as far as that is known; else it has it.
#[derive(Clone, Debug)]
pub struct NameSpoof {
    /// The cgroup.
    pub cgroup: Cgroup,
    /// The container id in its name.
    pub claimed: String,
    /// The container whose id that is.
    pub victim: Option<Arc<Owner>>,
}

impl Told for NameSpoof {
    fn operation(&self) -> &'static str {
        Action::NameSpoof.name()
    }
    fn action(&self) -> Action {
        Action::NameSpoof
    }
    fn types(&self) -> &'static [&'static str] {
        &["change"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let victim = self.victim.as_ref().map_or(&*self.claimed, |victim| victim.label());
        write!(
            f,
            "has cgroup {}, named like container {victim}, which runs in another cgroup",
            self.cgroup.path
        )
    }
}
