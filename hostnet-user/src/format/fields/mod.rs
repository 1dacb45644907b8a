//! Our own fields, those under `hostnet`: the name of each, what it holds, what it means.

mod list;
mod words;

pub use list::FIELDS;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, zero or more.
    Number,
    /// True or false.
    Flag,
    /// An IP address.
    Ip,
    /// Texts.
    Texts,
    /// Several objects, each with the fields whose names follow this one's.
    Objects,
    /// An object that is passed on as it is.
    Free,
}

/// A field under `hostnet`.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Dotted name without the leading `hostnet.`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it says.
    pub text: &'static str,
}

/// One row of the list.
const fn field(name: &'static str, kind: Kind, text: &'static str) -> Field {
    Field { name, kind, text }
}
