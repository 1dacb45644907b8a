//! The last word: Elastic's own schema on everything the other tests produced.

use std::fs;

use hostnet_tests::{ecs::Schema, events_directory, tell};

/// Cargo runs test programs by name, so this one sees all of this run's output.
#[test]
fn zz_every_event_is_valid_ecs() {
    let directory = events_directory();
    let Ok(files) = fs::read_dir(&directory) else {
        tell("skipping: no live test has written events here");
        return;
    };
    let schema = Schema::read();
    let (mut seen, mut faults) = (0, Vec::new());
    for file in files {
        let path = file.expect("a file").path();
        let text = fs::read(&path).expect("a file");
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            seen += 1;
            let errors = match serde_json::from_slice(line) {
                Ok(event) => schema.errors(&event),
                Err(error) => vec![format!("not JSON: {error}")],
            };
            if !errors.is_empty() {
                faults.push(format!("{}:{}: {}", path.display(), number + 1, errors.join("; ")));
            }
        }
    }
    assert!(seen > 0, "{} has no events", directory.display());
    let shown = faults.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(faults.is_empty(), "{} of {seen} events are not ECS:\n{shown}", faults.len());
    tell(&format!("{seen} events are valid ECS 9.4.0"));
}
