//! Fields of documents under `hostnet`: what each holds and means. A part of a document is
//! one type that is written and read, with the rows that describe it.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
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
    pub kind: FieldKind,
    /// What it says.
    pub text: &'static str,
}

/// One row.
pub const fn field(name: &'static str, kind: FieldKind, text: &'static str) -> Field {
    Field { name, kind, text }
}

/// The type of a part of a document, at a name under `hostnet`. A field with a kind and a
/// text has a row; `as` says what it is called in documents when that is something else.
macro_rules! part {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $called:literal) => { $called };
    ($(#[$about:meta])* struct $name:ident $(<$life:lifetime>)? at $at:literal {
        $(
            $(#[$attribute:meta])*
            $field:ident: $type:ty
            $(= $kind:ident $(($words:expr))? $(as $called:literal)?, $text:literal)?;
        )*
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub struct $name $(<$life>)? {
            $(
                $(#[doc = $text] $(#[serde(rename = $called)])?)?
                $(#[$attribute])*
                pub $field: $type,
            )*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// What its fields say.
            pub const ROWS: &'static [$crate::event::Field] = &[$($($crate::event::field(
                concat!($at, ".", part!(@name $field $($called)?)),
                $crate::event::FieldKind::$kind $(($words))?,
                $text,
            ),)?)*];
        }
    };
}

/// The own fields of a kind: one object of a document, under its name.
macro_rules! own {
    ($name:ident $(<$life:lifetime>)? { $field:ident: $type:ty }) => {
        #[doc = concat!("Its own fields: `hostnet.", stringify!($field), "`.")]
        #[derive(serde::Serialize, serde::Deserialize)]
        pub struct $name $(<$life>)? { $field: $type }
    };
}

/// Whether a flag needs no writing.
pub const fn is_false(flag: &bool) -> bool {
    !*flag
}
