//! A copy of a history that is whole by itself, while an agent goes on writing.

use std::path::Path;

use super::{error::StoreError, reader::Reader};

/// Copies a history as it is at one moment into a new file, which needs no others beside
/// it. Rows keep their places, so that the chain holds there as it does here.
///
/// # Errors
/// When it cannot be read, or `to` is there already or cannot be written.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let name =
        to.to_str().ok_or_else(|| StoreError::Damaged(format!("{} is not UTF-8", to.display())))?;
    let reader = Reader::open(from)?;
    reader.connection().execute("VACUUM INTO ?1", [name])?;
    Ok(())
}
