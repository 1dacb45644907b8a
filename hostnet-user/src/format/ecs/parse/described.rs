//! Labels of containers whose other events have only a few of them: those of the last event
//! that described the container, in the order in which documents are read.

use hashlink::LruCache;
use serde::Deserialize;

use super::{Document, NotOurs, read};
use crate::event::{Operation, Text};

/// Most containers; beyond, the labels of the one longest without an event are forgotten.
const MOST: usize = 4096;

/// What events described, by the container's id.
pub struct Described(LruCache<String, Box<str>>);

#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

impl Default for Described {
    fn default() -> Self {
        Self(LruCache::new(MOST))
    }
}

impl Described {
    /// `container` of the event that described this document's container; empty when none did.
    ///
    /// # Errors
    /// When the document's container has no id.
    pub fn of(&mut self, document: &Document<'_>, operation: &str) -> Result<&str, NotOurs> {
        let Some(container) = document.container else { return Ok("") };
        let Id { id } = read("container", container)?;
        if Operation::name_describes_container(operation) {
            self.0.insert(id.clone().into_owned(), container.get().into());
        }
        Ok(self.0.get(&*id).map_or("", |text| &**text))
    }
}
