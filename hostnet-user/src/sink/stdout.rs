//! Lines on standard output.

use std::io::{ErrorKind, Write};

use super::{Failure, Message, Outcome, Sink, Then};

/// Standard output of this process.
#[derive(Debug, Default)]
pub struct Stdout {
    lines: Vec<u8>,
}

impl Sink for Stdout {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        self.lines.clear();
        for message in messages {
            self.lines.extend_from_slice(message.body);
            self.lines.push(b'\n');
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(&self.lines).and_then(|()| out.flush()) {
            Ok(()) => Outcome::taken(messages.len()),
            Err(error) => {
                let then = if error.kind() == ErrorKind::BrokenPipe {
                    Then::End
                } else {
                    Then::Again(None)
                };
                let reason = format!("cannot write to standard output: {error}");
                Outcome::failed(Failure { reason, then })
            }
        }
    }
}
