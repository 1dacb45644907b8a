//! What the judgement costs: CPU per event of saying where it is aimed and of all
//! detections, beside what it costs to write the event. On a recorded run; prints
//! medians of many rounds in microseconds, and their ratios, which depend less on the
//! machine.

use std::time::Instant;

use anyhow::Result;
use hostnet::{
    docs::{EVERY_KIND, replay},
    event::{Event, Recorded},
    format::ecs::{Encoder, parse::Parser},
    judge::{Judge, Law, Settings},
};

const ROUNDS: usize = 1001;

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let mut parser = Parser::default();
    let mut records = Vec::new();
    for document in replay(EVERY_KIND)? {
        let record = parser.record(document.to_string().as_bytes())?;
        if !record.event.is_finding() {
            records.push(record);
        }
    }
    let identity = parser.identity().cloned().unwrap_or_default();
    let off = Settings { enabled: false, ..Settings::default() };
    let mut surfaces = Judge::new(&Law { settings: off, ..Law::default() });
    let surface = median(&records, |events| judge(&mut surfaces, events));
    // After the first round it has told everything that there is to tell, as on a host on
    // which nothing new happens.
    let mut again = Judge::new(&Law::default());
    let all = median(&records, |events| judge(&mut again, events));
    let first = median(&records, |events| judge(&mut Judge::new(&Law::default()), events));
    let (mut encoder, mut line) = (Encoder::new(&identity), Vec::new());
    let written = median(&records, |_| {
        for record in &records {
            line.clear();
            // What cannot be written costs, too.
            std::hint::black_box(encoder.encode(record, &mut line).is_ok());
        }
    });
    let part = |of: f64| 100.0 * of / written;
    println!("judge: {} events, medians of {ROUNDS} rounds", records.len());
    println!("judge: {written:.2} us/event to write it as ECS");
    println!("judge: {surface:.2} us/event for where it is aimed, {:.0} % of that", part(surface));
    println!("judge: {all:.2} us/event with all detections, {:.0} %", part(all));
    println!("judge: {first:.2} us/event where all findings are news, {:.0} %", part(first));
    Ok(())
}

fn judge(judge: &mut Judge, events: &mut [Event]) {
    let mut findings = Vec::new();
    for event in events {
        judge.judge(event, &mut findings);
        std::hint::black_box(findings.drain(..).count());
    }
}

/// Microseconds per event.
fn median(records: &[Recorded], mut work: impl FnMut(&mut [Event])) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let fresh = |record: &Recorded| Event { surface: None, ..record.event.clone() };
            let mut events: Vec<Event> = records.iter().map(fresh).collect();
            let began = Instant::now();
            work(&mut events);
            began.elapsed().as_secs_f64() * 1e6 / records.len() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
