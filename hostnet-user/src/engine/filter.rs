//! Which events are passed on to the outputs: those of one container, as `event::select`
//! understands the word for it, of all containers that are known at that moment.

use std::collections::{BTreeSet, HashMap};

use crate::{
    attribute::RuntimeNews,
    event::{Event, NotSelected, Owner, select},
};

/// Most containers remembered, and most names of one.
const MOST: usize = 1 << 16;
const MOST_NAMES: usize = 64;

/// Passes everything, or what is of one container.
#[derive(Clone, Debug, Default)]
pub struct Filter(Option<Selector>);

#[derive(Clone, Debug)]
struct Selector {
    wanted: String,
    /// The names of all containers, by id.
    known: HashMap<String, BTreeSet<String>>,
    /// What is meant, by what is known.
    meant: Result<BTreeSet<String>, NotSelected>,
    /// The start is over: what an id began with stays meant when another comes that
    /// begins so.
    has_started: bool,
    /// Nothing that comes changes what is meant.
    is_fixed: bool,
}

impl Filter {
    /// The container that `wanted` means, by what comes to be known.
    #[must_use]
    pub fn of(wanted: Option<String>) -> Self {
        Self(wanted.map(|wanted| Selector {
            meant: Err(NotSelected::Unknown(wanted.clone())),
            wanted,
            known: HashMap::new(),
            has_started: false,
            is_fixed: false,
        }))
    }

    /// These containers.
    #[must_use]
    pub fn of_ids(ids: BTreeSet<String>) -> Self {
        let (wanted, known) = (String::new(), HashMap::new());
        let meant = Ok(ids);
        Self(Some(Selector { wanted, known, meant, has_started: true, is_fixed: true }))
    }

    /// Nothing that comes changes what is meant.
    #[must_use]
    pub fn fixed(mut self) -> Self {
        if let Some(selector) = &mut self.0 {
            selector.is_fixed = true;
        }
        self
    }

    /// Whether names that come decide what passes.
    #[must_use]
    pub fn needs_names(&self) -> bool {
        self.0.as_ref().is_some_and(|selector| !selector.is_fixed && !selector.has_started)
    }

    /// The containers that there are at the start are known now; says why none is meant.
    pub fn start(&mut self) -> Option<NotSelected> {
        let selector = self.0.as_mut()?;
        selector.has_started = true;
        selector.meant.as_ref().err().cloned()
    }

    /// News from a container runtime: containers have names.
    pub fn hear(&mut self, news: &RuntimeNews) {
        if let (Some(selector), RuntimeNews::Container(container)) = (&mut self.0, news) {
            selector.know(&container.id, &container.name);
        }
    }

    /// Notes whose an event is.
    pub fn note(&mut self, event: &Event) {
        let Some(selector) = &mut self.0 else { return };
        for owner in owners(event) {
            let Some(id) = &owner.container_id else { continue };
            let name = owner.container.as_ref().map_or("", |container| &container.name);
            selector.know(id, name);
        }
    }

    /// Whether an event is passed on.
    #[must_use]
    pub fn passes(&self, event: &Event) -> bool {
        let Some(selector) = &self.0 else { return true };
        if event.owner.is_none() {
            return true;
        }
        // What others do with its sockets is of it, too.
        owners(event).any(|owner| {
            let id = owner.container_id.as_ref();
            id.is_some_and(|id| selector.meant.as_ref().is_ok_and(|meant| meant.contains(id)))
        })
    }

    /// Why no container is meant, by what is known now.
    #[must_use]
    pub fn complaint(&self) -> Option<&NotSelected> {
        self.0.as_ref().and_then(|selector| selector.meant.as_ref().err())
    }
}

fn owners(event: &Event) -> impl Iterator<Item = &Owner> {
    [event.owner.as_deref(), event.creator.as_deref()].into_iter().flatten()
}

impl Selector {
    fn know(&mut self, id: &str, name: &str) {
        let is_known = self.known.get(id).is_some_and(|names| names.contains(name));
        if self.is_fixed || is_known || self.known.len() >= MOST {
            return;
        }
        let names = self.known.entry(id.to_owned()).or_default();
        if names.len() >= MOST_NAMES {
            return;
        }
        names.insert(name.to_owned());
        let all = self
            .known
            .iter()
            .flat_map(|(id, names)| names.iter().map(move |name| (id.as_str(), name.as_str())));
        let now = select(&self.wanted, all);
        let is_late = self.has_started && self.meant.is_ok();
        if !(is_late && matches!(now, Err(NotSelected::Ambiguous { .. }))) {
            self.meant = now;
        }
    }
}
