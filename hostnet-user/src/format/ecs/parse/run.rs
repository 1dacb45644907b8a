//! Where a document was written: on which host, by which run.

use serde::Deserialize;
use uuid::Uuid;

use crate::format::ecs::Identity;

/// `agent`.
#[derive(Default, Deserialize)]
pub struct Run {
    ephemeral_id: Option<Uuid>,
}

/// `host`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Host {
    hostname: String,
    id: String,
    boot: Boot,
    architecture: String,
    os: Os,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Boot {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Os {
    kernel: String,
    name: String,
    version: String,
}

pub fn identity(run: Run, host: Host) -> Identity {
    Identity {
        host_name: host.hostname,
        host_id: host.id,
        boot_id: host.boot.id,
        kernel: host.os.kernel,
        architecture: host.architecture,
        os: (host.os.name, host.os.version),
        network_namespace: 0,
        run: run.ephemeral_id.unwrap_or_default(),
    }
}
