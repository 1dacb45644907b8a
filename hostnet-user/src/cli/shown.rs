//! How a command shows events: `--format`, and `--json` for short.

use std::io::{BufWriter, Stdout, Write as _};

use anyhow::Result;

use crate::{
    event::Recorded,
    format::{Format, Lines, Renderer, ecs::Identity},
    output::{LineStream, Output, Table},
    past::Told,
};

/// Rows of a table that are held back before they are written.
const BATCH: u32 = 256;

#[derive(clap::Args)]
pub struct Shown {
    /// How events are printed.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Choice,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// A table for a person.
    #[default]
    Table,
    /// Elastic Common Schema 9.4, hostnet's own format: one JSON document per line.
    #[value(alias = "ecs")]
    Json,
    /// OCSF 1.8.0: one JSON document per line.
    Ocsf,
    /// The same in version 1.1.0.
    #[value(name = "ocsf-1.1.0")]
    Ocsf1_1,
    /// CEF:0: one event per line.
    Cef,
}

impl Shown {
    /// Whether a person reads it.
    pub fn is_table(&self) -> bool {
        self.choice() == Choice::Table
    }

    /// The output on standard output.
    pub fn output(&self, identity: &Identity) -> Box<dyn Output> {
        match self.lines() {
            Some(format) => {
                Box::new(LineStream::new(Lines::new(identity, format), std::io::stdout()))
            }
            None => Box::new(Table::new(anstream::stdout())),
        }
    }

    /// The same for events that were told before.
    pub fn retold(&self) -> Retold {
        match self.lines() {
            Some(format) => {
                let out = BufWriter::with_capacity(1 << 16, std::io::stdout());
                let renderer = Renderer::new(format).into();
                Retold::Lines { format, renderer, out, line: Vec::new(), new: None }
            }
            None => Retold::Table { table: Box::new(Table::new(anstream::stdout())), held: 0 },
        }
    }

    /// The format of the lines, when it is lines.
    fn lines(&self) -> Option<Format> {
        match self.choice() {
            Choice::Table => None,
            Choice::Json => Some(Format::Ecs),
            Choice::Ocsf => Some(Format::Ocsf),
            Choice::Ocsf1_1 => Some(Format::Ocsf1_1),
            Choice::Cef => Some(Format::Cef),
        }
    }

    fn choice(&self) -> Choice {
        if self.json { Choice::Json } else { self.format }
    }
}

/// Shows events that were told before. Their documents stay what they are, so that
/// nothing is lost which this version does not know.
pub enum Retold {
    /// For a person.
    Table { table: Box<dyn Output>, held: u32 },
    /// In a format.
    Lines {
        format: Format,
        renderer: Box<Renderer>,
        out: BufWriter<Stdout>,
        line: Vec<u8>,
        /// What writes events that are new, and of which run it writes.
        new: Option<Box<(Identity, Lines)>>,
    },
}

impl Retold {
    /// Shows one; it may be held back until [`flush`](Self::flush).
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn write(&mut self, told: &Told) -> Result<()> {
        match self {
            Self::Table { .. } => self.row(&told.record),
            Self::Lines { renderer, out, line, .. } => {
                line.clear();
                renderer.render(&told.document, line)?;
                line.push(b'\n');
                Ok(out.write_all(line)?)
            }
        }
    }

    /// Shows an event that is new, such as a finding, of that host and run.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn found(&mut self, record: &Recorded, identity: Option<&Identity>) -> Result<()> {
        match self {
            Self::Table { .. } => self.row(record),
            Self::Lines { format, out, line, new, .. } => {
                let identity = identity.cloned().unwrap_or_default();
                if new.as_ref().is_none_or(|new| new.0 != identity) {
                    let lines = Lines::new(&identity, *format);
                    *new = Some(Box::new((identity, lines)));
                }
                line.clear();
                if let Some(new) = new {
                    new.1.append(record, line)?;
                }
                Ok(out.write_all(line)?)
            }
        }
    }

    fn row(&mut self, record: &Recorded) -> Result<()> {
        let Self::Table { table, held } = self else { return Ok(()) };
        table.write(record)?;
        *held += 1;
        if *held % BATCH == 0 { table.flush() } else { Ok(()) }
    }

    /// Writes out what was held back.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        match self {
            Self::Table { table, .. } => table.flush(),
            Self::Lines { out, .. } => Ok(out.flush()?),
        }
    }
}
