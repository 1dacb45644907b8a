//! Lines on standard output.

use std::io::{ErrorKind, Write};

use super::{Message, Refused, Sink, Then};

/// Standard output of this process.
#[derive(Debug, Default)]
pub struct Stdout {
    lines: Vec<u8>,
}

impl Sink for Stdout {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Result<(), Refused> {
        self.lines.clear();
        for message in messages {
            self.lines.extend_from_slice(message.body);
            self.lines.push(b'\n');
        }
        let mut out = std::io::stdout().lock();
        out.write_all(&self.lines).and_then(|()| out.flush()).map_err(|error| {
            let then =
                if error.kind() == ErrorKind::BrokenPipe { Then::End } else { Then::Again(None) };
            Refused { taken: 0, reason: format!("cannot write to standard output: {error}"), then }
        })
    }
}
