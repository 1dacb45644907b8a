//! A runtime for one sink whose client is asynchronous: what it does is bounded in
//! time, and its end waits for nobody.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// A runtime of a sink's own.
pub struct Background(Option<Runtime>);

impl Background {
    /// One that runs while the sink delivers.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn while_delivering() -> Result<Self> {
        Self::of(Builder::new_current_thread())
    }

    /// One of this kind.
    ///
    /// # Errors
    /// When the system has no more descriptors or threads.
    pub fn of(mut builder: Builder) -> Result<Self> {
        let runtime = builder.enable_all().build().context("cannot make a runtime for a sink")?;
        Ok(Self(Some(runtime)))
    }

    /// Runs it to its end; `None` when it takes longer.
    pub fn within<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        // It is there until it is dropped.
        let runtime = self.0.as_ref()?;
        runtime.block_on(async { tokio::time::timeout(time, future).await.ok() })
    }
}

/// The system's resolver may be at work still, and cannot be stopped.
impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
