//! One event in pieces: each field with its value as JSON, in the order of the ECS document.
//! What the other formats are made from. Nothing here knows how a field is called elsewhere.

use std::borrow::Cow;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::tree::Tree;
use crate::text::json;

/// How deep fields may be inside each other; what is deeper is one value.
const DEEPEST: usize = 16;

/// What a format makes of a field, by its name alone.
#[derive(Default)]
pub struct Field {
    /// An object here is one value.
    pub is_whole: bool,
    /// Rows are about what is in it; without that there is nothing to say.
    pub is_object: bool,
    /// Others say it.
    pub is_said: bool,
    /// The row of the format's table.
    pub rule: Option<usize>,
    /// Its own name there.
    pub own: Box<str>,
    /// Its hash.
    pub hash: u64,
}

/// What a format makes of the field with this name and path; `None` where the object that it is
/// in has to be one value.
pub type Look = fn(&str, &str) -> Option<Field>;

/// What an event has.
#[derive(Default)]
pub struct Parts {
    pub values: Vec<Part>,
    pub objects: Vec<usize>,
    /// Of each name, which of `values` it has, beginning with one.
    pub found: Vec<usize>,
}

/// A value: its name, and where its text is.
pub struct Part {
    pub id: usize,
    start: usize,
    end: usize,
}

impl Part {
    fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

impl Parts {
    /// There is a value with this name, from one place in the text to another.
    pub fn push(&mut self, id: usize, start: usize, end: usize) {
        self.values.push(Part { id, start, end });
    }

    /// There is an object with this name.
    pub fn push_object(&mut self, id: usize) {
        self.objects.push(id);
    }
}

/// In `found`, that there is an object with that name.
pub const OBJECT: usize = usize::MAX;

/// An event in pieces.
pub struct Document<'a> {
    pub names: &'a Tree<Field>,
    pub parts: &'a Parts,
    pub text: &'a str,
}

impl<'a> Document<'a> {
    /// Whether it has what every event has.
    ///
    /// # Errors
    /// When it is no event.
    pub fn check(&self) -> Result<()> {
        for field in ["@timestamp", "event.action", "event.id"] {
            ensure!(self.text(field).is_some(), "not an event: without {field}");
        }
        let time = self.text("@timestamp").unwrap_or_default();
        if time.parse::<Timestamp>().is_err() {
            bail!("not an event: @timestamp is no time");
        }
        Ok(())
    }

    /// Every field: its name, what its format makes of it, and its value.
    pub fn fields(&self) -> impl Iterator<Item = (usize, &'a Field, &'a str)> {
        let Self { names, parts, text } = *self;
        parts.values.iter().zip(1..).filter_map(move |(part, index)| {
            let is_last = parts.found[part.id] == index;
            is_last.then(|| (part.id, &names.node(part.id).about, part.of(text)))
        })
    }

    /// What is at a dotted path, as JSON, unless it is an object of several.
    pub fn json(&self, path: &str) -> Option<&'a str> {
        let index = self.parts.found[self.names.find(path)?];
        Some(self.parts.values.get(index.checked_sub(1)?)?.of(self.text))
    }

    /// The text at a dotted path.
    pub fn text(&self, path: &str) -> Option<Cow<'a, str>> {
        self.json(path).and_then(text)
    }

    /// Whether there is anything at a dotted path.
    pub fn has(&self, path: &str) -> bool {
        self.names.find(path).is_some_and(|id| self.parts.found[id] != 0)
    }
}

/// The text that a JSON text is.
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    let plain = json.strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(plain))
    }
}

/// A value that may have objects in it, with their fields in the order of their names.
pub fn in_order(json: &str) -> Cow<'_, str> {
    if !json.starts_with(['[', '{']) || !json.contains('{') {
        return Cow::Borrowed(json);
    }
    match serde_json::from_str::<Value>(json) {
        Ok(value) => Cow::Owned(json::raw(&value).get().to_owned()),
        Err(_) => Cow::Borrowed(json),
    }
}

/// On its way through a text.
pub struct Walk<'w> {
    look: Look,
    names: &'w mut Tree<Field>,
    parts: &'w mut Parts,
    text: &'w str,
    /// Where the text is in the event's.
    start: usize,
    at: usize,
}

impl<'w> Walk<'w> {
    /// A walk through JSON that is known to be some.
    pub fn new(
        look: Look,
        names: &'w mut Tree<Field>,
        parts: &'w mut Parts,
        text: &'w str,
        start: usize,
    ) -> Self {
        Self { look, names, parts, text, start, at: 0 }
    }

    /// Goes through the object that begins here; `false` where it has to be one value.
    pub fn object(&mut self, of: usize) -> bool {
        let mut previous = None;
        self.at += 1;
        loop {
            self.pass(|byte| byte == b',' || byte.is_ascii_whitespace());
            if self.byte() != b'"' {
                break;
            }
            let start = self.at;
            let is_plain = self.pass_text();
            let name = self.text.get(start..self.at).unwrap_or_default();
            let name = match is_plain {
                true => Cow::Borrowed(name.trim_matches('"')),
                false => text(name).unwrap_or_default(),
            };
            self.pass(|byte| byte == b':' || byte.is_ascii_whitespace());
            let Some(id) = self.names.child(of, previous, &name, self.look) else { return false };
            previous = Some(id);
            self.value(id);
        }
        self.at += 1;
        true
    }

    /// Goes through the value that begins here.
    pub fn value(&mut self, id: usize) {
        let (start, node) = (self.at, self.names.node(id));
        if self.byte() == b'{' && !node.about.is_whole && node.depth() < DEEPEST {
            let (values, objects) = (self.parts.values.len(), self.parts.objects.len());
            self.parts.push_object(id);
            // An empty object is a value.
            if self.object(id) && self.parts.values.len() > values {
                return;
            }
            self.parts.values.truncate(values);
            self.parts.objects.truncate(objects);
            self.at = start;
        }
        self.pass_value();
        self.parts.push(id, self.start + start, self.start + self.at);
    }

    /// The byte here; 0, which JSON does not have, at the end.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn pass(&mut self, is_passed: impl Fn(u8) -> bool) {
        while is_passed(self.byte()) {
            self.at += 1;
        }
    }

    /// Passes a text; whether it is as it is written.
    fn pass_text(&mut self) -> bool {
        let mut is_plain = true;
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(length) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                self.at = self.text.len();
                return is_plain;
            };
            self.at += length + 1;
            if rest[length] == b'"' {
                return is_plain;
            }
            is_plain = false;
            self.at += 1;
        }
    }

    fn pass_value(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.byte() {
                b'"' => {
                    self.pass_text();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                0 => return,
                _ if depth > 0 => self.at += 1,
                _ => self.pass(|byte| {
                    !matches!(byte, b',' | b'}' | b']' | 0) && !byte.is_ascii_whitespace()
                }),
            }
            if depth == 0 {
                return;
            }
        }
    }
}
