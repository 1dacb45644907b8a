//! Lines on standard output.

use std::io::{ErrorKind, Write};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Failure, Message, Outcome, Sink, SinkConfig, Then};

/// `[[sink]]` with `type = "stdout"`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

impl SinkConfig for Settings {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn open(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Stdout::default()))
    }
}

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
