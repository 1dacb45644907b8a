//! A judgement: something that a container did, and should not have.

use std::{borrow::Cow, fmt, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Action, Direction, Told, UnixAddress};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Should have a reason.
    Medium,
    /// An attack looks like this.
    High,
    /// The host is as good as taken.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The next below, when there is one.
    #[must_use]
    pub const fn one_less(self) -> Self {
        match self {
            Self::Critical => Self::High,
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
        }
    }

    /// ECS `event.severity`, by the numbers that Elastic's own rules have.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Low => 21,
            Self::Medium => 47,
            Self::High => 73,
            Self::Critical => 99,
        }
    }
}

/// A technique of MITRE ATT&CK for Enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Technique {
    /// Such as `T1046`, or `T1552.005`.
    pub id: Cow<'static, str>,
    /// Such as `Network Service Discovery`; empty when only the id is known.
    pub name: Cow<'static, str>,
}

/// The rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Short and stable: a word for our own, a UUID for most others'.
    pub id: Cow<'static, str>,
    /// In a few words.
    pub name: Cow<'static, str>,
    /// What it means and what to do.
    pub description: Cow<'static, str>,
    /// `hostnet`, or `sigma` for a rule of the user's.
    pub ruleset: &'static str,
    /// What attackers do that looks like it.
    pub techniques: Vec<Technique>,
}

/// The event's owner did it; the process, the socket and the peer are those of the
/// event that shows it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wrong with it.
    pub rule: Arc<Rule>,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: the same act of the same owner has the same subject.
    pub subject: String,
    /// The sentence after the owner's name.
    pub sentence: String,
    /// The event that shows it.
    pub evidence: Uuid,
    /// Both ends of that, and who began.
    pub ends: FindingEnds,
}

/// The ends of the event that a finding is about.
#[derive(Clone, Debug, Default)]
pub struct FindingEnds {
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    pub local_name: Option<UnixAddress>,
    pub remote_name: Option<UnixAddress>,
    pub direction: Option<Direction>,
}

impl FindingEnds {
    /// Those of an operation.
    #[must_use]
    pub fn of(told: &dyn Told) -> Self {
        Self {
            local: told.local(),
            remote: told.remote(),
            local_name: told.local_name().cloned(),
            remote_name: told.remote_name().cloned(),
            direction: told.direction(),
        }
    }
}

impl Told for Finding {
    fn operation(&self) -> &'static str {
        Action::Finding.name()
    }
    fn action(&self) -> Action {
        Action::Finding
    }
    fn types(&self) -> &'static [&'static str] {
        &["info"]
    }
    fn local(&self) -> Option<SocketAddr> {
        self.ends.local
    }
    fn remote(&self) -> Option<SocketAddr> {
        self.ends.remote
    }
    fn local_name(&self) -> Option<&UnixAddress> {
        self.ends.local_name.as_ref()
    }
    fn remote_name(&self) -> Option<&UnixAddress> {
        self.ends.remote_name.as_ref()
    }
    fn direction(&self) -> Option<Direction> {
        self.ends.direction
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}
