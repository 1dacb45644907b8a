//! NATS JetStream. Each event is published under its own id, which the server drops
//! when it has it already, and is taken when the stream has acknowledged it.
//!
//! After a failure the connection is given up: what its client holds back would be
//! published later, out of order.

use std::{error::Error as _, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use async_nats::{
    ConnectOptions, ServerAddr,
    jetstream::{
        self, ErrorCode,
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use super::{
    Failure, Fate, Message, Outcome, Proof, Secret, Sink, SinkConfig, Tls, check_timeout,
    document::Head,
    runtime::Background,
    tls::{self, check_plaintext, first_given, host_and_port},
};

/// How many events are on their way before the first has to be acknowledged. The
/// client itself allows more.
const WINDOW: usize = 256;

/// `[[sink]]` with `type = "nats"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `HOST:PORT` of the servers of a cluster; others that they name are not used.
    pub servers: Vec<String>,
    /// What subjects begin with: `hostnet.network.HOST` has the stream to take.
    #[serde(default = "default_subject")]
    pub subject: String,
    /// TLS, when there is such a table; it may be empty.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Allows plaintext to another machine, and with a secret to this one.
    #[serde(default)]
    pub insecure: bool,
    /// A token.
    #[serde(default)]
    pub token: Option<Secret>,
    /// A user, with `password`.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A `.creds` file with a JWT and its seed.
    #[serde(default)]
    pub credentials: Option<PathBuf>,
    /// Seconds that the server may take for what it is handed at once.
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
}

fn default_subject() -> String {
    "hostnet".to_owned()
}

const fn default_timeout() -> u64 {
    10
}

impl SinkConfig for Settings {
    fn name(&self) -> String {
        format!("nats:{}", self.servers.join(","))
    }

    fn check(&self) -> Result<()> {
        if self.servers.is_empty() {
            bail!("sink.servers is empty: it must name at least one HOST:PORT");
        }
        let hosts = self.servers.iter().map(|server| host_and_port("sink.servers", server));
        let hosts: Vec<_> = hosts.collect::<Result<_>>()?;
        if let Some(tls) = &self.tls {
            tls.check("sink.tls")?;
        }
        let is_plain = |token: &str| !token.is_empty() && token == subject_token(token);
        if !self.subject.split('.').all(is_plain) {
            bail!("sink.subject is {:?}: it must be words separated by dots", self.subject);
        }
        for (key, secret) in [("sink.token", &self.token), ("sink.password", &self.password)] {
            secret.as_ref().map_or(Ok(()), |secret| secret.check(key))?;
        }
        if self.user.is_some() != self.password.is_some() {
            bail!("sink.user and sink.password must be given together");
        }
        let ways = [self.token.is_some(), self.user.is_some(), self.credentials.is_some()];
        if ways.iter().filter(|given| **given).count() > 1 {
            bail!("sink.token, sink.user and sink.credentials: only one of them may be given");
        }
        let secrets =
            [("sink.token", self.token.is_some()), ("sink.password", self.password.is_some())];
        for (host, _) in hosts.into_iter().filter(|_| self.tls.is_none()) {
            check_plaintext("sink.servers", host, self.insecure, first_given(&secrets))?;
        }
        check_timeout(self.timeout_s)
    }

    fn plaintext(&self) -> Vec<(String, u16)> {
        tls::plaintext(self.tls.as_ref(), &self.servers)
    }

    fn open(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Nats::open(self.clone())?))
    }
}

/// The sink.
pub struct Nats {
    settings: Settings,
    runtime: Background,
    stream: Option<jetstream::Context>,
    proof: Proof,
}

