//! What a sink is configured to be sent.

use crate::format::Format;

/// What a sink is configured to be sent.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// Its name: its cursor is kept under it.
    pub name: String,
    /// The form of its messages.
    pub format: Format,
    /// Only these data sets; all when empty.
    pub datasets: Vec<String>,
    /// Only these actions; all when empty.
    pub actions: Vec<String>,
    /// Most bytes of documents that may wait.
    pub cap: u64,
}

impl Outbox {
    /// Whether the sink is to get rows of this data set and action.
    #[must_use]
    pub fn wants(&self, dataset: &str, action: &str) -> bool {
        let passes = |wanted: &[String], value: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
        };
        passes(&self.datasets, dataset) && passes(&self.actions, action)
    }
}
