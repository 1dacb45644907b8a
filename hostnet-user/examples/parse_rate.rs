//! How fast documents become events again: each line once, by one parser.
//! `cargo run --release --example parse_rate [FILE]`; without a file, the recorded run
//! again and again.

use std::time::Instant;

use anyhow::{Context, Result};
use hostnet::{docs, format::ecs::parse::Parser};

/// Documents that are read.
const DOCUMENTS: usize = 500_000;

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let lines: Vec<Vec<u8>> = match std::env::args_os().nth(1) {
        Some(file) => {
            let text = std::fs::read(&file).context("cannot read the file")?;
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(<[u8]>::to_vec).collect()
        }
        None => {
            let documents = docs::replay(docs::EVERY_KIND)?;
            documents.iter().map(|document| document.to_string().into_bytes()).collect()
        }
    };
    let mut parser = Parser::default();
    let (mut bytes, mut events) = (0, 0);
    let began = Instant::now();
    for line in lines.iter().cycle().take(DOCUMENTS) {
        bytes += line.len();
        events += usize::from(parser.record(line).is_ok());
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "parse: {:.0} documents/s, {:.0} MB/s",
        DOCUMENTS as f64 / took,
        bytes as f64 / took / 1e6
    );
    println!(
        "parse: {events} of {DOCUMENTS} are events, {:.0} bytes each",
        bytes as f64 / DOCUMENTS as f64
    );
    Ok(())
}
