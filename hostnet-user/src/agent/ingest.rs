//! One record on its way from the ring to the stages, after the counts of the flows that
//! it closes: all is written down with it. What else it lacks was looked up before.

use anyhow::Result;
use hostnet_abi::{Flow, FlowKey};

use super::lookups::Taken;
use crate::{
    engine::{
        capture::Recorder,
        input::{self, InputRef},
        stages::Stages,
    },
    kernel::Maps,
};

/// Where the inputs come from and go to.
pub struct Feed<'a> {
    /// The stages.
    pub stages: &'a mut Stages,
    /// The kernel's maps.
    pub maps: &'a mut Maps,
    /// Where inputs are written down.
    pub recorder: &'a mut Option<Recorder>,
}

impl Feed<'_> {
    /// Takes one record: first the counts of the flows it closes. Each of those was told
    /// by a record of its own, so that closing costs no more than they did.
    ///
    /// # Errors
    /// When the recording or an output cannot be written.
    pub fn record(&mut self, Taken { bytes, decoded }: Taken<'_>) -> Result<()> {
        let flows = decoded.as_ref().map(|of| self.stages.attribution.flows_of(of));
        let flows = flows.unwrap_or_default();
        if !flows.is_empty() {
            let counts: Vec<(FlowKey, Flow)> = flows
                .into_iter()
                .filter_map(|key| Some((key, self.maps.take_flow(key)?)))
                .collect();
            write_down(self.recorder, InputRef::Flows(&counts))?;
            self.stages.flows(&counts);
        }
        write_down(self.recorder, InputRef::Record(bytes))?;
        self.stages.record(decoded)
    }
}

/// Writes an input down where that is wanted.
///
/// # Errors
/// When the recording cannot be written.
pub fn write_down(recorder: &mut Option<Recorder>, input: InputRef<'_>) -> Result<()> {
    match recorder {
        Some(recorder) => input::record(recorder, input),
        None => Ok(()),
    }
}
