//! The parts of the benchmark. What each measures is in `catalogue`.

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Added CPU time per operation.
    Cost,
    /// What arrives of a burst at full speed.
    Delivery,
    /// The rate that is kept up without loss.
    Sustained,
    /// What the agent itself needs: CPU, memory, time to start.
    Upkeep,
    /// Start, memory and lookups with very many containers and sockets.
    Scale,
    /// Owners of mixed events while containers come and go.
    Mixed,
    /// Names of containers that live a moment.
    Short,
    /// Floods from both cores, beside another container's acts.
    Flood,
    /// Listens without a bind of a host user, beside many sockets.
    ListenFlood,
    /// Agents killed while a container acts, the programs pinned.
    Restart,
    /// Rows per second, bytes and CPU of the history with one sink.
    Record,
    /// How long questions about a history take.
    Query,
    /// Kills of a process that keeps and delivers as fast as it can.
    Crash,
    /// A sink that is away, and one with a cap.
    Outage,
    /// How quickly each kind of sink gets what waited for it.
    Drain,
}

impl Part {
    /// All, in the order in which they run.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// What `--only` calls it.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
