//! ECS lines on standard output.

use std::io::{self, Write};

use anyhow::Result;

use super::Output;
use crate::{format::ecs::Encoder, record::Recorded};

/// Bytes held back before they are written in one go.
const BATCH: usize = 1 << 16;

/// One JSON document per line on any writer.
pub struct EcsStream<W> {
    encoder: Encoder,
    lines: Vec<u8>,
    to: W,
}

impl<W: Write> EcsStream<W> {
    /// Writes lines to `to`.
    pub fn new(encoder: Encoder, to: W) -> Self {
        Self { encoder, lines: Vec::with_capacity(BATCH * 2), to }
    }
}

impl<W: Write + Send> Output for EcsStream<W> {
    fn write(&mut self, record: &Recorded) -> Result<()> {
        self.encoder.encode(record, &mut self.lines)?;
        if self.lines.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.to.write_all(&self.lines).and_then(|()| self.to.flush());
        self.lines.clear();
        Ok(written?)
    }
}

/// Whether an error says that nobody reads any more, as `| head` does.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
