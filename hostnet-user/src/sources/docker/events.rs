//! The runtime's event stream, opened anew whenever it ends.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::time::sleep_until;
use tracing::warn;

use super::bounded::{self, Excess};
use super::client::{Runtime, describe};
use super::words::{CHANGES, REMOVALS};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt: longer each time.
pub struct BackOff(Duration);

impl Default for BackOff {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl BackOff {
    /// An attempt worked from `began` until now. Whether that was long enough to
    /// begin with the shortest wait again.
    pub fn lasted(&mut self, began: Instant) -> bool {
        let lasted = began.elapsed() > LONGEST;
        if lasted {
            self.0 = SHORTEST;
        }
        lasted
    }

    /// Shortened at random, so that many agents do not come back all at once.
    pub fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        let random = RandomState::new().build_hasher().finish() % 50;
        wait.mul_f64(1.0 - random as f64 / 100.0).max(SHORTEST)
    }
}

/// The events of all containers.
pub struct Events {
    docker: Docker,
    excess: Arc<Excess>,
    stream: BoxStream<'static, Result<EventMessage, Error>>,
    began: Instant,
    /// When the stream ended, and until when to wait with the next.
    ended: Option<(SystemTime, Instant)>,
    back_off: BackOff,
    told: String,
}

impl Events {
    pub fn new(runtime: &Runtime) -> Self {
        Self {
            docker: runtime.docker.clone(),
            excess: Arc::clone(&runtime.excess),
            stream: subscribe(&runtime.docker, SystemTime::now()),
            began: Instant::now(),
            ended: None,
            back_off: BackOff::default(),
            told: String::new(),
        }
    }

    /// The next event. The error says whether the stream that just ended had been
    /// working; the call after that opens another. Nothing is lost by giving up
    /// on a call.
    pub async fn next(&mut self) -> Result<EventMessage, bool> {
        if let Some((ended, until)) = self.ended {
            sleep_until(until.into()).await;
            self.stream = subscribe(&self.docker, ended);
            (self.began, self.ended) = (Instant::now(), None);
        }
        let reason = match self.stream.next().await {
            Some(Ok(event)) => return Ok(event),
            Some(Err(error)) => {
                let excess = bounded::excess(&self.excess).map(|excess| excess.to_string());
                excess.unwrap_or_else(|| describe(&error))
            }
            None => "ended".into(),
        };
        let lasted = self.back_off.lasted(self.began);
        self.ended = Some((SystemTime::now(), Instant::now() + self.back_off.next()));
        if lasted || reason != self.told {
            warn!("the container runtime's stream of events broke off: {reason}");
            self.told = reason;
        }
        Err(lasted)
    }
}

/// The runtime sends its first answer before it has subscribed us: only a start
/// time makes sure that nothing falls between the stream and the list.
fn subscribe(
    docker: &Docker,
    since: SystemTime,
) -> BoxStream<'static, Result<EventMessage, Error>> {
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = Some(format!("{}.{:09}", since.as_secs(), since.subsec_nanos()));
    // Health checks alone would fill the stream.
    let actions = CHANGES.iter().chain(&REMOVALS).map(|&action| action.into());
    let kind = ("type".into(), vec!["container".into()]);
    let filters = Some(HashMap::from([kind, ("event".into(), actions.collect())]));
    docker.events(Some(EventsOptions { since, filters, ..EventsOptions::default() })).boxed()
}
