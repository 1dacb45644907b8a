//! Which containers there were, as the history alone knows them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde::Serialize;

use super::{
    Answer, Filter, History, Moment, Time,
    filter::{Condition, IS_RARE},
    history::COLUMNS,
};
use crate::{event::Action, format::ecs::read::Read};

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

/// A name, with the first and the last event under it.
type Name = (String, Time, Time);

/// An owner and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) owner: String,
    pub(super) read: Read,
    pub(super) events: u64,
    pub(super) ids: (i64, i64),
    pub(super) times: (Time, Time),
    /// Every name that it had, with the first and the last event under it.
    pub(super) names: Vec<Name>,
}

impl Known {
    pub(super) fn name(&self) -> &str {
        self.read.container.label().unwrap_or(&self.owner)
    }

    /// Every id and name by which it may be asked for.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let has_id = self.read.container.id.is_some() || !self.names.is_empty();
        let names = self.names.iter().map(|(name, ..)| name.as_str());
        let names = names.chain(std::iter::once(""));
        names.filter(move |_| has_id).map(|name| (self.owner.as_str(), name))
    }

    /// The names as text, of one that had several.
    fn all_names(&self) -> String {
        if self.names.len() < 2 {
            return String::new();
        }
        let each = self.names.iter().map(|(name, first, last)| format!("{name} {first} to {last}"));
        each.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn image(&self) -> Option<String> {
        self.read.container.image()
    }

    pub(super) fn is_of_image(&self, wanted: &str) -> bool {
        self.read.container.image.name.as_deref() == Some(wanted)
            || self.image().as_deref() == Some(wanted)
    }
}

/// Everybody of whom there are events, with the last that was said of each.
pub(super) fn known(history: &History) -> Result<Vec<Known>> {
    let mut statement = history.connection.prepare_cached(
        "SELECT owner, sum(events), min(first_id), max(last_id), min(first_ns), max(last_ns) \
         FROM active GROUP BY owner ORDER BY 3",
    )?;
    let mut rows = statement.query([])?;
    let mut all_names = all_names(history)?;
    let mut known = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(2)?, row.get(3)?);
        // Names come late, and some events of a container are told without.
        let mut read = history.event(last)?.map(|event| event.read).unwrap_or_default();
        if read.container.name.is_none()
            && let Some(named) = history.event(first)?
            && named.read.container.name.is_some()
        {
            read = named.read;
        }
        let owner: String = row.get(0)?;
        known.push(Known {
            names: all_names.remove(&owner).unwrap_or_default(),
            owner,
            read,
            events: row.get::<_, i64>(1)?.cast_unsigned(),
            ids: (first, last),
            times: (Time(row.get(4)?), Time(row.get(5)?)),
        });
    }
    Ok(known)
}

/// Every name of every owner, in the order in which it had them.
fn all_names(history: &History) -> Result<HashMap<String, Vec<Name>>> {
    let mut statement = history.connection.prepare_cached(
        "SELECT owner, name, min(first_ns), max(last_ns) FROM name GROUP BY owner, name ORDER BY 3",
    )?;
    let mut rows = statement.query([])?;
    let mut names = HashMap::<String, Vec<Name>>::new();
    while let Some(row) = rows.next()? {
        let name = (row.get(1)?, Time(row.get(2)?), Time(row.get(3)?));
        names.entry(row.get(0)?).or_default().push(name);
    }
    Ok(names)
}

/// Names of owners, for answers that have only their ids.
pub(super) fn names(history: &History) -> Result<HashMap<String, (String, Option<String>)>> {
    let known = known(history)?;
    Ok(known
        .into_iter()
        .map(|one| (one.owner.clone(), (one.name().to_owned(), one.image())))
        .collect())
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
