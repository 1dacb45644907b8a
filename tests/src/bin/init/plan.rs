//! What the VM is to do, as the host wrote it.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// Paths of kernel modules, those that others need first.
    pub modules: Vec<String>,
    pub programs: Vec<Program>,
}

#[derive(Serialize, Deserialize)]
pub struct Program {
    pub name: String,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Seconds after which it is killed, with everything it started.
    pub deadline: u64,
}

impl Plan {
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
