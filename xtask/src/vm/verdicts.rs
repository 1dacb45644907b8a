//! What a test program of Rust's own harness says about each of its tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::report::{Ran, Report};

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Failed,
    /// It did what can be done here, and said what cannot.
    Partly(Vec<String>),
    /// It said itself why it does not apply.
    Skipped(String),
}

impl Verdict {
    fn skip(&mut self, why: &str) {
        if matches!(self, Self::Ok | Self::Partly(_)) {
            *self = Self::Skipped(why.to_owned());
        }
    }

    fn without(&mut self, what: &str) {
        match self {
            Self::Ok => *self = Self::Partly(vec![what.to_owned()]),
            Self::Partly(gaps) if !gaps.iter().any(|gap| gap == what) => gaps.push(what.to_owned()),
            _ => {}
        }
    }
}

/// The options with which a test program says all of it.
pub const OPTIONS: [&str; 2] = ["--test-threads=1", "--show-output"];

/// hostnet's own word on the kernel: for whoever reads the log, and to be kept.
pub const DOCTOR: &str = "doctor";
pub const STATEMENT: &str = "doctor --json";

/// Where tests leave the events they saw, and what of these docs/events.md may show: `cargo xtask
/// record --samples` reads it.
pub const EVENTS: &str = "/tmp/events";
pub const SAMPLES: &str = "generate-docs --kind samples /tmp/events";

/// hostnet's word is no test.
fn is_hostnet(program: &str) -> bool {
    [DOCTOR, STATEMENT, SAMPLES].contains(&program)
}

/// What all of a VM's tests said, by the names of program and test.
pub fn of(report: &Report) -> impl Iterator<Item = (String, Verdict)> {
    let tests = report.programs.iter().filter(|program| !is_hostnet(&program.name));
    tests.flat_map(|program| {
        let named = |(test, verdict)| (format!("{}::{test}", program.name), verdict);
        read(program).into_iter().map(named)
    })
}

/// One verdict per test, and one for the program itself when it did not end as
/// it should have.
pub fn read(ran: &Ran) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut reading = None;
    let mut summed_up = false;
    for line in ran.output.lines() {
        if let Some((name, result)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ..."))
        {
            let verdict = match result.trim() {
                "ok" => Some(Verdict::Ok),
                other if other.starts_with("ignored") => Some(Verdict::Skipped(other.to_owned())),
                // Its output may stand between the name and the result.
                _ => None,
            };
            verdicts.insert(name.to_owned(), verdict.unwrap_or(Verdict::Failed));
            reading = Some(name);
        } else if let Some(name) =
            line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            reading = Some(name);
            summed_up = true;
        } else if let Some(verdict) = reading.and_then(|name| verdicts.get_mut(name)) {
            if line == "ok" && !summed_up {
                *verdict = Verdict::Ok;
            } else if let Some(why) = line.strip_prefix("skipped: ") {
                verdict.skip(why);
            } else if let Some(what) = line.strip_prefix("not here: ") {
                verdict.without(what);
            }
        }
    }
    let says = verdicts.values().any(|verdict| *verdict == Verdict::Failed);
    if !ran.succeeded() && !says || verdicts.is_empty() {
        let ending = ran.ending.as_deref().unwrap_or("the VM ended first");
        verdicts.insert(format!("({ending})"), Verdict::Failed);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(output: &str, ending: &str) -> Ran {
        let ending = Some(ending.to_owned());
        Ran { name: "t".to_owned(), output: output.to_owned(), ending, milliseconds: 0 }
    }

    fn told(ran: &Ran) -> Vec<(String, Verdict)> {
        read(ran).into_iter().collect()
    }

    #[test]
    fn each_test_has_its_verdict() {
        let output = "\nrunning 5 tests\ntest a ... ok\ntest b ... a child's words\nok\n\
            test c ... FAILED\ntest d ... ok\ntest e ... ok\n\nsuccesses:\n\n\
            ---- d stdout ----\nnot here: a name\nskipped: no Docker here\n\n\
            ---- e stdout ----\nnot here: raw\nnot here: raw\nnot here: unix\n\n\n\
            successes:\n    a\n\nfailures:\n\n---- c stdout ----\nskipped: not really\nok\n";
        let expected = [
            ("a", Verdict::Ok),
            ("b", Verdict::Ok),
            ("c", Verdict::Failed),
            ("d", Verdict::Skipped("no Docker here".to_owned())),
            ("e", Verdict::Partly(["raw", "unix"].map(str::to_owned).to_vec())),
        ];
        let expected = expected.map(|(name, verdict)| (name.to_owned(), verdict));
        assert_eq!(told(&ran(output, "exit 101")), expected);
    }

    #[test]
    fn a_program_that_is_killed_fails_the_test_it_was_at() {
        let told = told(&ran("test a ... ok\ntest b ... \n", "deadline"));
        let expected = [("a".to_owned(), Verdict::Ok), ("b".to_owned(), Verdict::Failed)];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_program_that_ends_badly_without_a_word_fails() {
        let failed = |name: &str| [(name.to_owned(), Verdict::Failed)];
        assert_eq!(
            told(&ran("", "not started: no such file")),
            failed("(not started: no such file)")
        );
        assert_eq!(told(&ran("", "exit 0")), failed("(exit 0)"));
    }
}
