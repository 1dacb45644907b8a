//! What is said of one of our own fields: its name, what it holds, what it means.

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
pub const fn field(name: &'static str, kind: Kind, text: &'static str) -> Field {
    Field { name, kind, text }
}
