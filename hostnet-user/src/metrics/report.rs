//! What the pipeline reports of itself from time to time, and when a heartbeat is due.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Metrics, PipelineNumbers};
use crate::{ask::desk::LookupNumbers, engine::stages::Stages, event::Health, kernel::Programs};

/// Where the numbers go.
pub struct Report {
    metrics: Arc<Metrics>,
    heartbeat_every: Option<Duration>,
    heartbeat: Instant,
}

impl Report {
    /// Reports to `metrics`, and asks for a heartbeat so often, if ever.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, heartbeat_every: Option<Duration>) -> Self {
        Self { metrics, heartbeat_every, heartbeat: Instant::now() }
    }

    /// Reports the numbers of this moment; the heartbeat, when it is due.
    pub fn numbers(
        &mut self,
        programs: &Programs,
        stages: &Stages,
        lookups: BTreeMap<&'static str, LookupNumbers>,
    ) -> Option<Health> {
        self.metrics.put_pipeline(PipelineNumbers {
            told: stages.told(),
            events: stages.summary.operations.clone(),
            lost: stages.summary.lost_by_place.clone(),
            lost_total: stages.summary.lost,
            rings: programs.rings.numbers(),
            tables: stages.attribution.tables(),
            lookups,
            sinks: stages.sinks(),
            history: stages.history(),
        });
        let every = self.heartbeat_every?;
        if self.heartbeat.elapsed() < every {
            return None;
        }
        self.heartbeat = Instant::now();
        Some(Health::Heartbeat { numbers: self.metrics.heartbeat() })
    }
}
