//! HTTP, framed as the receiver wants it: plain lines, Elasticsearch `_bulk`, Splunk
//! HTTP Event Collector, Loki, or OpenTelemetry.
//!
//! One bad event does not hold up the rest. What an answer means for the events of its
//! request, by receiver, is in `verdict`; here is what is done about it.

mod client;
mod elasticsearch;
mod loki;
mod ndjson;
#[cfg(feature = "otlp")]
mod otlp;
mod settings;
mod splunk;
mod verdict;

use std::time::Duration;

use anyhow::Result;
use reqwest::Url;

pub use settings::{Framing, Settings};

use self::{
    client::{Client, Options, Reply},
    verdict::Verdict,
};
use super::{Failure, Fate, Message, Outcome, Proof, Sink, SinkConfig, Then};

impl SinkConfig for Settings {
    /// A path or a query may hold a secret.
    fn name(&self) -> String {
        // One that is no URL is refused, and called nothing.
        let origin = Url::parse(&self.url).map(|url| url.origin().ascii_serialization());
        format!("http:{}", origin.unwrap_or_default())
    }

    fn check(&self) -> Result<()> {
        self.check_values()
    }

    fn plaintext(&self) -> Vec<(String, u16)> {
        let url = Url::parse(&self.url).ok().filter(|url| url.scheme() == "http");
        let end =
            url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
        end.into_iter().collect()
    }

    fn open(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Http::open(self.clone())?))
    }
}

/// The sink.
pub struct Http {
    settings: Settings,
    client: Client,
    proof: Proof,
    request: Vec<u8>,
}

impl Http {
    /// Reads the secrets and certificates; the server is connected to when there is
    /// something to send.
    ///
    /// # Errors
    /// When a setting cannot be right, or a file cannot be read.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check_values()?;
        let client = client(&settings)?;
        Ok(Self { settings, client, proof: Proof::default(), request: Vec::new() })
    }

    /// How many of these fit into one request.
    fn fitting(&self, messages: &[Message<'_>]) -> usize {
        let (mut bytes, most_bytes) = (0, self.settings.most_bytes());
        let fitting = messages.iter().take_while(|message| {
            bytes += message.body.len();
            bytes <= most_bytes
        });
        fitting.count().max(1)
    }

    /// Settles all of them, in as many requests as that takes; fewer only with a failure.
    fn settle(&mut self, messages: &[Message<'_>]) -> Outcome {
        let mut outcome = Outcome::default();
        while outcome.failure.is_none() && outcome.settled < messages.len() {
            let rest = &messages[outcome.settled..];
            let fitting = self.fitting(rest);
            outcome = outcome.and(self.request(&rest[..fitting]));
        }
        outcome
    }

    /// Sends one request, and settles at least the first of its messages or fails.
    fn request(&mut self, messages: &[Message<'_>]) -> Outcome {
        let sent = messages.len();
        match self.post(messages) {
            Verdict::Taken => {
                self.proof.renew();
                Outcome::taken(sent)
            }
            Verdict::NothingTaken(failure) => Outcome::failed(self.failure(failure)),
            Verdict::RestTaken { dead, reason } => {
                if dead < sent {
                    self.proof.renew();
                }
                Outcome::with_dead(sent, dead, self.client.reason(&reason))
            }
            Verdict::Each(fates) => self.each(fates),
            Verdict::Named { place: 0, reason } => self.give_up_first(&reason),
            Verdict::Named { place, reason } if place < sent => {
                self.part(&messages[..place], &reason)
            }
            // One that names an event that was not sent does not say which.
            Verdict::Named { reason, .. } | Verdict::Unclear(reason) if sent == 1 => {
                self.give_up_first(&reason)
            }
            Verdict::Named { reason, .. } | Verdict::Unclear(reason) => {
                self.part(&messages[..sent / 2], &reason)
            }
        }
    }

    /// Sends some of what was refused together.
    fn part(&mut self, messages: &[Message<'_>], reason: &str) -> Outcome {
        if self.proof.holds() { self.settle(messages) } else { self.doubt(reason) }
    }

    /// The first event of a request will never be taken.
    fn give_up_first(&mut self, reason: &str) -> Outcome {
        if self.proof.allows(1) {
            Outcome::with_dead(1, 1, self.client.reason(reason))
        } else {
            self.doubt(reason)
        }
    }

    /// Each event of a request has a fate of its own.
    fn each(&mut self, fates: Vec<Fate>) -> Outcome {
        let with_receiver = |fate| match fate {
            Fate::Taken => Fate::Taken,
            Fate::Dead(reason) => Fate::Dead(self.client.reason(&reason)),
            Fate::Unsettled(failure) => Fate::Unsettled(self.failure(failure)),
        };
        let fates = fates.into_iter().map(with_receiver).collect();
        self.proof.settle(fates)
    }

    /// It may be the settings: another event decides.
    fn doubt(&self, reason: &str) -> Outcome {
        let reason = self.client.reason(reason);
        Outcome::failed(Failure { reason, then: Then::Doubt })
    }

    fn failure(&self, failure: Failure) -> Failure {
        Failure { reason: self.client.reason(&failure.reason), ..failure }
    }

    fn post(&mut self, messages: &[Message<'_>]) -> Verdict {
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
        match reply {
            Ok(reply) => self.judge(&reply, messages),
            Err(reason) => verdict::later(reason),
        }
    }

    fn judge(&self, reply: &Reply, messages: &[Message<'_>]) -> Verdict {
        match self.settings.framing {
            Framing::Ndjson => ndjson::judge(reply),
            Framing::Elasticsearch => elasticsearch::judge(reply, messages.len()),
            Framing::SplunkHec => splunk::judge(reply),
            Framing::Loki => loki::judge(reply, messages),
            #[cfg(feature = "otlp")]
            Framing::Otlp => otlp::judge(reply, messages.len()),
        }
    }
}

impl Sink for Http {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        self.settle(messages)
    }

    fn reopen(&mut self) -> Result<()> {
        self.client = client(&self.settings)?;
        self.proof = Proof::default();
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
