//! A judgement: something that a container did, and should not have.

use std::{borrow::Cow, fmt, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    Action, Colour, Common, Direction, Documented, Field, Fitted, Info, NotOurs, Owner, Process,
    Told, UnixAddress, subject,
};
use crate::event::document::read;

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
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["low", "medium", "high", "critical"];

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
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::Finding, &["info"], Colour::Dim)
    }
    fn kind(&self) -> &'static str {
        "alert"
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

part! {
    /// `hostnet.finding`.
    struct FindingFields<'a> at "finding" {
        severity: Severity = Word(Severity::NAMES), "How much it matters: `event.severity` in a word.";
        #[serde(default)]
        subject: Cow<'a, str> = Text, "What it is about: the same act of the same owner has the same, and is reported once a day.";
        evidence: Uuid = Text, "`event.id` of the event that shows it.";
    }
}

own!(OwnOfFinding<'a> { finding: FindingFields<'a> });

/// `rule`.
#[derive(Serialize, Deserialize)]
pub struct RuleFields<'a> {
    #[serde(default)]
    description: Cow<'a, str>,
    id: Cow<'a, str>,
    #[serde(default)]
    name: Cow<'a, str>,
    ruleset: Cow<'a, str>,
}

/// `threat`.
#[derive(Serialize, Deserialize)]
pub struct Threat<'a> {
    #[serde(default)]
    framework: Cow<'a, str>,
    technique: Option<Techniques<'a>>,
}

/// `threat.technique`: a name belongs to the id at its place.
#[derive(Serialize, Deserialize)]
pub struct Techniques<'a> {
    #[serde(default)]
    id: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    name: Vec<Cow<'a, str>>,
}

/// Who makes rules.
const RULESETS: [&str; 2] = ["hostnet", "sigma"];

impl Rule {
    /// `rule` of its findings.
    #[must_use]
    pub fn fields(&self) -> RuleFields<'_> {
        RuleFields {
            description: (&*self.description).into(),
            id: (&*self.id).into(),
            name: (&*self.name).into(),
            ruleset: self.ruleset.into(),
        }
    }

    /// `threat` of its findings, when it names a technique.
    #[must_use]
    pub fn threat(&self) -> Option<Threat<'_>> {
        let each = |of: fn(&Technique) -> &str| {
            self.techniques
                .iter()
                .map(|technique| of(technique).into())
                .collect::<Vec<Cow<'_, str>>>()
        };
        let (id, mut name) = (each(|technique| &technique.id), each(|technique| &technique.name));
        if name.iter().any(|name| name.is_empty()) {
            name.clear();
        }
        let technique = Some(Techniques { id, name });
        let threat = Threat { framework: "MITRE ATT&CK".into(), technique };
        (!self.techniques.is_empty()).then_some(threat)
    }

    fn read(rule: &RawValue, threat: Option<&RawValue>) -> Result<Self, NotOurs> {
        let RuleFields { description, id, name, ruleset } = read("rule", rule)?;
        let ruleset = RULESETS.into_iter().find(|known| *known == ruleset);
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let threat: Option<Threat<'_>> = threat.map(|threat| read("threat", threat)).transpose()?;
        let techniques = threat.and_then(|threat| threat.technique).map_or_else(Vec::new, |all| {
            let mut names = all.name.into_iter();
            let technique =
                |id| Technique { id: owned(id), name: owned(names.next().unwrap_or_default()) };
            all.id.into_iter().map(technique).collect()
        });
        Ok(Self {
            id: owned(id),
            name: owned(name),
            description: owned(description),
            ruleset: ruleset.ok_or_else(|| NotOurs::field("rule.ruleset", "not known"))?,
            techniques,
        })
    }
}

impl Documented for Finding {
    const OPERATIONS: &'static [&'static str] = &[Action::Finding.name()];
    const FIELDS: &'static [&'static [Field]] = &[FindingFields::ROWS];
    type Own<'a> = OwnOfFinding<'a>;
    fn own<'a>(&'a self, fitted: Fitted<'a>) -> OwnOfFinding<'a> {
        let (severity, evidence) = (self.severity, self.evidence);
        OwnOfFinding {
            finding: FindingFields { severity, subject: fitted.subject.into(), evidence },
        }
    }
    fn read(own: OwnOfFinding<'_>, common: &Common<'_>) -> Result<Self, NotOurs> {
        let FindingFields { severity, subject, evidence } = own.finding;
        let rule = common.rule.ok_or_else(|| NotOurs::missing("rule"))?;
        Ok(Self {
            rule: Rule::read(rule, common.threat)?.into(),
            severity,
            subject: subject.into_owned(),
            sentence: sentence(common.message, common.owner, common.process),
            evidence,
            ends: FindingEnds {
                local: common.local,
                remote: common.remote,
                local_name: common.local_name.clone(),
                remote_name: common.remote_name.clone(),
                direction: common.direction()?,
            },
        })
    }
}

/// The message without who did it.
fn sentence(message: &str, owner: Option<&Owner>, process: Option<&Process>) -> String {
    let Some(owner) = owner else { return message.to_owned() };
    let mut who = String::new();
    subject(owner, process, &mut who);
    let rest = message.strip_prefix(&who).or_else(|| {
        // The image may have had a digest, which the document has nowhere else.
        let rest = message.strip_prefix(owner.label())?.strip_prefix(" (")?;
        rest.split_once(')').map(|(_, rest)| rest)
    });
    let rest = rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' ')));
    rest.unwrap_or(message).to_owned()
}
