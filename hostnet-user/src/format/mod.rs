//! What a record looks like outside hostnet.
//!
//! ECS is the native form: every record is written in it once, and whatever else
//! a destination wants is made from those bytes. Nothing here knows where they go.

pub mod ecs;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The forms a record can be sent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Elastic Common Schema 9.4, one JSON document per line.
    #[default]
    Ecs,
}

/// A record in a form, from its ECS document.
#[must_use]
pub fn encode(format: Format, document: &[u8]) -> Cow<'_, [u8]> {
    match format {
        Format::Ecs => Cow::Borrowed(document),
    }
}
