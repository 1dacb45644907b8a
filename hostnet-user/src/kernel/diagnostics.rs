//! The programs' own log (aya-log), off unless asked for.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;

/// Reads what the programs log and passes it to the agent's own log.
pub struct Diagnostics(EbpfLogger<&'static dyn log::Log>);

impl Diagnostics {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self> {
        EbpfLogger::init(ebpf).map(Self).context("cannot read the programs' log")
    }

    /// Passes on what has been logged since the last call.
    pub fn flush(&mut self) {
        self.0.flush();
    }
}
