//! Takes events apart, those that are there and those that are lines of ECS. Nothing here
//! knows what becomes of the pieces.

use std::borrow::Cow;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{
    document::{Document, Field, Look, OBJECT, Parts, Walk},
    tree::{ROOT, Tree},
    typed::Pieces,
};
use crate::text::json;

/// Names that are kept at most: those of our own documents are a tenth of that.
const MOST_NAMES: usize = 4096;

/// Takes events apart. What is known of a name is kept for the next event.
pub struct Reader {
    look: Look,
    names: Tree<Field>,
    parts: Parts,
    /// The values of an event that has no text.
    written: Vec<u8>,
}

/// A line as the text of one JSON object.
///
/// # Errors
/// When it is none.
pub fn object(line: &[u8]) -> Result<Cow<'_, str>> {
    const NONE: &str = "not an event: not one JSON object";
    let text = serde_json::from_slice::<&RawValue>(line).context(NONE)?.get();
    ensure!(text.starts_with('{'), NONE);
    // What hostnet writes is as it is.
    let is_odd = |byte: u8| !(b' '..=b'~').contains(&byte);
    if !text.bytes().fold(false, |odd, byte| odd | is_odd(byte)) {
        return Ok(Cow::Borrowed(text));
    }
    if text.bytes().any(|byte| byte < b' ') {
        let value: Value = serde_json::from_str(text).context(NONE)?;
        return Ok(Cow::Owned(json::raw(&value).get().to_owned()));
    }
    Ok(json::escaped(text))
}

impl Reader {
    pub fn new(look: Look) -> Self {
        let names = Tree::new(Field::default());
        Self { look, names, parts: Parts::default(), written: Vec::new() }
    }

    /// The pieces of an object.
    ///
    /// # Errors
    /// When it is no event.
    pub fn read<'a>(&'a mut self, text: &'a str) -> Result<Document<'a>> {
        self.begin();
        Walk::new(self.look, &mut self.names, &mut self.parts, text, 0).object(ROOT);
        self.end();
        let document = Document { names: &self.names, parts: &self.parts, text };
        document.check()?;
        Ok(document)
    }

    /// The pieces of an event's document, and the most that this has when it is written.
    ///
    /// # Errors
    /// When it has what documents do not have.
    pub fn take(&mut self, document: &impl Serialize) -> Result<(Document<'_>, usize)> {
        self.begin();
        let Self { look, names, parts, written } = self;
        let mut pieces = Pieces { look: *look, names, parts, text: written, length: 0 };
        pieces.take(document)?;
        let length = pieces.length;
        self.end();
        let text = str::from_utf8(&self.written)?;
        Ok((Document { names: &self.names, parts: &self.parts, text }, length))
    }

    fn begin(&mut self) {
        if self.names.len() > MOST_NAMES {
            self.names = Tree::new(Field::default());
        }
        self.parts.values.clear();
        self.parts.objects.clear();
        self.written.clear();
    }

    fn end(&mut self) {
        self.names.sort();
        let Parts { values, objects, found } = &mut self.parts;
        found.clear();
        found.resize(self.names.len(), 0);
        objects.iter().for_each(|id| found[*id] = OBJECT);
        // Of two with one name the last counts.
        values.iter().zip(1..).for_each(|(part, index)| found[part.id] = index);
    }
}
