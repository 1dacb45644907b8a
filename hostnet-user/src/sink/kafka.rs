//! Kafka. What one container did goes to one partition, so that it stays in order,
//! and is taken when all replicas in sync have it (acks = all).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use chrono::DateTime;
use rskafka::{
    BackoffConfig,
    client::{
        Client, ClientBuilder, Credentials, SaslConfig,
        error::{Error, ProtocolError},
        partition::{Compression, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Failure, Fate, Message, Outcome, Proof, Secret, Sink, SinkConfig, Tls, check_timeout,
    document::Head,
    runtime::Background,
    tls::{self, check_plaintext, first_given, host_and_port},
};

/// The most bytes of events in one request: brokers take 1 MiB unless they are told
/// otherwise, and what compression saves nobody knows before.
const MOST_BYTES: usize = 900 << 10;

/// `[[sink]]` with `type = "kafka"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `HOST:PORT` of brokers to ask for the others.
    pub brokers: Vec<String>,
    /// The topic, which must be there.
    pub topic: String,
    /// TLS, when there is such a table; it may be empty.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Allows plaintext to another machine, and with a secret to this one.
    #[serde(default)]
    pub insecure: bool,
    /// A user (SASL), with `password`.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// How the password is shown.
    #[serde(default)]
    pub sasl: Sasl,
    /// Seconds that the brokers may take for what they are handed at once.
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sasl {
    /// PLAIN
    Plain,
    /// SCRAM-SHA-256
    ScramSha256,
    /// SCRAM-SHA-512
    #[default]
    ScramSha512,
}

const fn default_timeout() -> u64 {
    30
}

impl SinkConfig for Settings {
    fn name(&self) -> String {
        format!("kafka:{}", self.topic)
    }

    fn check(&self) -> Result<()> {
        if self.brokers.is_empty() {
            bail!("sink.brokers is empty: it must name at least one HOST:PORT");
        }
        for broker in &self.brokers {
            let (host, _) = host_and_port("sink.brokers", broker)?;
            if self.tls.is_none() {
                let secret = first_given(&[("sink.password", self.password.is_some())]);
                check_plaintext("sink.brokers", host, self.insecure, secret)?;
            }
        }
        if let Some(tls) = &self.tls {
            tls.check("sink.tls")?;
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.topic.is_empty() || self.topic.len() > 249 || !self.topic.chars().all(legal) {
            bail!("sink.topic is {:?}: it must be 1 to 249 of A-Z a-z 0-9 . _ -", self.topic);
        }
        if self.user.is_some() != self.password.is_some() {
            bail!("sink.user and sink.password must be given together");
        }
        self.password.as_ref().map_or(Ok(()), |password| password.check("sink.password"))?;
        check_timeout(self.timeout_s)
    }

    fn plaintext(&self) -> Vec<(String, u16)> {
        tls::plaintext(self.tls.as_ref(), &self.brokers)
    }

    fn open(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Kafka::open(self.clone())?))
    }
}

/// The sink.
pub struct Kafka {
    settings: Settings,
    runtime: Background,
    topic: Option<Topic>,
    proof: Proof,
}

/// The topic's partitions, connected to.
struct Topic {
    partitions: Vec<PartitionClient>,
}

impl Kafka {
    /// Takes the settings; the brokers are connected to when there is something to send.
    ///
    /// # Errors
    /// When a setting cannot be right, or a file cannot be read.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check()?;
        builder(&settings)?;
        let runtime = Background::while_delivering()?;
        Ok(Self { settings, runtime, topic: None, proof: Proof::default() })
    }

    const fn timeout(&self) -> Duration {
        Duration::from_secs(self.settings.timeout_s)
    }

    fn connect(&self) -> Result<Topic> {
        let builder = builder(&self.settings)?;
        let topic = &self.settings.topic;
        let connected = self.runtime.within(self.timeout(), async {
            let client: Client = builder.build().await?;
            let topics = client.list_topics().await?;
            let found = topics.into_iter().find(|one| one.name == *topic);
            let found = found.with_context(|| format!("there is no topic {topic}: make it"))?;
            let mut partitions = Vec::with_capacity(found.partitions.len());
            for number in found.partitions {
                let partition =
                    client.partition_client(topic, number, UnknownTopicHandling::Error).await?;
                partitions.push(partition);
            }
            if partitions.is_empty() {
                bail!("the topic {topic} has no partition");
            }
            Ok(Topic { partitions })
        });
        connected.unwrap_or_else(|| bail!("no connection in time"))
    }

    /// Hands over the messages of one partition; returns what became of each.
    fn produce(&self, partition: &PartitionClient, messages: &[Message<'_>]) -> Vec<Fate> {
        let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        if bytes > MOST_BYTES && messages.len() > 1 {
            return self.halve(partition, messages);
        }
        let records = messages.iter().map(record).collect();
        let produced = self
            .runtime
            .within(self.timeout(), partition.produce(records, Compression::Gzip))
            .unwrap_or(Err(Error::Timeout));
        let Err(error) = produced else { return vec![Fate::Taken; messages.len()] };
        let reason = self.reason(&error.to_string());
        match (is_about_events(&error), messages.len()) {
            (true, 1) => vec![Fate::Dead(reason)],
            (true, _) => self.halve(partition, messages),
            (false, count) => vec![Fate::Unsettled(Failure::again(reason)); count],
        }
    }

    /// A broker takes all of a batch or nothing, and does not say which record is wrong.
    fn halve(&self, partition: &PartitionClient, messages: &[Message<'_>]) -> Vec<Fate> {
        let (before, rest) = messages.split_at(messages.len() / 2);
        let mut fates = self.produce(partition, before);
        match fates.iter().find(|fate| matches!(fate, Fate::Unsettled(_))).cloned() {
            // What comes after it would be out of order.
            Some(unsettled) => fates.extend(vec![unsettled; rest.len()]),
            None => fates.extend(self.produce(partition, rest)),
        }
        fates
    }

    fn reason(&self, text: &str) -> String {
        format!("Kafka at {}: {text}", self.settings.brokers.join(", "))
    }

    /// Hands over all, partition by partition. What is taken after the first message that
    /// is not settled, wherever that is, comes twice.
    fn hand_over(&self, topic: &Topic, messages: &[Message<'_>]) -> Vec<Fate> {
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, message) in messages.iter().enumerate() {
            let partition = choose(&key(message), topic.partitions.len());
            parts.entry(partition).or_default().push(place);
        }
        let mut fates = vec![Fate::Taken; messages.len()];
        for (partition, places) in parts {
            let part: Vec<Message<'_>> = places.iter().map(|place| messages[*place]).collect();
            let of_part = self.produce(&topic.partitions[partition], &part);
            for (place, fate) in places.into_iter().zip(of_part) {
                fates[place] = fate;
            }
        }
        fates
    }
}

/// Whether a broker refuses what is in a record: it is too large, its time is too far from
/// the broker's (`message.timestamp.before.max.ms`, `message.timestamp.after.max.ms`), or a
/// compacted topic has no use for it. A clock or a setting can be at fault as well.
const fn is_about_events(error: &Error) -> bool {
    matches!(
        error,
        Error::ServerError {
            protocol_error: ProtocolError::MessageTooLarge
                | ProtocolError::RecordListTooLarge
                | ProtocolError::InvalidTimestamp
                | ProtocolError::InvalidRecord,
            ..
        }
    )
}

impl Sink for Kafka {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        let topic = match self.topic.take().map_or_else(|| self.connect(), Ok) {
            Ok(topic) => topic,
            Err(error) => return Outcome::again(self.reason(&format!("{error:#}"))),
        };
        let fates = self.hand_over(&topic, messages);
        let outcome = self.proof.settle(fates);
        // A leader may have moved, a partition may have been added.
        if outcome.failure.is_none() {
            self.topic = Some(topic);
        }
        outcome
    }

    fn reopen(&mut self) -> Result<()> {
        builder(&self.settings)?;
        (self.topic, self.proof) = (None, Proof::default());
        Ok(())
    }
}

fn builder(settings: &Settings) -> Result<ClientBuilder> {
    let backoff = BackoffConfig {
        deadline: Some(Duration::from_secs(settings.timeout_s)),
        ..BackoffConfig::default()
    };
    let mut builder =
        ClientBuilder::new(settings.brokers.clone()).client_id("hostnet").backoff_config(backoff);
    if let Some(tls) = &settings.tls {
        builder = builder.tls_config(Arc::new(tls.client("sink.tls")?));
    }
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        let password = password.read("sink.password")?.expose().to_owned();
        let credentials = Credentials::new(user.clone(), password);
        builder = builder.sasl_config(match settings.sasl {
            Sasl::Plain => SaslConfig::Plain(credentials),
            Sasl::ScramSha256 => SaslConfig::ScramSha256(credentials),
            Sasl::ScramSha512 => SaslConfig::ScramSha512(credentials),
        });
    }
    Ok(builder)
}

