//! What every row of an answer can say of itself, however it is shown.

use serde::Serialize;

use super::Time;

/// A row of an answer: a flat record, whose fields are the columns.
pub trait Answer: Serialize {
    /// The columns that a person is shown, and their headings.
    const TABLE: &'static [(&'static str, &'static str)];

    /// The moments it is about, for a timeline.
    fn moments(&self) -> Vec<Moment>;
}

/// Something that happened at a moment.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub time: Time,
    /// What kind of moment: `Listener Opened`.
    pub kind: String,
    /// What happened, as a sentence.
    pub message: String,
}

impl Moment {
    /// A moment.
    #[must_use]
    pub fn new(time: Time, kind: &str, message: String) -> Self {
        Self { time, kind: kind.to_owned(), message }
    }
}
