//! What an event is about: its data set.

/// ECS `event.dataset`, and `event.category` with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Sockets.
    Network,
    /// Changes to the host's network.
    Configuration,
    /// Processes.
    Process,
    /// Containers entering and leaving the host's network.
    State,
    /// Something that should not be.
    Finding,
    /// The agent itself.
    Health,
}

impl Category {
    /// ECS `event.dataset`.
    #[must_use]
    pub const fn dataset(self) -> &'static str {
        match self {
            Self::Network | Self::Configuration => DATASETS[0],
            Self::Process => DATASETS[1],
            Self::State => DATASETS[2],
            Self::Finding => DATASETS[3],
            Self::Health => DATASETS[4],
        }
    }
}

/// A data set by its name, as a kept row has it.
#[must_use]
pub fn dataset_named(name: &str) -> &'static str {
    // A newer hostnet may have written one that this one does not know.
    DATASETS.into_iter().find(|dataset| *dataset == name).unwrap_or("hostnet.other")
}

/// Every data set.
pub const DATASETS: [&str; 5] =
    ["hostnet.network", "hostnet.process", "hostnet.state", "hostnet.finding", "hostnet.health"];
