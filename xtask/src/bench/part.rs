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
    /// Start, memory and lookups with 10 000 containers and 100 000 sockets.
    Scale,
    /// Owners of a million mixed events while containers come and go.
    Mixed,
    /// Names of 2 000 containers that live a moment.
    Short,
    /// Floods of a minute from both cores, beside another container's acts.
    Flood,
    /// Listens without a bind of a host user for a minute, beside up to 60 000 sockets.
    ListenFlood,
    /// Agents killed at 30 000 acts a second, the programs pinned.
    Restart,
    /// Rows per second, bytes and CPU of the history with one sink.
    Record,
    /// How long questions about a history of a million events take.
    Query,
    /// Kills of a process that keeps and delivers as fast as it can.
    Crash,
    /// A sink that is away for 3.6 million events, and one with a cap.
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

    /// Whether it is a load in a container of the benchmark's own.
    pub const fn is_load(self) -> bool {
        matches!(self, Self::Cost | Self::Delivery | Self::Sustained | Self::Upkeep)
    }
}
