//! `[[expect]]` and `[expectations]` of the configuration file. What is wrong in
//! them is refused where it is read, so that the error can name its line.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Bind, Expectation, Glob, ImageGlob, LabelMatch, Reach, Source};
use crate::event::Container;

/// The labels by which Compose, of Docker and of Podman, names its project.
const COMPOSE_PROJECT: [&str; 2] = ["com.docker.compose.project", "io.podman.compose.project"];

/// `[expectations]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Believe what containers' labels say of themselves. An image brings its labels along,
    /// so that with this any image excuses its own containers.
    pub trust_labels: bool,
}

/// `[[expect]]`: containers that may use the host's network. Of the ways to name
/// them at least one is given, and all that are given must be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Given")]
pub struct Entry {
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Glob>,
    /// Their image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageGlob>,
    /// A label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelMatch>,
    /// Their Compose project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compose_project: Option<Glob>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why they need it.
    pub reason: String,
    /// The last day on which it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What they may bind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<Vec<Bind>>,
    /// What they may reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<Vec<Reach>>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: Option<Glob>,
    image: Option<ImageGlob>,
    label: Option<LabelMatch>,
    compose_project: Option<Glob>,
    owner: Option<String>,
    reason: Option<String>,
    until: Option<Until>,
    bind: Option<Vec<Bind>>,
    reach: Option<Vec<Reach>>,
}

impl TryFrom<Given> for Entry {
    type Error = String;

    fn try_from(given: Given) -> Result<Self, String> {
        let Given { name, image, label, compose_project, owner, reason, until, bind, reach } =
            given;
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        let entry = Self {
            name,
            image,
            label,
            compose_project,
            owner,
            reason: reason.clone().unwrap_or_default(),
            until,
            bind,
            reach,
        };
        let matches = entry.matches();
        if matches.is_empty() {
            return Err("this expect entry names no container: give it a name, an image, a label \
                        or a compose_project"
                .to_owned());
        }
        if reason.is_none() {
            return Err(format!(
                "the expect entry of {matches} has no reason: say why it needs the host's network"
            ));
        }
        Ok(entry)
    }
}

impl Entry {
    /// Whether it is about this container.
    #[must_use]
    pub fn is_of(&self, container: &Container) -> bool {
        let Container { name, image, labels, .. } = container;
        let project = || COMPOSE_PROJECT.iter().find_map(|key| labels.get(*key));
        self.name.as_ref().is_none_or(|glob| glob.has(name))
            && self.image.as_ref().is_none_or(|glob| glob.has(image))
            && self
                .label
                .as_ref()
                .is_none_or(|label| labels.get(label.key()).is_some_and(|value| label.has(value)))
            && self
                .compose_project
                .as_ref()
                .is_none_or(|glob| project().is_some_and(|project| glob.has(project)))
    }

    /// What it names containers by: `name web-*, image nginx`.
    #[must_use]
    pub fn matches(&self) -> String {
        let part = |word: &str, value: Option<String>| value.map(|value| format!("{word} {value}"));
        let parts = [
            part("name", self.name.as_ref().map(Glob::to_string)),
            part("image", self.image.as_ref().map(ImageGlob::to_string)),
            part("label", self.label.as_ref().map(LabelMatch::to_string)),
            part("compose_project", self.compose_project.as_ref().map(Glob::to_string)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    pub(super) fn expectation(&self, by: Source) -> Expectation {
        Expectation {
            by,
            owner: self.owner.clone(),
            reason: self.reason.clone(),
            until: self.until,
            bind: self.bind.clone(),
            reach: self.reach.clone(),
        }
    }
}

/// A day, written as TOML's own date or as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Day", into = "String")]
pub struct Until(pub Date);

#[derive(Deserialize)]
#[serde(untagged)]
enum Day {
    Toml(toml::value::Datetime),
    Text(String),
}

impl TryFrom<Day> for Until {
    type Error = String;

    fn try_from(day: Day) -> Result<Self, String> {
        let text = match day {
            Day::Toml(datetime) => datetime.to_string(),
            Day::Text(text) => text,
        };
        let parsed = text.parse().map(Self);
        parsed.map_err(|_| format!("{text:?} is not a date: write it as 2027-01-31"))
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Until> for String {
    fn from(until: Until) -> Self {
        until.0.to_string()
    }
}
