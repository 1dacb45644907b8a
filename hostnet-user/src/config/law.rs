//! What other parts are given of the configuration as a whole.

use super::Config;
use crate::{
    event::loopback::Destination,
    judge::Law,
    sink,
    sources::docker::{self, LabelLimits},
};

impl Config {
    /// What findings are made by.
    #[must_use]
    pub fn law(&self) -> Law {
        Law {
            settings: self.judge.clone(),
            expect: self.expect.clone(),
            expectations: self.expectations.clone(),
            destinations: self.destinations(),
        }
    }

    /// Where hostnet itself connects to on the loopback without TLS.
    #[must_use]
    pub fn destinations(&self) -> Vec<Destination> {
        let sinks = self.sink.iter().filter_map(sink::Settings::on_loopback);
        sinks.chain(docker::on_loopback(self.docker.host.as_deref())).collect()
    }

    /// What is told of containers' labels.
    #[must_use]
    pub fn label_limits(&self) -> LabelLimits {
        let wanted = self.expect.iter().filter_map(|entry| entry.label.as_ref());
        LabelLimits {
            most: self.labels.max,
            bytes: self.labels.max_bytes,
            first: wanted.map(|label| label.key().to_owned()).collect(),
        }
    }
}
