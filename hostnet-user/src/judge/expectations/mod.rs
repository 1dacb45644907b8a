//! Which containers may use the host's network, who says so, until when, and what
//! they may bind and reach there.
//!
//! The word is the configuration's, or where no entry of it speaks of a container,
//! that of the container's own labels. Labels are a claim of those who made the image
//! or started the container, so they count only where the configuration says so.
//! Pure: containers and times come in; this must not know where they are from.

mod access;
mod patterns;
mod settings;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;

pub use access::{Bind, Reach};
pub use patterns::{Glob, ImageGlob, LabelMatch};
pub use settings::{Entry, Settings, Until};

use crate::event::Container;

/// Says that the container is expected, when it is `true`.
pub const LABEL_EXPECTED: &str = "hostnet.expected";
/// Says why. Without a reason nothing is expected.
pub const LABEL_REASON: &str = "hostnet.reason";
/// Says until when, as a date.
pub const LABEL_UNTIL: &str = "hostnet.until";
/// Says who answers for it.
pub const LABEL_OWNER: &str = "hostnet.owner";

/// The longest text that is taken from a label, in bytes.
const LONGEST_LABEL: usize = 256;

/// Everything that is expected on this host.
#[derive(Clone, Debug)]
pub struct Expectations {
    entries: Vec<(Entry, Arc<Expectation>)>,
    trust_labels: bool,
}

/// One container's permission to use the host's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// Who says so.
    pub by: Source,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, in UTC; without one it does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What it may bind; without a list, anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<Vec<Bind>>,
    /// What it may reach; without a list, anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<Vec<Reach>>,
}

/// Who says that a container is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Source {
    /// An `[[expect]]` entry of the configuration.
    Config {
        /// Which one, from 1.
        entry: usize,
        /// What it matches by, as a person would write it.
        matches: String,
    },
    /// The container's own labels.
    Label,
}

/// `the expectation of [[expect]] entry 2`, `the expectation of its own labels`
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { entry, .. } => write!(f, "the expectation of [[expect]] entry {entry}"),
            Self::Label => f.write_str("the expectation of its own labels"),
        }
    }
}

/// How a container stands at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may use the host's network.
    Expected(Arc<Expectation>),
    /// It might, until this ended.
    Expired(Arc<Expectation>),
    /// Nobody has said that it may. `because` is why its labels are not enough,
    /// when it has some that speak of it.
    Unexpected {
        /// A sentence without a full stop.
        because: Option<&'static str>,
    },
}

impl Expectations {
    /// What the configuration says.
    #[must_use]
    pub fn new(entries: &[Entry], settings: &Settings) -> Self {
        let entries = entries.iter().enumerate().map(|(index, entry)| {
            let by = Source::Config { entry: index + 1, matches: entry.matches() };
            (entry.clone(), Arc::new(entry.expectation(by)))
        });
        Self { entries: entries.collect(), trust_labels: settings.trust_labels }
    }

    /// How a container stands at `wall_ns`, nanoseconds since 1970. The first entry
    /// that matches and has not ended counts; labels count where no entry matches.
    #[must_use]
    pub fn standing(&self, container: &Container, wall_ns: u64) -> Standing {
        let today = day(wall_ns);
        let mut matching =
            self.entries.iter().filter(|(entry, _)| entry.is_of(container)).peekable();
        let first = matching.peek().map(|(_, expectation)| expectation);
        match (matching.clone().find(|(_, one)| one.holds(today)), first) {
            (Some((_, expectation)), _) => Standing::Expected(Arc::clone(expectation)),
            (None, Some(ended)) => Standing::Expired(Arc::clone(ended)),
            (None, None) => self.claimed(container, today),
        }
    }

    /// What its labels say.
    fn claimed(&self, container: &Container, today: Date) -> Standing {
        let unexpected = |because| Standing::Unexpected { because };
        if label(container, LABEL_EXPECTED) != Some("true") {
            return unexpected(None);
        }
        if !self.trust_labels {
            return unexpected(Some(
                "only its own labels allow that, which expectations.trust_labels does not believe",
            ));
        }
        let Some(reason) = label(container, LABEL_REASON).filter(|text| !text.is_empty()) else {
            return unexpected(Some(
                "its label hostnet.expected is true, but there is no hostnet.reason",
            ));
        };
        let until = label(container, LABEL_UNTIL).map(|text| text.parse().map(Until));
        let Ok(until) = until.transpose() else {
            return unexpected(Some("its label hostnet.until is not a date such as 2027-01-31"));
        };
        let expectation = Expectation {
            by: Source::Label,
            owner: label(container, LABEL_OWNER).filter(|text| !text.is_empty()).map(str::to_owned),
            reason: reason.to_owned(),
            until,
            bind: None,
            reach: None,
        };
        let holds = expectation.holds(today);
        let expectation = Arc::new(expectation);
        if holds { Standing::Expected(expectation) } else { Standing::Expired(expectation) }
    }
}

impl Default for Expectations {
    /// Nothing is configured.
    fn default() -> Self {
        Self::new(&[], &Settings::default())
    }
}

impl Expectation {
    fn holds(&self, today: Date) -> bool {
        self.until.is_none_or(|until| today <= until.0)
    }

    /// Whether it may bind or listen on this port; `protocol` is `tcp` or `udp`.
    #[must_use]
    pub fn permits_bind(&self, protocol: &str, port: u16) -> bool {
        self.bind.as_ref().is_none_or(|list| list.iter().any(|one| one.has(protocol, port)))
    }

    /// Whether it may reach what is on this surface (its name, such as `internet`),
    /// at this address and port where it has them.
    #[must_use]
    pub fn permits_reach(&self, surface: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        self.reach
            .as_ref()
            .is_none_or(|list| list.iter().any(|one| one.has(surface, address, port)))
    }
}

impl Standing {
    /// The expectation that holds now.
    #[must_use]
    pub fn expected(&self) -> Option<&Expectation> {
        match self {
            Self::Expected(expectation) => Some(expectation),
            Self::Expired(_) | Self::Unexpected { .. } => None,
        }
    }

    /// `expected`, `expired` or `unexpected`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Expected(_) => "expected",
            Self::Expired(_) => "expired",
            Self::Unexpected { .. } => "unexpected",
        }
    }
}

/// The day in UTC.
fn day(wall_ns: u64) -> Date {
    let timestamp = Timestamp::from_nanosecond(i128::from(wall_ns));
    TimeZone::UTC.to_datetime(timestamp.unwrap_or(Timestamp::MAX)).date()
}

fn label<'a>(container: &'a Container, key: &str) -> Option<&'a str> {
    let text = container.labels.get(key)?.trim();
    Some(&text[..text.floor_char_boundary(LONGEST_LABEL)])
}
