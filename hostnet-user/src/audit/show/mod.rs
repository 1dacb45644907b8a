//! How an audit looks outside: for a person, and for other programs.

mod ocsf;
mod sarif;
mod table;

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::Audit;

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
        Form::Json => document(audit, &mut bytes)?,
        Form::Ocsf => {
            for event in ocsf::events(audit) {
                serde_json::to_writer(&mut bytes, &event)?;
                bytes.push(b'\n');
            }
        }
        Form::Sarif => document(&sarif::log(audit), &mut bytes)?,
    }
    to.write_all(&bytes)?;
    to.flush()?;
    Ok(())
}

fn document(value: &impl Serialize, to: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer_pretty(&mut *to, value)?;
    to.push(b'\n');
    Ok(())
}
