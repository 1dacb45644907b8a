//! How advice looks outside: for a person, and as JSON.

mod summary;
mod text;
mod units;
mod wrap;

use std::io::Write;

use anyhow::Result;

use super::Advice;
use crate::text::json;

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Text for a person.
    #[default]
    Table,
    /// One JSON document: an array, one element per container.
    Json,
}

/// One line per container.
///
/// # Errors
/// When it cannot be written.
pub fn all(advice: &[Advice], form: Form, to: impl Write) -> Result<()> {
    write(advice, form, to, |bytes| summary::write(advice, bytes))
}

/// All that is to be said of each.
///
/// # Errors
/// When it cannot be written.
pub fn each(advice: &[Advice], form: Form, to: impl Write) -> Result<()> {
    write(advice, form, to, |bytes| {
        for (index, one) in advice.iter().enumerate() {
            if index > 0 {
                writeln!(bytes)?;
            }
            text::write(one, bytes)?;
        }
        Ok(())
    })
}

fn write(
    advice: &[Advice],
    form: Form,
    mut to: impl Write,
    table: impl Fn(&mut Vec<u8>) -> std::io::Result<()>,
) -> Result<()> {
    let mut bytes = Vec::new();
    match form {
        Form::Table => table(&mut bytes)?,
        Form::Json => bytes.extend(json::pretty(&advice)?.bytes()),
    }
    to.write_all(&bytes)?;
    to.flush()?;
    Ok(())
}
