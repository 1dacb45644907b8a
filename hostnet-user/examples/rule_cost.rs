//! What a user's rules cost: CPU per event of making the document and of judging it,
//! by the number of rules. On a recorded run; prints microseconds.

use std::time::Instant;

use anyhow::Result;
use hostnet::{
    docs::{EVERY_KIND, replay},
    judge::sigma::{RuleText, Rules, pack},
};
use serde_json::Value;

const ROUNDS: usize = 200;

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let events = replay(EVERY_KIND)?;
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let count = (events.len() * ROUNDS) as f64;
    let began = Instant::now();
    for line in lines.iter().cycle().take(lines.len() * ROUNDS) {
        std::hint::black_box(serde_json::from_str::<Value>(line)?);
    }
    let document = began.elapsed().as_secs_f64() * 1e6 / count;
    println!("rules: {document:.1} us/event to read the document back, once whatever the rules");
    for copies in [1, 4, 16] {
        let texts: Vec<RuleText> = (0..copies).flat_map(copy).collect();
        let (rules, faults) = Rules::parse(&texts);
        anyhow::ensure!(faults.is_empty(), "{faults:?}");
        let began = Instant::now();
        let mut matches = 0;
        for event in events.iter().cycle().take(events.len() * ROUNDS) {
            matches += rules.judge(event).len();
        }
        let each = began.elapsed().as_secs_f64() * 1e6 / count;
        println!(
            "rules: {} rules: {each:.1} us/event, {:.2} us/event and rule ({matches} matches)",
            rules.len(),
            each / rules.len() as f64
        );
    }
    Ok(())
}

/// Our own rules under other ids.
fn copy(number: usize) -> Vec<RuleText> {
    let other = |text: &str| text.replacen("\nid: ", &format!("\nid: {number:04x}"), 1);
    let cut = |text: String| {
        // Four digits came in; as many go.
        let at = text.find("\nid: ").unwrap_or_default() + 9;
        format!("{}{}", &text[..at], &text[at + 4..])
    };
    let renamed = |RuleText { file, text }: RuleText| RuleText {
        file: format!("{number}/{file}"),
        text: cut(other(&text)),
    };
    pack().into_iter().map(renamed).collect()
}
