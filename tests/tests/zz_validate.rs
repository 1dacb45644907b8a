//! The last word: Elastic's and OCSF's own schemas on everything the other tests
//! produced.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use hostnet_tests::{ecs, events_directory, hostnet, ocsf, skip, tell};
use serde_json::Value;

/// Cargo runs test programs by name, so this one sees all of this run's output.
#[test]
fn zz_every_event_is_valid_ecs() {
    let Some(files) = files() else { return };
    let schema = ecs::Schema::read();
    let mut tally = Tally::default();
    for path in files {
        let text = fs::read(&path).expect("a file");
        tally.lines(&path.display().to_string(), &text, |event| schema.errors(event));
    }
    tally.end("ECS 9.4.0");
}

#[test]
fn zz_every_event_is_valid_ocsf() {
    let Some(files) = files() else { return };
    let schema = ocsf::Schema::read();
    let mut tally = Tally::default();
    let formats = ["ocsf", "ocsf-1.1.0"];
    for (path, format) in files.iter().flat_map(|path| formats.map(|format| (path, format))) {
        let converted = Command::new(hostnet())
            .args(["stream", "convert", "--format", format])
            .arg(path)
            .stderr(Stdio::inherit())
            .output()
            .expect("hostnet can be run");
        assert!(converted.status.success(), "{} can be converted", path.display());
        let text = converted.stdout;
        tally.lines(&path.display().to_string(), &text, |event| schema.errors(event));
    }
    tally.end("OCSF 1.8.0 and 1.1.0");
}

/// What the other tests left, if there were any.
fn files() -> Option<Vec<PathBuf>> {
    let Ok(files) = fs::read_dir(events_directory()) else {
        skip("no live test has written events here");
        return None;
    };
    Some(files.map(|file| file.expect("a file").path()).collect())
}

#[derive(Default)]
struct Tally {
    seen: usize,
    faults: Vec<String>,
}

impl Tally {
    fn lines(&mut self, file: &str, text: &[u8], judge: impl Fn(&Value) -> Vec<String>) {
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            self.seen += 1;
            let errors = match serde_json::from_slice(line) {
                Ok(event) => judge(&event),
                Err(error) => vec![format!("not JSON: {error}")],
            };
            if !errors.is_empty() {
                self.faults.push(format!("{file}:{}: {}", number + 1, errors.join("; ")));
            }
        }
    }

    fn end(self, schema: &str) {
        let Self { seen, faults } = self;
        assert!(seen > 0, "{} has no events", events_directory().display());
        let shown = faults.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(faults.is_empty(), "{} of {seen} events are not {schema}:\n{shown}", faults.len());
        tell(&format!("{seen} events are valid {schema}"));
    }
}
