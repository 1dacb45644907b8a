//! What a VM said on its second serial port: which program ended how, and what
//! it wrote until then.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The report of one VM.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The kernel's own name.
    pub kernel: String,
    /// In the order in which they ran.
    pub programs: Vec<Ran>,
    /// Why the VM did not come to its end.
    pub failure: Option<String>,
}

/// A program that ran.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub name: String,
    /// Both its outputs.
    pub output: String,
    /// `exit 0`, `signal 9`, `deadline`; nothing when the VM ended first.
    pub ending: Option<String>,
    pub milliseconds: u64,
}

impl Ran {
    pub fn succeeded(&self) -> bool {
        self.ending.as_deref() == Some("exit 0")
    }
}

impl Report {
    /// Reads what the port has carried.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text: String = bytes
            .utf8_chunks()
            .flat_map(|chunk| {
                [chunk.valid(), if chunk.invalid().is_empty() { "" } else { "\u{fffd}" }]
            })
            .collect();
        Ok(Self::parse(&text))
    }

    /// Reads it from its text.
    pub fn parse(text: &str) -> Self {
        let mut report = Self::default();
        let mut done = false;
        for line in text.lines().map(|line| line.trim_end_matches('\r')) {
            let Some(words) = line.strip_prefix("@vm ") else {
                if let Some(running) = report.programs.last_mut().filter(|p| p.ending.is_none()) {
                    running.output.push_str(line);
                    running.output.push('\n');
                }
                continue;
            };
            let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
            match verb {
                "kernel" => rest.clone_into(&mut report.kernel),
                "begin" => report.programs.push(Ran {
                    name: rest.to_owned(),
                    output: String::new(),
                    ending: None,
                    milliseconds: 0,
                }),
                "end" => report.end(rest),
                "failed" => report.failure = Some(rest.to_owned()),
                "done" => done = true,
                _ => {}
            }
        }
        if !done && report.failure.is_none() {
            let during = report.programs.last().filter(|program| program.ending.is_none());
            let during = during.map_or("before the next program", |program| &program.name);
            report.failure = Some(format!("the VM ended or hung: {during}"));
        }
        report
    }

    /// `NAME exit 0 in 1234 ms`
    fn end(&mut self, words: &str) {
        let Some(program) = self.programs.last_mut() else { return };
        let rest = words.strip_prefix(&program.name).unwrap_or(words).trim_start();
        let (ending, time) = rest.rsplit_once(" in ").unwrap_or((rest, ""));
        program.ending = Some(ending.to_owned());
        program.milliseconds = time.trim_end_matches(" ms").parse().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_with_their_outputs_and_ends() {
        let text = "noise\r\n@vm kernel 6.1\r\n@vm begin a\r\none\r\n\r\n@vm end a exit 0 in 12 ms\r\n\
                    @vm begin b\r\ntwo\r\n@vm end b signal 9 in 3 ms\r\n@vm done\r\n";
        let report = Report::parse(text);
        assert_eq!((&*report.kernel, &report.failure), ("6.1", &None));
        let told: Vec<_> = report
            .programs
            .iter()
            .map(|p| (&*p.name, &*p.output, p.ending.as_deref(), p.milliseconds))
            .collect();
        assert_eq!(
            told,
            [("a", "one\n\n", Some("exit 0"), 12), ("b", "two\n", Some("signal 9"), 3)]
        );
        assert!(report.programs[0].succeeded() && !report.programs[1].succeeded());
    }

    #[test]
    fn a_vm_that_does_not_come_to_its_end() {
        let report = Report::parse("@vm kernel 6.1\n@vm begin a\nhalf");
        assert_eq!(report.programs[0].ending, None);
        assert_eq!(report.failure.as_deref(), Some("the VM ended or hung: a"));
    }
}
