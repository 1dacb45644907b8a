//! How answers are printed. Every text in them may be somebody's who wants to move
//! the cursor, so tables and CSV show them as `text` does, JSON as `text::json` does.

use std::io::Write;

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::{super::progress, Format};
use crate::{
    query::{Answer, EventRow, SqlAnswer},
    text::{for_terminal, json},
};

/// Rows that a table is made of at a time: its columns are as wide as these need.
const TOGETHER: usize = 2000;

/// Digits of a second that a table shows.
const MILLISECONDS: usize = 3;

/// An answer on its way out.
pub struct Output {
    format: Format,
    out: Box<dyn Write>,
    table: Option<Table>,
    waiting: usize,
    rows: u64,
    has_header: bool,
}

impl Output {
    pub fn new(format: Format) -> Self {
        let out = Box::new(std::io::BufWriter::new(anstream::stdout()));
        Self { format, out, table: None, waiting: 0, rows: 0, has_header: false }
    }

    /// One row.
    pub fn row<A: Answer>(&mut self, row: &A) -> Result<()> {
        self.rows += 1;
        match self.format {
            Format::Json => {
                json::write(&mut self.out, row)?;
                writeln!(self.out)?;
            }
            Format::Csv => self.csv(row)?,
            Format::Timesketch => self.timesketch(row)?,
            Format::Table => self.cells::<A>(&serde_json::to_value(row)?)?,
        }
        Ok(())
    }

    /// An event: as JSON, the document itself.
    pub fn event(&mut self, row: &EventRow) -> Result<()> {
        if self.format != Format::Json {
            return self.row(row);
        }
        self.rows += 1;
        Ok(writeln!(self.out, "{}", json::escaped(&row.document))?)
    }

    fn csv<A: Answer>(&mut self, row: &A) -> Result<()> {
        let mut to =
            csv::WriterBuilder::new().has_headers(!self.has_header).from_writer(Vec::new());
        self.has_header = true;
        to.serialize(row)?;
        self.put_csv(&to.into_inner()?)
    }

    /// CSV has no escapes: its fields get those of a table.
    fn put_csv(&mut self, csv: &[u8]) -> Result<()> {
        let mut from = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
        let mut to = csv::Writer::from_writer(&mut self.out);
        for record in from.records() {
            to.write_record(record?.iter().map(|field| for_terminal(field).into_owned()))?;
        }
        Ok(to.flush()?)
    }

    fn timesketch<A: Answer>(&mut self, row: &A) -> Result<()> {
        let fields = serde_json::to_value(row)?;
        for moment in row.moments() {
            let mut line = fields.as_object().cloned().unwrap_or_default();
            line.retain(|_, value| !value.is_null());
            line.insert("message".to_owned(), moment.message.into());
            line.insert("datetime".to_owned(), moment.time.to_string().into());
            line.insert("timestamp".to_owned(), (moment.time.0 / 1000).into());
            line.insert("timestamp_desc".to_owned(), moment.kind.into());
            json::write(&mut self.out, &line)?;
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn cells<A: Answer>(&mut self, row: &Value) -> Result<()> {
        let header = || A::TABLE.iter().map(|(_, heading)| (*heading).to_owned()).collect();
        let cells = A::TABLE.iter().map(|(name, _)| cell(&row[*name])).collect();
        self.add(header, cells)
    }

    fn add(&mut self, header: impl FnOnce() -> Vec<String>, cells: Vec<String>) -> Result<()> {
        let table = self.table.get_or_insert_with(|| {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            table.set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(header());
            table
        });
        table.add_row(cells);
        self.waiting += 1;
        if self.waiting >= TOGETHER { self.put_table() } else { Ok(()) }
    }

    fn put_table(&mut self) -> Result<()> {
        self.waiting = 0;
        let Some(table) = self.table.take() else { return Ok(()) };
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim())?;
        }
        Ok(())
    }

    /// The answer to SQL.
    pub fn sql(&mut self, answer: &SqlAnswer) -> Result<()> {
        let SqlAnswer { columns, rows, .. } = answer;
        let mut to = csv::Writer::from_writer(Vec::new());
        if self.format == Format::Csv {
            to.write_record(columns)?;
        }
        for values in rows {
            self.rows += 1;
            match self.format {
                Format::Csv => to.write_record(values.iter().map(plain))?,
                Format::Table => {
                    let header = || columns.iter().map(|name| for_terminal(name).into()).collect();
                    self.add(header, values.iter().map(cell).collect())?;
                }
                Format::Json | Format::Timesketch => {
                    let pairs = columns.iter().cloned().zip(values.iter().cloned());
                    let line: serde_json::Map<String, Value> = pairs.collect();
                    json::write(&mut self.out, &line)?;
                    writeln!(self.out)?;
                }
            }
        }
        self.put_csv(&to.into_inner()?)
    }

    /// The end; says when there was nothing.
    pub fn finish(mut self, nothing: &str) -> Result<()> {
        self.put_table()?;
        self.out.flush()?;
        progress::done();
        if self.rows == 0 {
            writeln!(std::io::stderr(), "hostnet: {}", for_terminal(nothing))?;
        }
        Ok(())
    }
}

/// A value in a table: of a time, no more of the second than a person reads.
fn cell(value: &Value) -> String {
    let text = plain(value);
    let is_time = text.len() == 30 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    match text.split_once('.') {
        Some((whole, fraction)) if is_time => {
            format!("{whole}.{}Z", fraction.get(..MILLISECONDS).unwrap_or(fraction))
        }
        _ => for_terminal(&text).into_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
