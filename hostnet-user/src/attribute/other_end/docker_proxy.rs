//! Whom a docker-proxy stands for: the container behind a published port, by the
//! addresses on the proxy's command line and those that the runtime tells.

use std::{net::IpAddr, sync::Arc};

use super::listeners::{Listener, is_datagram};
use crate::{
    attribute::Attribution,
    event::{Owner, OwnerKind, Process, who::process::last_part},
};

impl Attribution {
    /// The container behind a published port. docker-proxy listens itself, or
    /// dockerd does and hands the socket to it (since Docker 28).
    pub(super) fn behind_proxy(
        &mut self,
        listener: &Listener,
    ) -> Option<(Arc<Process>, Arc<Owner>)> {
        if let Some(known) = self.ends.proxied.get(&listener.cookie) {
            return Some(known.clone());
        }
        let process = listener.party.process.as_ref()?;
        // Anybody may run a program of that name.
        if listener.party.owner.kind != OwnerKind::Host || listener.user != Some(ROOT) {
            return None;
        }
        let proxy = match process.name.as_slice() {
            DOCKER_PROXY => Arc::clone(process),
            b"dockerd" => {
                let serves = |one: &Process| one.parent == process.pid && is_proxy(one, listener);
                self.processes.youngest(serves)?
            }
            _ => return None,
        };
        if !is_proxy(&proxy, listener) {
            return None;
        }
        let address = argument(&proxy, b"-container-ip")?.parse().ok()?;
        let id = self.registry.containers.container_at(address)?.to_owned();
        let found = (proxy, self.registry.owner_of_container(&id, &self.tree)?);
        self.ends.proxied.insert(listener.cookie, found.clone());
        Some(found)
    }
}

const ROOT: u32 = 0;
const DOCKER_PROXY: &[u8] = b"docker-proxy";

/// Whether this is the docker-proxy of where `listener` listens.
fn is_proxy(process: &Process, listener: &Listener) -> bool {
    let protocol = if is_datagram(listener.protocol) { "udp" } else { "tcp" };
    last_part(&process.executable.path) == DOCKER_PROXY
        && argument(process, b"-proto") == Some(protocol)
        && argument(process, b"-host-port").and_then(|port| port.parse().ok())
            == Some(listener.local.port())
        && argument(process, b"-host-ip").and_then(|ip| ip.parse::<IpAddr>().ok())
            == Some(listener.local.ip().to_canonical())
}

/// The word after `name` on a process's command line.
fn argument<'a>(process: &'a Process, name: &[u8]) -> Option<&'a str> {
    let mut words = process.arguments.iter();
    words.find(|word| word.as_slice() == name)?;
    std::str::from_utf8(words.next()?).ok()
}
