//! Whom a docker-proxy stands for: the container behind a published port, by the
//! addresses on the proxy's command line and those that the runtime tells.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use super::listeners::{Listener, is_datagram};
use crate::{
    attribute::owners::OwnerResolver,
    event::{Owner, OwnerKind, Process, who::process::last_part},
};

/// Proxies that listen, by cookie, and whom they stand for.
#[derive(Debug, Default)]
pub struct Proxies(HashMap<u64, (Arc<Process>, Arc<Owner>)>);

impl Proxies {
    /// The container behind a published port. docker-proxy listens itself, or
    /// dockerd does and hands the socket to it (since Docker 28).
    pub fn behind(
        &mut self,
        owners: &mut OwnerResolver,
        listener: &Listener,
    ) -> Option<(Arc<Process>, Arc<Owner>)> {
        if let Some(known) = self.0.get(&listener.cookie) {
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
                owners.youngest_process(serves)?
            }
            _ => return None,
        };
        if !is_proxy(&proxy, listener) {
            return None;
        }
        let address = argument(&proxy, b"-container-ip")?.parse().ok()?;
        let found = (proxy, owners.running_at(address)?);
        self.0.insert(listener.cookie, found.clone());
        Some(found)
    }

    /// A socket listens no more.
    pub fn ended(&mut self, cookie: u64) {
        self.0.remove(&cookie);
    }

    /// Nothing of it is certain any more.
    pub fn forget(&mut self) {
        self.0.clear();
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
