//! What an expectation can excuse: who may use the host's network may do there what
//! its entry says, and without a list what is usual.

use crate::{
    event::family,
    judge::{Scene, Target},
};

/// How an act is excused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// Never: no reason is one.
    Never,
    /// By an expectation whose `reach` has it, or that has no `reach`.
    Reach,
    /// By an expectation whose `reach` has it.
    ReachListed,
    /// By an expectation whose `bind` has it, or that has no `bind`.
    Bind,
    /// By an expectation whose `bind` has it.
    BindListed,
}

impl Excuse {
    /// In words, for documentation.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Reach => "by any expectation without `reach`, or whose `reach` has it",
            Self::ReachListed => "by an expectation whose `reach` has it",
            Self::BindListed => "by an expectation whose `bind` has it",
            Self::Bind => "by any expectation without `bind`, or whose `bind` has it",
        }
    }

    /// Whether the scene's act is excused so.
    #[must_use]
    pub fn holds(self, scene: &Scene<'_>) -> bool {
        let Some(expectation) = scene.standing.and_then(|standing| standing.expected()) else {
            return false;
        };
        match self {
            Self::Never => false,
            Self::ReachListed if expectation.reach.is_none() => false,
            Self::BindListed if expectation.bind.is_none() => false,
            Self::Reach | Self::ReachListed => scene.event.surface.is_some_and(|surface| {
                let address = match scene.reach.map(|reach| reach.to) {
                    Some(Target::Ip(address)) => Some(address),
                    _ => None,
                };
                let (ip, port) = (address.map(|to| to.ip()), address.map(|to| to.port()));
                expectation.permits_reach(surface.name(), ip, port)
            }),
            Self::Bind | Self::BindListed => scene.offer.is_some_and(|offer| {
                let protocol = family::protocol(libc::AF_INET as u16, offer.transport);
                expectation.permits_bind(protocol.unwrap_or_default(), offer.local.port())
            }),
        }
    }
}
