//! Which containers there were, as the history alone knows them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;

use super::{
    Answer, Filter, History, Moment, Time,
    filter::{Condition, IS_RARE},
    history::COLUMNS,
    known::known,
};
use crate::event::Action;

/// A container, as long as it was seen in the host's network namespace.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerRow {
    /// Its last name, or the beginning of the id while no name is known.
    pub container: String,
    /// Every name that it had, each with the times of the first and the last event under it;
    /// empty when it had one.
    pub names: String,
    /// Full id; `host` or `unknown` for what is no container.
    pub container_id: String,
    /// Image as it was asked for.
    pub image: Option<String>,
    /// Runtime.
    pub runtime: Option<String>,
    /// The network mode it declares.
    pub declared: Option<String>,
    /// How sure its owner is, in its last event.
    pub confidence: String,
    /// First event.
    pub first: Time,
    /// Last event.
    pub last: Time,
    /// When it was told to have entered the host's network namespace, the first time.
    pub joined: Option<Time>,
    /// When it was told to have left, the last time.
    pub left: Option<Time>,
    /// How many events.
    pub events: u64,
}

impl Answer for ContainerRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("container", "CONTAINER"),
        ("container_id", "ID"),
        ("names", "NAMES"),
        ("image", "IMAGE"),
        ("declared", "DECLARED"),
        ("first", "FIRST"),
        ("last", "LAST"),
        ("left", "LEFT"),
        ("events", "EVENTS"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let who = &self.container;
        vec![
            Moment::new(self.first, "Container First Seen", format!("{who} was first seen")),
            Moment::new(self.last, "Container Last Seen", format!("{who} was last seen")),
        ]
    }
}

/// When each of these owners, or everybody, entered or left.
pub(super) fn moments(
    history: &History,
    action: Action,
    owners: Option<&BTreeSet<String>>,
) -> Result<BTreeMap<String, Vec<Time>>> {
    let mut condition = Condition::default();
    condition.plain(IS_RARE);
    condition.with("e.action = ?", action.name().to_owned());
    if let Some(owners) = owners {
        condition.one_of("e.owner", owners.iter().map(String::as_str));
    }
    let question =
        format!("SELECT {COLUMNS} FROM event e WHERE {} ORDER BY e.time_ns", condition.sql());
    let mut moments = BTreeMap::<String, Vec<Time>>::new();
    history.each(&question, &condition.values, |event| {
        moments.entry(event.owner).or_default().push(event.time);
        Ok(true)
    })?;
    Ok(moments)
}

/// The containers there were, in the order in which they came.
///
/// # Errors
/// When the history cannot be read, or knows nobody like that.
pub fn containers(history: &History, filter: &Filter) -> Result<Vec<ContainerRow>> {
    let owners = filter.owners(history)?;
    let joined = moments(history, Action::ContainerJoinedHostNetwork, owners.as_ref())?;
    let left = moments(history, Action::ContainerLeftHostNetwork, owners.as_ref())?;
    let mut rows = Vec::new();
    for one in known(history)? {
        let (first, last) = one.times;
        let is_meant = owners.as_ref().is_none_or(|owners| owners.contains(&one.owner));
        if !is_meant || last < filter.from() || first > filter.to() {
            continue;
        }
        rows.push(ContainerRow {
            container: one.name().to_owned(),
            names: one.all_names(),
            image: one.image(),
            runtime: one.read.container.runtime.clone(),
            declared: one.read.hostnet.netns.declared.clone(),
            confidence: one.read.hostnet.attribution.confidence.clone(),
            first,
            last,
            joined: joined.get(&one.owner).and_then(|times| times.first()).copied(),
            left: left.get(&one.owner).and_then(|times| times.last()).copied(),
            events: one.events,
            container_id: one.owner,
        });
    }
    rows.truncate(filter.most());
    Ok(rows)
}
