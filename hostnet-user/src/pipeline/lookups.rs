//! What the stages ask for, looked up: in the kernel's maps, by sock_diag, of the runtime.

use anyhow::Result;

use super::Pipeline;
use crate::{attribute::Request, requests};

impl Pipeline {
    /// Asks for the ports of the listeners that wait for theirs, all at once.
    pub(super) fn listening_ports(&mut self) -> Result<()> {
        let attribution = &mut self.stages.attribution;
        if !attribution.awaits_ports() {
            return Ok(());
        }
        let ports = self.survey.listening_ports(|cookie| attribution.awaits_port(cookie));
        ports.map_or(Ok(()), |ports| self.world(ports))
    }

    /// Does what the attribution asks for.
    pub(super) fn serve_requests(&mut self) -> Result<()> {
        for request in self.stages.take_requests() {
            let outcome = match requests::serve(request, &mut self.programs.maps) {
                Ok(Some(Request::Inspect(id))) => {
                    (self.inspect)(id);
                    Ok(())
                }
                Ok(Some(Request::Listeners)) => {
                    if let Some(listeners) = self.survey.listeners(self.programs.root.path()) {
                        self.world(listeners)?;
                    }
                    Ok(())
                }
                outcome => outcome.map(drop),
            };
            if let Err(error) = outcome {
                tracing::warn!("{error:#}");
            }
        }
        Ok(())
    }
}
