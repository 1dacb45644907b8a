//! Why a history could not be used, and what that means for the agent.

use rusqlite::ErrorCode;

/// Why a history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer hostnet has written it.
    #[error(
        "its schema is version {found} and this hostnet knows up to {known}: use the newer \
         hostnet, or give this one another history.path"
    )]
    Newer {
        /// The version found.
        found: u32,
        /// The newest that this hostnet knows.
        known: u32,
    },
    /// What is in the file is not a history, or no longer.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It cannot be used now; it may be later.
    #[error("{0}")]
    Failed(String),
}

impl From<rusqlite::Error> for StoreError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "any other error may pass")]
    fn from(error: rusqlite::Error) -> Self {
        let reason = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    return Self::Damaged(error.to_string());
                }
                ErrorCode::DiskFull => "no space is left on its device".to_owned(),
                ErrorCode::ReadOnly => "it cannot be written, its file system is read-only".into(),
                _ => error.to_string(),
            },
            // A value of another type than any that is written.
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::QueryReturnedNoRows => return Self::Damaged(error.to_string()),
            _ => error.to_string(),
        };
        Self::Failed(reason)
    }
}

impl From<anyhow::Error> for StoreError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}
