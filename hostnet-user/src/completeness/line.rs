//! What a line says that matters here. ECS and OCSF say it in different places.

use crate::event::{Action, LossFields};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// `hostnet.loss`.
pub type Loss = LossFields<'static>;

/// One event.
pub struct Line {
    /// The run that told it.
    pub run: String,
    /// Its place in the run.
    pub sequence: u64,
    /// Its id, the same however often it is delivered.
    pub id: String,
    /// When it happened.
    pub time: String,
    /// What happened.
    pub action: String,
    /// The host it happened on.
    pub host: String,
    /// What was not told, and what else the agent says of itself.
    pub loss: Option<Loss>,
    health: Option<Value>,
}

#[derive(Deserialize)]
struct Document<'a> {
    // ECS.
    #[serde(rename = "@timestamp")]
    timestamp: Option<String>,
    event: Option<EventFields>,
    agent: Option<AgentFields>,
    host: Option<HostFields>,
    #[serde(borrow)]
    hostnet: Option<HostnetFields<'a>>,
    // OCSF.
    time_dt: Option<String>,
    metadata: Option<Metadata>,
    device: Option<HostFields>,
    #[serde(borrow)]
    unmapped: Option<Unmapped<'a>>,
}

#[derive(Deserialize)]
struct EventFields {
    id: Option<String>,
    sequence: Option<u64>,
    action: Option<String>,
}

#[derive(Deserialize)]
struct AgentFields {
    ephemeral_id: Option<String>,
}

#[derive(Deserialize)]
struct HostFields {
    hostname: Option<String>,
}

#[derive(Deserialize)]
struct HostnetFields<'a> {
    loss: Option<Loss>,
    // At the start it is long, and nothing of it is asked here.
    #[serde(borrow)]
    health: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata {
    uid: Option<String>,
    sequence: Option<u64>,
    event_code: Option<String>,
}

#[derive(Deserialize)]
struct Unmapped<'a> {
    agent: Option<AgentFields>,
    #[serde(borrow)]
    hostnet: Option<HostnetFields<'a>>,
}

const STOPPED: &str = Action::AgentStopped.name();
const CRASHED: &str = Action::AgentCrashed.name();

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is not JSON, or lacks what every event has.
    pub fn read(line: &[u8]) -> Result<Self> {
        let document: Document<'_> = serde_json::from_slice(line)?;
        let (event, metadata) = (document.event, document.metadata);
        let (agent, hostnet) = match document.unmapped {
            Some(unmapped) => (document.agent.or(unmapped.agent), unmapped.hostnet),
            None => (document.agent, document.hostnet),
        };
        let (id, sequence, action) = match (event, metadata) {
            (Some(event), _) => (event.id, event.sequence, event.action),
            (None, Some(metadata)) => (metadata.uid, metadata.sequence, metadata.event_code),
            (None, None) => (None, None, None),
        };
        let sequence = sequence.context("without event.sequence")?;
        ensure!(is_place(sequence), "event.sequence is {sequence}: it counts from 1");
        let action = action.context("without event.action")?;
        let (loss, health) = hostnet.map_or((None, None), |hostnet| (hostnet.loss, hostnet.health));
        let is_asked = [STOPPED, CRASHED].contains(&&*action);
        let health = health.filter(|_| is_asked);
        let run = agent.and_then(|agent| agent.ephemeral_id);
        let host = document.host.or(document.device).and_then(|host| host.hostname);
        Ok(Self {
            run: run.context("without agent.ephemeral_id")?,
            sequence,
            id: id.context("without event.id")?,
            time: document.timestamp.or(document.time_dt).context("without @timestamp")?,
            action,
            host: host.unwrap_or_default(),
            loss,
            health: health.and_then(|health| serde_json::from_str(health.get()).ok()),
        })
    }

    /// Why the run ended, when this is its end.
    pub fn stopped(&self) -> Option<String> {
        let reason = self.health.as_ref().and_then(|health| health["reason"].as_str());
        (self.action == STOPPED).then(|| reason.unwrap_or_default().to_owned())
    }

    /// Which run was found to have ended without a word, and after which event.
    pub fn crashed(&self) -> Option<(String, u64)> {
        let health = self.health.as_ref().filter(|_| self.action == CRASHED)?;
        let sequence = health["sequence"].as_u64().filter(|sequence| is_place(*sequence))?;
        Some((health["run"].as_str()?.to_owned(), sequence))
    }
}

/// What an ECS `long` can hold, and a run could give.
fn is_place(sequence: u64) -> bool {
    sequence > 0 && i64::try_from(sequence).is_ok()
}
