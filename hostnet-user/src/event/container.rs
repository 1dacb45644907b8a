//! Containers entering and leaving the host's network namespace, and names
//! that came late.

use std::fmt;

use super::{Action, Told};

/// A container was first seen acting in the host's network namespace.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// The network mode the runtime declares; `None` when it is not known.
    pub declared: Option<String>,
}

impl Told for Joined {
    fn operation(&self) -> &'static str {
        "join"
    }
    fn action(&self) -> Action {
        Action::ContainerJoinedHostNetwork
    }
    fn types(&self) -> &'static [&'static str] {
        &["start"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uses the host's network")?;
        declared(f, self.declared.as_deref())
    }
}

fn declared(f: &mut fmt::Formatter<'_>, mode: Option<&str>) -> fmt::Result {
    match mode {
        Some("host") => Ok(()),
        Some(mode) if !mode.is_empty() => write!(f, ", though its network mode is {mode}"),
        _ => write!(f, "; its network mode is not known yet"),
    }
}

/// A container was in the host's network namespace when the agent started, whether or
/// not it does anything there.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// The network mode the runtime declares; `None` when it is not known.
    pub declared: Option<String>,
    /// It is the container that the agent itself runs in.
    pub is_agent: bool,
}

impl Told for Present {
    fn operation(&self) -> &'static str {
        "present"
    }
    fn action(&self) -> Action {
        Action::ContainerInHostNetwork
    }
    fn types(&self) -> &'static [&'static str] {
        &["info"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "already used the host's network when hostnet started")?;
        if self.is_agent {
            return write!(f, "; hostnet itself runs in it");
        }
        declared(f, self.declared.as_deref())
    }
}

/// A container that was in the host's network namespace is gone.
#[derive(Clone, Copy, Debug)]
pub struct Left;

impl Told for Left {
    fn operation(&self) -> &'static str {
        "leave"
    }
    fn action(&self) -> Action {
        Action::ContainerLeftHostNetwork
    }
    fn types(&self) -> &'static [&'static str] {
        &["end"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no longer uses the host's network")
    }
}

/// The runtime named a container, or described it, after events of it had been
/// told without.
#[derive(Clone, Copy, Debug)]
pub struct Identified {
    /// How many events were told with less of it than this one.
    pub events: u64,
}

impl Told for Identified {
    fn operation(&self) -> &'static str {
        "identify"
    }
    fn action(&self) -> Action {
        Action::ContainerIdentified
    }
    fn types(&self) -> &'static [&'static str] {
        &["info"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is now known by name; {} earlier events show only its id", self.events)
    }
}
