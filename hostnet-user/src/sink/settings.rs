//! `[[sink]]` of the configuration: what all sinks have, and what each kind has.

use serde::{Deserialize, Serialize};

use super::{Destination, Outbox};
use crate::{
    event::{DATASETS, loopback},
    format::Format,
};

/// What may wait for a sink unless the configuration says otherwise, MiB.
const CAP_MIB: u32 = 1024;

/// `[[sink]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Settings {
    /// What all have.
    #[serde(flatten)]
    pub common: Common,
    /// Where it delivers to.
    #[serde(flatten)]
    pub destination: Destination,
}

/// What every sink has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Common {
    /// Its outbox is kept under this name; made of the destination when not given.
    pub name: Option<String>,
    /// The form of its messages.
    pub format: Format,
    /// Only these data sets, such as `hostnet.finding`; all when empty.
    pub datasets: Vec<String>,
    /// Only these actions, such as `connection_attempted`; all when empty.
    pub actions: Vec<String>,
    /// Most MiB of events that may wait for it; beyond, the oldest are dropped.
    pub cap_mib: u32,
}

impl Common {
    /// Its fields; whatever else is in `[[sink]]` is the destination's.
    const FIELDS: [&str; 5] = ["name", "format", "datasets", "actions", "cap_mib"];
}

impl Default for Common {
    fn default() -> Self {
        Self {
            name: None,
            format: Format::default(),
            datasets: Vec::new(),
            actions: Vec::new(),
            cap_mib: CAP_MIB,
        }
    }
}

impl Settings {
    /// Where it connects to on the loopback without TLS, if it does.
    #[must_use]
    pub fn on_loopback(&self) -> Option<loopback::Destination> {
        let places = self.destination.config().plaintext();
        let at = places.iter().flat_map(|(host, port)| loopback::addresses(host, *port));
        let at: Vec<_> = at.collect();
        let what = format!("what sink {} sends", self.name());
        (!at.is_empty()).then_some(loopback::Destination { what, at })
    }

    /// A sink with nothing special.
    #[must_use]
    pub fn new(destination: Destination) -> Self {
        Self { common: Common::default(), destination }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.common.name.clone().unwrap_or_else(|| self.destination.config().name())
    }

    /// What its outbox is to know.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        let Common { format, datasets, actions, cap_mib, .. } = self.common.clone();
        let cap = u64::from(cap_mib) << 20;
        Outbox { name: self.name(), format, datasets, actions, cap }
    }

    /// What is wrong with it, as far as that is to be seen.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.common.cap_mib == 0 {
            return Some("sink.cap_mib is 0: it must be at least 1".to_owned());
        }
        let unknown = self.common.datasets.iter().find(|name| !DATASETS.contains(&name.as_str()));
        if let Some(name) = unknown {
            let known = DATASETS.join(", ");
            return Some(format!("sink.datasets names {name:?}: it must be of {known}"));
        }
        self.destination.config().check().err().map(|error| error.to_string())
    }
}

/// Two structs share one table, and each must refuse what neither knows.
impl TryFrom<toml::Table> for Settings {
    type Error = toml::de::Error;

    fn try_from(mut table: toml::Table) -> Result<Self, Self::Error> {
        let mut common = toml::Table::new();
        for field in Common::FIELDS {
            common.extend(table.remove_entry(field));
        }
        Ok(Self { common: common.try_into()?, destination: table.try_into()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_all_have_and_what_one_has() {
        let text = "type = \"file\"\npath = \"/x\"\nname = \"siem\"\ncap_mib = 3\n\
                    datasets = [\"hostnet.finding\"]\nactions = [\"name-spoof\"]\n";
        let settings = parse(text).unwrap();
        let outbox = settings.outbox();
        assert_eq!((outbox.name.as_str(), outbox.cap), ("siem", 3 << 20));
        assert!(outbox.wants("hostnet.finding", "name-spoof"));
        assert!(!outbox.wants("hostnet.finding", "other"));
        assert!(!outbox.wants("hostnet.network", "name-spoof"));
        assert_eq!(settings.fault(), None);
        assert_eq!(parse("type = \"file\"\npath = \"/x\"\n").unwrap().name(), "file:/x");
    }

    #[test]
    fn plaintext_on_the_loopback_is_known() {
        let at = |text: &str| parse(text).unwrap().on_loopback().map(|to| to.at);
        let syslog = "type = \"syslog\"\naddress = \"127.0.0.1:514\"\n";
        assert_eq!(at(syslog), Some(vec![([127, 0, 0, 1], 514).into()]));
        assert_eq!(at(&format!("{syslog}tls = {{}}\n")), None);
        assert_eq!(at("type = \"syslog\"\naddress = \"log.example:514\"\n"), None);
        assert_eq!(at("type = \"unix\"\npath = \"/run/x\"\nmode = \"stream\"\n"), None);
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_token_in_a_url_is_not_in_its_sinks_name() {
        let text = "type = \"http\"\nframing = \"ndjson\"\n\
                    url = \"https://log.example:8443/hunter2?password=hunter2\"\n";
        assert_eq!(parse(text).unwrap().name(), "http:https://log.example:8443");
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_url_of_the_loopback_is_known() {
        let at = |url: &str| {
            let text = format!("type = \"http\"\nframing = \"ndjson\"\nurl = \"{url}\"\n");
            parse(&text).unwrap().on_loopback().map(|to| to.at)
        };
        assert_eq!(at("http://localhost/x").unwrap().len(), 2);
        assert_eq!(at("http://[::1]:8080/"), Some(vec!["[::1]:8080".parse().unwrap()]));
        assert_eq!(at("https://127.0.0.1:8080/"), None);
    }

    #[test]
    fn what_neither_knows_is_refused() {
        let error = parse("type = \"stdout\"\npath = \"/x\"\n").unwrap_err();
        assert!(error.contains("path"), "{error}");
        let error = parse("type = \"pigeon\"\n").unwrap_err();
        assert!(error.contains("pigeon"), "{error}");
        let error = parse("type = \"stdout\"\ncap_mib = \"much\"\n").unwrap_err();
        assert!(error.contains("much") || error.contains("integer"), "{error}");
        let wrong = parse("type = \"stdout\"\ndatasets = [\"network\"]\n").unwrap();
        assert!(wrong.fault().unwrap().contains("hostnet.network"));
    }
}
