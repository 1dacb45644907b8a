//! CEF:0: one event of ours as one line of text.
//!
//! A pure function of the event in pieces. CEF is flat and has few names; what it has
//! one for is found in rules.rs, the rest has names of our own, made of ours:
//! `hostnet.owner.kind` is `hostnetOwnerKind`, `process.args` `hostnetProcessArgs`.
//! What is not text or number is JSON. Field by field: docs/formats.md.

mod escape;
mod rules;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

pub use rules::{FREE, How, RULES, Rule, SAID};

use self::escape::{extension, header};
use super::{
    document::{self, Document, Field, in_order},
    kinds::Kind,
    side::Side,
    tree::is_inside,
};

/// The key that names the keys whose values are JSON texts, because CEF has no
/// way to write what is in them.
pub const ESCAPED: &str = "hostnetEscaped";

/// What CEF makes of a field. The names of an object's fields have to be told apart in a key;
/// ours can.
pub fn look(name: &str, path: &str) -> Option<Field> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_ours = !name.is_empty() && name.chars().all(is_plain);
    // Of a whole event nothing else can be made.
    let is_known = is_ours || name == path;
    let own: Box<str> = own_key(path).into();
    is_known.then(|| Field {
        is_whole: FREE.contains(&path),
        is_said: SAID.iter().any(|said| is_inside(path, said)),
        rule: RULES.iter().position(|rule| rule.from == path),
        hash: BuildHasherDefault::<DefaultHasher>::default().hash_one(&own),
        own,
        ..Field::default()
    })
}

/// Appends the event, without a newline.
pub fn write(document: &Document<'_>, to: &mut Vec<u8>) {
    let kind = Kind::of(document);
    let field = |path| document.text(path).unwrap_or_default();
    let action = field("event.action");
    to.extend_from_slice(b"CEF:0|hostnet|hostnet");
    for value in [&*field("agent.version"), &*action, kind.caption(&action)] {
        to.push(b'|');
        header(value, to);
    }
    to.push(b'|');
    let severity = document.text("hostnet.finding.severity");
    to.extend_from_slice(kind.cef_severity(severity.as_deref()).as_bytes());
    to.push(b'|');
    let mut extensions = Extensions::after(to);
    let side = Side::of_owner(document).unwrap_or(Side::Source);
    for rule in RULES {
        if let Some((key, value)) = rule.apply(document, side) {
            extensions.push(key, &value);
            if let Some((key, label)) = rule.label {
                extensions.push(key, label);
            }
        }
    }
    rest(document, &mut extensions);
    extensions.finish();
}

/// Every field without a rule, under a name made of its own.
fn rest<'a>(document: &Document<'a>, extensions: &mut Extensions<'_, 'a>) {
    let names = document.names;
    let mut fields: Vec<(usize, &Field, &str)> = document.fields().collect();
    let is_said = |field: &Field, value: &str| {
        field.is_said || field.rule.is_some_and(|rule| rules::is_said(rule, value))
    };
    fields.retain(|(_, field, value)| !is_said(field, value));
    fields.sort_unstable_by_key(|(id, ..)| names.node(*id).place());
    for (_, field, value) in fields {
        extensions.push_own(&field.own, field.hash, &flat(value));
    }
}

/// Our own key for a field: letters and digits only, as CEF wants it.
#[must_use]
pub fn own_key(path: &str) -> String {
    let path = path.strip_prefix("hostnet.").unwrap_or(path);
    let mut key = String::from("hostnet");
    for word in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, others) = word.split_at(1);
        key.push_str(&first.to_ascii_uppercase());
        key.push_str(others);
    }
    key
}

/// A value as text: JSON, unless it is text.
fn flat(json: &str) -> Cow<'_, str> {
    document::text(json).unwrap_or_else(|| in_order(json))
}

/// The last part of a line.
struct Extensions<'t, 'a> {
    to: &'t mut Vec<u8>,
    is_first: bool,
    escaped: Vec<String>,
    /// Own keys so far, and which hashes they have: a bit for each.
    own: Vec<Cow<'a, str>>,
    hashes: [u64; 16],
    /// The own keys of an event that has more than [`FEW`], and the next number of those that
    /// several names make.
    more: HashSet<Cow<'a, str>>,
    numbers: HashMap<&'a str, u32>,
}

/// Own keys that are looked through one by one. Our own events have fewer; a line that somebody
/// else wrote may have any number.
const FEW: usize = 256;

impl<'t, 'a> Extensions<'t, 'a> {
    fn after(to: &'t mut Vec<u8>) -> Self {
        Self {
            to,
            is_first: true,
            escaped: Vec::new(),
            own: Vec::new(),
            hashes: [0; 16],
            more: HashSet::new(),
            numbers: HashMap::new(),
        }
    }

    fn push(&mut self, key: &str, value: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.to.push(b' ');
        }
        self.to.extend_from_slice(key.as_bytes());
        self.to.push(b'=');
        if extension(value, self.to) {
            self.escaped.push(key.to_owned());
        }
    }

    /// Two names that make one key, as `a_b` and `a.b` would: the later gets a number.
    fn push_own(&mut self, key: &'a str, hash: u64, value: &str) {
        let (word, bit) = ((hash >> 6) as usize % self.hashes.len(), 1 << (hash & 63));
        let mut unique = Cow::Borrowed(key);
        if self.own.len() > FEW {
            self.more.extend(self.own.drain(..));
        }
        // Few have the hash of another, and fewer its key.
        if self.hashes[word] & bit != 0 {
            while self.own.contains(&unique) || self.more.contains(&unique) {
                let number = self.numbers.entry(key).or_insert(2);
                unique = Cow::Owned(format!("{key}{number}"));
                *number += 1;
                // Who has this key as its own is not known by its hash.
                self.hashes = [u64::MAX; 16];
            }
        }
        self.hashes[word] |= bit;
        self.push(&unique, value);
        self.own.push(unique);
    }

    fn finish(mut self) {
        if !self.escaped.is_empty() {
            let keys = std::mem::take(&mut self.escaped).join(",");
            self.push(ESCAPED, &keys);
        }
    }
}

impl Rule {
    /// Whether this rule has the field in such an event, and as which key.
    fn apply<'a>(
        &self,
        document: &Document<'a>,
        side: Side,
    ) -> Option<(&'static str, Cow<'a, str>)> {
        let value = document.json(self.from)?;
        let key = match (self.other, side) {
            (Some(other), Side::Destination) => other,
            _ => self.key,
        };
        Some((key, self.how.of(value)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_names_that_make_one_key_have_keys_of_their_own() {
        let mut line = Vec::new();
        let mut extensions = Extensions::after(&mut line);
        let count = 4 * FEW;
        extensions.push_own("hostnetAb3", 7, "x");
        (1..count).for_each(|_| extensions.push_own("hostnetAb", 9, "x"));
        extensions.finish();
        let line = String::from_utf8(line).unwrap();
        let mut keys: Vec<&str> =
            line.split(' ').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        assert_eq!(keys[..4], ["hostnetAb3", "hostnetAb", "hostnetAb2", "hostnetAb4"]);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
