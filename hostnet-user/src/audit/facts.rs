//! What is the case on this host, as it was found and before anything is thought of
//! it: plain data.

use std::{net::SocketAddr, sync::Arc};

use super::{mounts::Exposed, privileges::Privileges};
use crate::{
    attribute::Found,
    event::{Owner, Process},
    format::ecs::Identity,
    sources::docker::Census,
};

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Facts {
    /// When, nanoseconds since 1970.
    pub wall_ns: u64,
    /// Which host.
    pub identity: Identity,
    /// What each runtime says.
    pub runtimes: Vec<Census>,
    /// A runtime that is there did not answer: its containers may be known by ids alone.
    pub silent_runtime: bool,
    /// Processes in the host's network namespace that are not the host's.
    pub present: Vec<Present>,
    /// Sockets in the host's network namespace, the host's own included.
    pub sockets: Vec<Held>,
    /// The lowest and the highest port that the host's kernel chooses.
    pub chosen_ports: (u16, u16),
    /// What could not be found out, as sentences.
    pub gaps: Vec<String>,
}

/// A process in the host's network namespace.
#[derive(Clone, Debug)]
pub struct Present {
    /// The process.
    pub process: Arc<Process>,
    /// Whose it is.
    pub owner: Arc<Owner>,
    /// Inode of its mount namespace.
    pub mount_namespace: u32,
    /// What it may do.
    pub privileges: Privileges,
    /// What it has of the host's files.
    pub exposed: Vec<Exposed>,
}

/// A socket and who has it.
#[derive(Clone, Debug)]
pub struct Held {
    /// The socket.
    pub found: Found,
    /// Whose it is.
    pub owner: Arc<Owner>,
    /// The process that holds it.
    pub process: Option<Arc<Process>>,
}

impl Held {
    /// Its local end, as people know it.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.found.local.map(crate::event::canonical)
    }
}
