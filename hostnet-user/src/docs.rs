//! Documentation that is made from the code: docs/events.md and the JSON Schema.

use anyhow::Result;

/// docs/events.md.
///
/// # Errors
/// When a sample cannot be encoded.
pub fn events() -> Result<String> {
    Ok(String::new())
}

/// docs/hostnet-event.schema.json.
///
/// # Errors
/// When the schema cannot be written as JSON.
pub fn schema() -> Result<String> {
    Ok(String::new())
}
