//! HTTP, framed as the receiver wants it: plain lines, Elasticsearch `_bulk`, Splunk
//! HTTP Event Collector, Loki, or OpenTelemetry.
//!
//! One bad event does not hold up the rest: when an answer does not say which it
//! is, the batch is halved until it is alone. As long as nothing at all was taken,
//! though, a refusal is held to be the fault of the settings, and nothing is given up.

mod client;
mod elasticsearch;
mod loki;
mod ndjson;
#[cfg(feature = "otlp")]
mod otlp;
mod settings;
mod splunk;

use std::time::Duration;

use anyhow::Result;

pub use settings::{Framing, Settings};

use self::client::{Client, Options, Reply};
use super::{Message, Refused, Sink, Then};

/// What an answer means for the messages of its request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// All were taken.
    Taken,
    /// Some were not, and the answer says which.
    Refused(Refused),
    /// The one at this place can never be taken; of the others nothing is said.
    Bad(usize, String),
    /// One of them or their number is wrong, and the answer does not say which.
    Unclear(String),
}

/// The sink.
pub struct Http {
    settings: Settings,
    client: Client,
    /// Whether anything was taken since the settings were read.
    proven: bool,
    request: Vec<u8>,
}

impl Http {
    /// Reads the secrets and certificates; the server is connected to when there is
    /// something to send.
    ///
    /// # Errors
    /// When a setting cannot be right, or a file cannot be read.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check()?;
        let client = client(&settings)?;
        Ok(Self { settings, client, proven: false, request: Vec::new() })
    }

    /// Sends messages in requests of bounded size.
    fn send(&mut self, messages: &[Message<'_>]) -> Result<(), Refused> {
        let (mut start, most_bytes) = (0, self.settings.most_bytes());
        while start < messages.len() {
            let mut bytes = 0;
            let fitting = messages[start..].iter().take_while(|message| {
                bytes += message.body.len();
                bytes <= most_bytes
            });
            let end = start + fitting.count().max(1);
            self.isolate(&messages[start..end]).map_err(|refused| refused.after(start))?;
            start = end;
        }
        Ok(())
    }

    /// Sends one request, and halves it as long as it is not known what is wrong.
    fn isolate(&mut self, messages: &[Message<'_>]) -> Result<(), Refused> {
        let verdict = self.post(messages)?;
        let (before, rest) = match verdict {
            Verdict::Taken => {
                self.proven = true;
                return Ok(());
            }
            Verdict::Refused(refused) => {
                self.proven |= refused.taken > 0;
                return Err(refused);
            }
            Verdict::Bad(0, reason) => return Err(Refused::give_up(0, reason)),
            Verdict::Unclear(reason) if messages.len() == 1 => {
                return Err(Refused::give_up(0, reason));
            }
            Verdict::Bad(index, _) => messages.split_at(index.min(messages.len() - 1)),
            Verdict::Unclear(_) => messages.split_at(messages.len() / 2),
        };
        self.isolate(before)?;
        self.isolate(rest).map_err(|refused| refused.after(before.len()))
    }

    fn post(&mut self, messages: &[Message<'_>]) -> Result<Verdict, Refused> {
        let mut request = std::mem::take(&mut self.request);
        request.clear();
        let settings = &self.settings;
        let content_type = match settings.framing {
            Framing::Ndjson => ndjson::write(&mut request, messages),
            Framing::Elasticsearch => {
                elasticsearch::write(&mut request, messages, settings.index.as_deref())
            }
            Framing::SplunkHec => splunk::write(&mut request, messages, settings),
            Framing::Loki => loki::write(&mut request, messages),
            #[cfg(feature = "otlp")]
            Framing::Otlp => otlp::write(&mut request, messages),
        };
        let reply = self.client.post(content_type, &request);
        self.request = request;
        let reply = reply?;
        Ok(match self.settings.framing {
            Framing::Elasticsearch => elasticsearch::judge(&self.client, &reply, messages.len()),
            Framing::SplunkHec => splunk::judge(&self.client, &reply),
            #[cfg(feature = "otlp")]
            Framing::Otlp => otlp::judge(&self.client, &reply),
            Framing::Ndjson | Framing::Loki => by_status(&self.client, &reply),
        })
    }
}

impl Sink for Http {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Result<(), Refused> {
        let refused = match self.send(messages) {
            Err(refused) if refused.then == Then::GiveUp && !self.proven => refused,
            outcome => return outcome,
        };
        // It is the event and not the settings if another one is taken.
        let other = messages.get(refused.taken + 1..).and_then(<[_]>::last);
        if let Some(other) = other {
            self.proven = self.post(&[*other])? == Verdict::Taken;
        }
        if self.proven {
            return Err(refused);
        }
        let reason = format!("{} (nothing was taken yet: check the settings)", refused.reason);
        Err(Refused::again(refused.taken, reason))
    }

    fn reopen(&mut self) -> Result<()> {
        self.client = client(&self.settings)?;
        Ok(())
    }
}

fn client(settings: &Settings) -> Result<Client> {
    Client::open(&Options {
        url: settings.url()?,
        tls: &settings.tls,
        token: settings.token.as_ref().map(|token| (settings.framing.scheme(), token)),
        user: settings.user.as_deref().zip(settings.password.as_ref()),
        gzip: settings.gzip,
        timeout: Duration::from_secs(settings.timeout_s),
    })
}

/// What a status means where the protocol says no more.
fn by_status(client: &Client, reply: &Reply) -> Verdict {
    match reply.status.as_u16() {
        200..=299 => Verdict::Taken,
        // Bad request, content too large, unprocessable content.
        400 | 413 | 422 => Verdict::Unclear(client.quote(reply)),
        // Everything else may be otherwise later, be it by the operator's hand.
        _ => Verdict::Refused(client.again(reply)),
    }
}
