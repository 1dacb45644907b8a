//! The kinds of events as the other formats name them: one table.

use super::document::Document;
use crate::event::{Action, Activity, Category, Class};

/// How events with one action are called elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `event.action`; of the rows in [`ANY_OTHER`], `event.dataset`.
    pub action: &'static str,
    /// What happened in a few words, the same for all events of the kind. Empty
    /// where the action itself has to do.
    pub caption: &'static str,
    /// OCSF class.
    pub class: Class,
    /// OCSF activity within the class.
    pub activity: Activity,
}

const fn kind(
    action: &'static str,
    caption: &'static str,
    class: Class,
    activity: Activity,
) -> Kind {
    Kind { action, caption, class, activity }
}

/// The kinds of another version of hostnet, by their dataset: lines that were written
/// elsewhere can have actions that are not known here.
pub const ANY_OTHER: &[Kind] = &[
    kind(Category::Network.dataset(), "", Class::Network, Activity::Other),
    kind(Category::Process.dataset(), "", Class::Process, Activity::Other),
    kind(Category::State.dataset(), "", Class::State, Activity::Is(1)),
    kind(Category::Finding.dataset(), "", Class::Finding, Activity::Is(1)),
    kind(Category::Health.dataset(), "", Class::Lifecycle, Activity::Other),
];

const FAILED: Kind = kind("", "", Class::Error, Activity::Is(1));

/// What is known of no dataset, either.
const UNKNOWN: Kind = kind("", "", Class::State, Activity::Other);

impl Kind {
    /// What events with an action of ours are elsewhere.
    #[must_use]
    pub const fn of_action(action: Action) -> Self {
        kind(action.name(), action.caption(), action.class(), action.activity())
    }

    /// The kind of an event.
    pub fn of(document: &Document<'_>) -> Self {
        let field = |path| document.text(path).unwrap_or_default();
        if let Some(action) = Action::from_name(&field("event.action")) {
            return Self::of_action(action);
        }
        let dataset = field("event.dataset");
        if dataset == Category::Health.dataset() && field("event.outcome") == "failure" {
            return FAILED;
        }
        ANY_OTHER.iter().copied().find(|kind| dataset == kind.action).unwrap_or(UNKNOWN)
    }

    /// What happened in a few words, where the action is this one.
    #[must_use]
    pub const fn caption<'a>(&self, action: &'a str) -> &'a str {
        if self.caption.is_empty() { action } else { self.caption }
    }

    /// Severity in the header of CEF, of a finding with that severity.
    #[must_use]
    pub fn cef_severity(&self, of_finding: Option<&str>) -> &'static str {
        match Severity::of(self.class, of_finding) {
            Severity::Unknown => "Unknown",
            Severity::Informational => "1",
            Severity::Low => "3",
            Severity::Medium => "5",
            Severity::High => "8",
            Severity::Critical => "10",
        }
    }
}

/// How much an event matters: of a finding as the rule says, else by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Of a finding without one: the one who reads it has to say.
    Unknown,
    /// What happened.
    Informational,
    /// Of a finding.
    Low,
    /// Of a finding; or the record has a gap, or will be poorer.
    Medium,
    /// Of a finding.
    High,
    /// Of a finding.
    Critical,
}

impl Severity {
    /// The severity of an event of a class, or of a finding with that severity.
    pub fn of(class: Class, of_finding: Option<&str>) -> Self {
        match class {
            Class::Finding => match of_finding {
                Some("low") => Self::Low,
                Some("medium") => Self::Medium,
                Some("high") => Self::High,
                Some("critical") => Self::Critical,
                _ => Self::Unknown,
            },
            Class::Error => Self::Medium,
            _ => Self::Informational,
        }
    }
}
