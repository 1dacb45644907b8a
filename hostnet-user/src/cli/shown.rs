//! How a command shows events: `--format`, and `--json` for short.

use crate::{
    format::{Format, Lines, ecs::Identity},
    output::{LineStream, Output, Table},
};

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
        let format = match self.choice() {
            Choice::Table => return Box::new(Table::new(anstream::stdout())),
            Choice::Json => Format::Ecs,
            Choice::Ocsf => Format::Ocsf,
            Choice::Cef => Format::Cef,
        };
        Box::new(LineStream::new(Lines::new(identity, format), std::io::stdout()))
    }

    fn choice(&self) -> Choice {
        if self.json { Choice::Json } else { self.format }
    }
}
