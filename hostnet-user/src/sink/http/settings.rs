//! `[[sink]]` with `type = "http"`: its values, and which of them go together.

use anyhow::{Result, bail};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::client::read_url;
use crate::sink::{Secret, Tls, check_timeout, tls::first_given};

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to post. Without a path it gets the receiver's usual one.
    pub url: String,
    /// What the receiver understands.
    pub framing: Framing,
    /// TLS of an `https` URL.
    #[serde(default)]
    pub tls: Tls,
    /// Allows plaintext to another machine, and with a secret to this one.
    #[serde(default)]
    pub insecure: bool,
    /// An API key, HEC token or bearer token.
    #[serde(default)]
    pub token: Option<Secret>,
    /// A user, with `password`.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Elasticsearch: the data stream or index for all events, instead of
    /// `logs-DATASET-default`. Splunk: the index, instead of the token's.
    #[serde(default)]
    pub index: Option<String>,
    /// Splunk: the source type.
    #[serde(default = "default_sourcetype")]
    pub sourcetype: String,
    /// Whether requests are compressed.
    #[serde(default = "yes")]
    pub gzip: bool,
    /// The most bytes of events in one request, before compression; what such a receiver
    /// takes when not given. A longer event has a request of its own.
    #[serde(default)]
    pub max_request_bytes: Option<usize>,
    /// Seconds that a request may take.
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
}

/// How events are put into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// One event per line.
    Ndjson,
    /// Elasticsearch's and OpenSearch's `_bulk`.
    Elasticsearch,
    /// Splunk's HTTP Event Collector.
    SplunkHec,
    /// Grafana Loki's push API.
    Loki,
    /// OpenTelemetry's logs.
    #[cfg(feature = "otlp")]
    Otlp,
}

impl Framing {
    /// The path of a URL that has none.
    const fn path(self) -> &'static str {
        match self {
            Self::Ndjson => "/",
            Self::Elasticsearch => "/_bulk",
            Self::SplunkHec => "/services/collector/event",
            Self::Loki => "/loki/api/v1/push",
            #[cfg(feature = "otlp")]
            Self::Otlp => "/v1/logs",
        }
    }

    /// The most bytes of events in a request that one with its usual settings takes.
    const fn most_bytes(self) -> usize {
        match self {
            // Splunk Cloud and Loki refuse more than this, or not much more.
            Self::SplunkHec | Self::Loki => 1 << 20,
            Self::Ndjson | Self::Elasticsearch => 8 << 20,
            #[cfg(feature = "otlp")]
            Self::Otlp => 8 << 20,
        }
    }

    /// The scheme of `Authorization` that a token is shown with.
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Loki => "Bearer",
            Self::Elasticsearch => "ApiKey",
            Self::SplunkHec => "Splunk",
            #[cfg(feature = "otlp")]
            Self::Otlp => "Bearer",
        }
    }
}

fn default_sourcetype() -> String {
    "hostnet:ecs".to_owned()
}

const fn yes() -> bool {
    true
}

const fn default_timeout() -> u64 {
    30
}

impl Settings {
    /// Checks the values, and which of them go together.
    pub(super) fn check_values(&self) -> Result<()> {
        self.url()?;
        self.tls.check("sink.tls")?;
        for (key, secret) in [("sink.token", &self.token), ("sink.password", &self.password)] {
            if let Some(secret) = secret {
                secret.check(key)?;
            }
        }
        if self.user.is_some() != self.password.is_some() {
            bail!("sink.user and sink.password must be given together");
        }
        if self.user.is_some() && self.token.is_some() {
            bail!("sink.token and sink.user are both given: it must be one of them");
        }
        if self
            .user
            .as_deref()
            .is_some_and(|user| user.contains(|c: char| c == ':' || c.is_control()))
        {
            bail!("sink.user is {:?}: it must not have a colon or a control character", self.user);
        }
        if let Some(index) = &self.index {
            if !matches!(self.framing, Framing::Elasticsearch | Framing::SplunkHec) {
                bail!("sink.index is {index:?}: only elasticsearch and splunk-hec have indices");
            }
            if index.is_empty() {
                bail!("sink.index is empty: it must name an index, or be left out");
            }
        }
        if self.max_request_bytes == Some(0) {
            bail!("sink.max_request_bytes is 0: it must be at least 1");
        }
        check_timeout(self.timeout_s)
    }

    /// The most bytes of events in one request.
    pub(super) fn most_bytes(&self) -> usize {
        self.max_request_bytes.unwrap_or_else(|| self.framing.most_bytes())
    }

    /// Where requests go.
    pub(super) fn url(&self) -> Result<Url> {
        let secret = first_given(&[
            ("sink.token", self.token.is_some()),
            ("sink.password", self.password.is_some()),
        ]);
        let mut url = read_url(&self.url, self.insecure, secret)?;
        if url.path() == "/" {
            url.set_path(self.framing.path());
        }
        if self.framing == Framing::Elasticsearch && url.query().is_none() {
            // All that is looked at: the answer is a tenth of what it would be.
            url.set_query(Some("filter_path=errors,items.*.status,items.*.error"));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &str) -> Result<Settings> {
        let settings: Settings = toml::from_str(&format!("url = \"https://a.example\"\n{more}"))?;
        settings.check_values()?;
        Ok(settings)
    }

    #[test]
    fn the_usual_path() {
        let url = |more| settings(more).unwrap().url().unwrap().to_string();
        assert_eq!(
            url("framing = \"elasticsearch\""),
            "https://a.example/_bulk?filter_path=errors,items.*.status,items.*.error"
        );
        assert_eq!(url("framing = \"loki\""), "https://a.example/loki/api/v1/push");
        assert_eq!(url("framing = \"splunk-hec\""), "https://a.example/services/collector/event");
    }

    #[test]
    fn a_secret_goes_in_plaintext_only_where_that_is_said() {
        let local = |more: &str| {
            let text = format!("url = \"http://127.0.0.1:9\"\nframing = \"loki\"\n{more}");
            let settings: Settings = toml::from_str(&text).unwrap();
            settings.check_values().map_err(|error| error.to_string())
        };
        local("").unwrap();
        let token = "token = { env = \"A\" }\n";
        let user = "user = \"a\"\npassword = { env = \"A\" }\n";
        for (secret, name) in [(token, "sink.token"), (user, "sink.password")] {
            let error = local(secret).unwrap_err();
            assert!(error.contains(&format!("{name} goes with it")), "{error}");
            local(&format!("{secret}insecure = true")).unwrap();
        }
    }

    #[test]
    fn what_does_not_go_together() {
        let ndjson = |more: &str| {
            let text = format!("framing = \"ndjson\"\n{more}");
            settings(&text).unwrap_err().to_string()
        };
        assert!(ndjson("index = \"x\"").contains("only elasticsearch"));
        assert!(ndjson("user = \"x\"").contains("together"));
        assert!(ndjson("timeout_s = 0").contains("from 1 to 600"));
        assert!(ndjson("no = 1").contains("unknown field `no`"));
        assert!(!ndjson("token = \"hunter2\"").lines().next_back().unwrap().contains("hunter2"));
    }
}