fn record(message: &Message<'_>) -> Record {
    let row = message.row;
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Record {
        key: Some(key(message)),
        value: Some(message.body.to_vec()),
        headers: BTreeMap::from([
            header("event.id", &row.event_id),
            header("event.dataset", row.dataset),
        ]),
        timestamp: DateTime::from_timestamp_nanos(i64::try_from(row.time_ns).unwrap_or(i64::MAX)),
    }
}

/// Whose it is, over all hosts.
fn key(message: &Message<'_>) -> Vec<u8> {
    let head = Head::of(message.row);
    format!("{}/{}", head.host.id, message.row.owner).into_bytes()
}

/// The partition of a key: the same for as long as their number is.
fn choose(key: &[u8], partitions: usize) -> usize {
    let hash = Sha256::digest(key);
    let start = hash.iter().take(4).fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
    start % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_right() {
        let check = |text: &str| {
            toml::from_str::<Settings>(text).unwrap().check().map_err(|error| error.to_string())
        };
        check("brokers = [\"127.0.0.1:9092\"]\ntopic = \"a.b_c-1\"").unwrap();
        let error = check("brokers = [\"127.0.0.1:9092\"]\ntopic = \"a b\"").unwrap_err();
        assert!(error.starts_with("sink.topic is \"a b\""), "{error}");
        let error = check("brokers = [\"kafka.example:9092\"]\ntopic = \"a\"").unwrap_err();
        assert!(error.contains("insecure = true"), "{error}");
        let user = "brokers = [\"127.0.0.1:9092\"]\ntopic = \"a\"\nuser = \"a\"\n\
                    password = { env = \"A\" }\n";
        assert!(check(user).unwrap_err().contains("sink.password goes with it"));
        check(&format!("{user}insecure = true")).unwrap();
        assert!(check("brokers = []\ntopic = \"a\"").is_err());
    }

    /// Each blocked all events after it while it was sent again.
    #[test]
    fn a_record_that_a_broker_will_never_take_is_given_up() {
        let error = |protocol_error| Error::ServerError {
            protocol_error,
            error_message: None,
            request: rskafka::client::error::RequestContext::Partition("t".into(), 0),
            response: None,
            is_virtual: false,
        };
        for never in [
            ProtocolError::MessageTooLarge,
            ProtocolError::RecordListTooLarge,
            ProtocolError::InvalidTimestamp,
            ProtocolError::InvalidRecord,
        ] {
            assert!(is_about_events(&error(never)), "{never}");
        }
        for later in [ProtocolError::NotLeaderOrFollower, ProtocolError::TopicAuthorizationFailed] {
            assert!(!is_about_events(&error(later)), "{later}");
        }
    }

    #[test]
    fn a_key_stays_where_it_is_and_keys_are_spread() {
        assert_eq!(choose(b"a", 7), choose(b"a", 7));
        let used: std::collections::BTreeSet<usize> =
            (0..100).map(|number| choose(format!("host/{number}").as_bytes(), 7)).collect();
        assert_eq!(used.len(), 7);
    }
}
