//! Lines in one of the formats, on standard output.

use std::io::{self, Write};

use anyhow::Result;

use super::Output;
use crate::{event::Recorded, format::Lines};

/// Bytes held back before they are written in one go.
const BATCH: usize = 1 << 16;

/// One event per line on any writer.
pub struct LineStream<W> {
    form: Lines,
    lines: Vec<u8>,
    to: W,
}

impl<W: Write> LineStream<W> {
    /// Writes lines of this form to `to`.
    pub fn new(form: Lines, to: W) -> Self {
        Self { form, lines: Vec::with_capacity(BATCH * 2), to }
    }
}

impl<W: Write + Send> Output for LineStream<W> {
    fn write(&mut self, record: &Recorded) -> Result<()> {
        self.form.append(record, &mut self.lines)?;
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
