//! An event of OCSF while it is made: each attribute's value, as JSON, at its place.

use std::borrow::Cow;

use super::{places::Place, table::Table};

/// The event.
pub struct Event<'a> {
    pub table: &'static Table,
    /// By place; empty where there is none.
    values: Vec<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    pub fn new(table: &'static Table) -> Self {
        Self { table, values: vec![Cow::Borrowed(""); table.names.len()] }
    }

    /// Whether there is anything at a place, or below it.
    pub fn has(&self, place: Place) -> bool {
        self.values[place.range()].iter().any(|value| !value.is_empty())
    }

    /// The value at a place.
    pub fn get(&self, place: Place) -> Option<&Cow<'a, str>> {
        self.values[place.range()].first().filter(|value| !value.is_empty())
    }

    /// Puts a value at a place, unless the version of OCSF has none there.
    pub fn put(&mut self, place: Place, value: impl Into<Cow<'a, str>>) {
        if let Some(place) = self.values[place.range()].first_mut() {
            *place = value.into();
        }
    }

    /// Takes away what is at a place, and below it.
    pub fn remove(&mut self, place: Place) {
        self.values[place.range()].fill(Cow::Borrowed(""));
    }

    /// Moves what is below one place to below another.
    pub fn move_below(&mut self, from: Place, to: Place) {
        let names = &self.table.names;
        let (above, to) = (from.range().start, names.path(to.range().start));
        for place in from.range() {
            let value = std::mem::take(&mut self.values[place]);
            let rest = &names.path(place)[names.path(above).len()..];
            self.put(names.places(&format!("{to}{rest}")).into(), value);
        }
    }

    /// Appends it as JSON, and where `unmapped` goes what that appends.
    pub fn write(&self, to: &mut Vec<u8>, unmapped: impl Fn(&mut Vec<u8>)) {
        let Table { names, places, .. } = self.table;
        let rest = places.unmapped.range().start;
        let values = self.values.iter().enumerate().filter(|(_, value)| !value.is_empty());
        let values = values.map(|(place, value)| (names.at(place), (place, value)));
        names.write(values, to, |(place, value), to| {
            if place == rest {
                unmapped(to);
            } else {
                to.extend_from_slice(value.as_bytes());
            }
        });
    }
}
