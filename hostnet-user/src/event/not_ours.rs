//! Why bytes are not an event: the field that is missing or nonsense, by its name.

/// Longest reason that is quoted: it may have a whole hostile line in it.
const LONGEST_REASON: usize = 200;

/// Why bytes are not an event that this version of hostnet can read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// They are no document of hostnet at all.
    #[error("not an event of hostnet: {0}")]
    NotAnEvent(String),
    /// A field is missing, or is not what it should be.
    #[error("{field}: {reason}")]
    Field {
        /// Its name, with dots.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An event of a kind that this version does not know.
    #[error("an event of a kind that this version does not know: {action}")]
    UnknownKind {
        /// `event.action`.
        action: String,
    },
}

impl NotOurs {
    /// Of a kind that this version does not know.
    #[must_use]
    pub fn of_kind(action: &str) -> Self {
        Self::UnknownKind { action: action.chars().take(LONGEST_REASON).collect() }
    }

    /// A field with something else than it should have.
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if let Some((at, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(at);
            reason.push('…');
        }
        Self::Field { field: field.into(), reason }
    }

    /// A field that is not there.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::field(field, "missing")
    }

    /// What is wrong below `field`, which is empty for the whole document.
    #[must_use]
    pub fn below(field: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string();
        let reason = error.inner().to_string();
        // The place in the line is of the part that was read, which says nothing.
        let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
        let name = match (field, path.as_str()) {
            (field, ".") => field.to_owned(),
            ("", path) => path.to_owned(),
            (field, path) => format!("{field}.{path}"),
        };
        let missing =
            reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match (name.as_str(), missing) {
            ("", _) => Self::NotAnEvent(reason.chars().take(LONGEST_REASON).collect()),
            (name, Some(missing)) => Self::missing(format!("{name}.{missing}")),
            _ => Self::field(name, reason),
        }
    }
}
