//! Our own fields, those under `hostnet`: the name of each, what it holds, what it means.

mod list;
mod words;

use crate::event::field;
pub use crate::event::{Field, FieldKind as Kind};
pub use list::FIELDS;
