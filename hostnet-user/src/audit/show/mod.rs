//! How an audit looks outside: for a person, and for other programs.

mod ocsf;
mod sarif;
mod table;

use std::io::Write;

use anyhow::Result;

use super::Audit;
use crate::text::json;

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A table for a person.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// OCSF 1.8.0, class 5040: one JSON document per line, for each subject and socket.
    Ocsf,
    /// SARIF 2.1.0, as code scanners write it.
    Sarif,
}

/// Writes an audit.
///
/// # Errors
/// When it cannot be written.
pub fn write(audit: &Audit, form: Form, mut to: impl Write) -> Result<()> {
    let mut bytes = Vec::new();
    match form {
        Form::Table => table::write(audit, &mut bytes)?,
        Form::Json => bytes.extend(json::pretty(audit)?.bytes()),
        Form::Ocsf => {
            for event in ocsf::events(audit) {
                json::write(&mut bytes, &event)?;
                bytes.push(b'\n');
            }
        }
        Form::Sarif => bytes.extend(json::pretty(&sarif::log(audit))?.bytes()),
    }
    to.write_all(&bytes)?;
    to.flush()?;
    Ok(())
}