impl Nats {
    /// Takes the settings; the server is connected to when there is something to send.
    ///
    /// # Errors
    /// When a setting cannot be right, or a file cannot be read.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check()?;
        // Read again for each connection; what is wrong with it is to be known now.
        options(&settings)?;
        let runtime = Background::of(answering())?;
        Ok(Self { settings, runtime, stream: None, proof: Proof::default() })
    }

    const fn timeout(&self) -> Duration {
        Duration::from_secs(self.settings.timeout_s)
    }

    fn connect(&self) -> Result<jetstream::Context> {
        let servers: Vec<ServerAddr> = self
            .settings
            .servers
            .iter()
            .map(|server| server.parse().with_context(|| format!("sink.servers has {server:?}")))
            .collect::<Result<_>>()?;
        let options = options(&self.settings)?;
        let connected = self.runtime.within(self.timeout(), async {
            let options = match &self.settings.credentials {
                // The error may not quote what is in the file.
                Some(path) => options.credentials_file(path).await.ok().with_context(|| {
                    format!(
                        "sink.credentials is {}: it cannot be read, or is no .creds file",
                        path.display()
                    )
                })?,
                None => options,
            };
            let client = options.connect(servers).await?;
            let mut stream = jetstream::new(client);
            stream.set_timeout(self.timeout());
            Ok(stream)
        });
        connected.unwrap_or_else(|| bail!("no connection in time"))
    }

    fn failure(&self, text: &str) -> Failure {
        Failure::again(self.reason(text))
    }

    fn reason(&self, text: &str) -> String {
        format!("NATS at {}: {text}", self.settings.servers.join(", "))
    }

    /// Publishes at most a window full, and waits for each acknowledgement.
    fn publish(&self, stream: &jetstream::Context, messages: &[Message<'_>]) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(messages.len());
        let outcome = self.runtime.within(self.timeout(), async {
            let mut published = Vec::with_capacity(messages.len());
            for message in messages {
                let publish = PublishMessage::build()
                    .message_id(&message.row.event_id)
                    .payload(message.body.to_vec().into());
                let sent = stream.send_publish(self.subject(message), publish).await;
                let is_over = sent.as_ref().is_err_and(|error| !is_about_event(error));
                published.push(sent);
                if is_over {
                    break;
                }
            }
            // Of every one, whatever became of those before it: what is still on its way
            // when they are sent again would come before them.
            for sent in published {
                let acknowledged = match sent {
                    Ok(acknowledgement) => acknowledgement.await.map(|_| ()),
                    Err(error) => Err(error),
                };
                fates.push(match acknowledged {
                    Ok(()) => Fate::Taken,
                    Err(error) => self.judge(&error),
                });
            }
        });
        if outcome.is_none() {
            fates.push(Fate::Unsettled(self.failure("no acknowledgement in time")));
        }
        fates
    }

    fn judge(&self, error: &PublishError) -> Fate {
        if is_about_event(error) {
            return Fate::Dead(self.reason(&error.to_string()));
        }
        Fate::Unsettled(self.failure(&match error.kind() {
            PublishErrorKind::StreamNotFound => {
                format!("no stream takes {}.>: make one with that subject", self.settings.subject)
            }
            _ => error.to_string(),
        }))
    }

    fn subject(&self, message: &Message<'_>) -> String {
        let head = Head::of(message.row);
        let dataset = message.row.dataset;
        let dataset = dataset.strip_prefix("hostnet.").unwrap_or(dataset);
        format!("{}.{dataset}.{}", self.settings.subject, subject_token(&head.host.name))
    }
}

impl Sink for Nats {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        let stream = match self.stream.take().map_or_else(|| self.connect(), Ok) {
            Ok(stream) => stream,
            Err(error) => return Outcome::failed(self.failure(&format!("{error:#}"))),
        };
        let mut outcome = Outcome::default();
        for window in messages.chunks(WINDOW) {
            let fates = self.publish(&stream, window);
            outcome = outcome.and(self.proof.settle(fates));
            if outcome.failure.is_some() {
                return outcome;
            }
        }
        self.stream = Some(stream);
        outcome
    }

    fn reopen(&mut self) -> Result<()> {
        options(&self.settings)?;
        (self.stream, self.proof) = (None, Proof::default());
        Ok(())
    }
}

/// Whether the server or the stream refuses what is in an event, and will whenever it
/// comes: it is longer than `max_payload`, or than the stream's `max_msg_size`.
fn is_about_event(error: &PublishError) -> bool {
    let by_stream = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    let too_long = ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM;
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || by_stream.is_some_and(|error| error.error_code() == too_long)
}

/// A runtime with a thread: the client has to answer while nothing is sent.
fn answering() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("sink");
    builder
}

fn options(settings: &Settings) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::new()
        .name("hostnet")
        .connection_timeout(Duration::from_secs(settings.timeout_s))
        .ignore_discovered_servers();
    if let Some(tls) = &settings.tls {
        options = options.require_tls(true).tls_client_config(tls.client("sink.tls")?);
    }
    if let Some(token) = &settings.token {
        options = options.token(token.read("sink.token")?.expose().to_owned());
    }
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        let password = password.read("sink.password")?.expose().to_owned();
        options = options.user_and_password(user.clone(), password);
    }
    Ok(options)
}

/// A word of a subject: dots, wildcards and blanks mean something there.
fn subject_token(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let token: String = text.chars().map(plain).collect();
    if token.is_empty() { "_".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_do_not_go_together() {
        let check = |more: &str| {
            let text = format!("servers = [\"127.0.0.1:4222\"]\n{more}");
            toml::from_str::<Settings>(&text).unwrap().check().map_err(|error| error.to_string())
        };
        check("").unwrap();
        assert!(check("subject = \"a.>\"").unwrap_err().contains("words separated by dots"));
        assert!(check("subject = \"a..b\"").is_err());
        assert!(check("user = \"a\"").unwrap_err().contains("together"));
        let two = "token = { env = \"A\" }\ncredentials = \"/x\"";
        assert!(check(two).unwrap_err().contains("only one"));
        let token = "token = { env = \"A\" }";
        assert!(check(token).unwrap_err().contains("sink.token goes with it"));
        check(&format!("{token}\ninsecure = true")).unwrap();
        check(&format!("{token}\ntls = {{}}")).unwrap();
    }

    #[test]
    fn a_host_is_one_word() {
        assert_eq!(subject_token("node-1.example.>"), "node-1_example__");
        assert_eq!(subject_token(""), "_");
    }
}
