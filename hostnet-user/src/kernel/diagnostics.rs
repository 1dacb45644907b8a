//! The programs' own log (aya-log), off unless asked for.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// Reads what the programs log and passes it to the agent's own log.
pub struct Diagnostics(EbpfLogger<Forward>);

impl Diagnostics {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self> {
        EbpfLogger::init_with_logger(ebpf, Forward)
            .map(Self)
            .context("cannot read the programs' log")
    }

    /// Passes on what has been logged since the last call.
    pub fn flush(&mut self) {
        self.0.flush();
    }
}

/// Takes aya-log's records only. The `log` crate is not connected as a whole:
/// libraries write to it what must not be shown, such as API answers.
struct Forward;

impl Log for Forward {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let program = record.target();
        tracing::info!(program, "{}", record.args());
    }

    fn flush(&self) {}
}
