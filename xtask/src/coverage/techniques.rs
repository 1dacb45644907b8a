//! What the runs of a kernel say of each technique.

use super::catalogue::{REVERSE, UNCOVERED, technique_of};
use crate::vm::{MAIN, Run, Verdict};

/// No test of it in the kernel's runs, and no reason: they are older than the tests.
/// A test holds which techniques this may be said of.
pub const NOT_TRIED: &str = "**not tried yet**";

/// The runs of one kernel, the main one first.
pub struct Kernel<'a> {
    pub main: &'a Run,
    others: Vec<&'a Run>,
}

impl<'a> Kernel<'a> {
    /// The kernels whose main run is kept, in the order of the runs.
    pub fn of(runs: &'a [Run]) -> Vec<Self> {
        let mains = runs.iter().filter(|run| run.variant == MAIN);
        let kernel = |main: &'a Run| {
            let is_other = |run: &&Run| run.series == main.series && run.variant != MAIN;
            Self { main, others: runs.iter().filter(is_other).collect() }
        };
        mains.map(kernel).collect()
    }

    pub fn series(&self) -> &str {
        &self.main.series
    }

    /// One cell of the table. Why it says less than "seen" is in the notes.
    pub fn says(&self, id: &str, notes: &mut Notes) -> String {
        let mut is_seen = false;
        let mut reasons = Vec::new();
        for name in self.main.tests.keys().filter(|name| subject(name).as_deref() == Some(id)) {
            match self.best(name) {
                Some(Verdict::Ok) => is_seen = true,
                Some(Verdict::Partly(gaps)) => {
                    is_seen = true;
                    reasons.extend(gaps.clone());
                }
                Some(Verdict::Skipped(why)) => reasons.push(why.clone()),
                Some(Verdict::Failed) => reasons.push(format!("`{name}` failed")),
                None => {}
            }
        }
        if UNCOVERED.iter().any(|row| row.id == id) {
            reasons.push("some of it no kernel shows: see below".to_owned());
        }
        match (is_seen, reasons.is_empty()) {
            (true, true) => "seen".to_owned(),
            (true, false) => format!("seen, but{}", notes.refer(reasons)),
            (false, false) => format!("not shown{}", notes.refer(reasons)),
            (false, true) => NOT_TRIED.to_owned(),
        }
    }

    /// The verdict of the run that could do most: what needs Docker is skipped in
    /// the main one.
    fn best(&self, name: &str) -> Option<&Verdict> {
        let runs = [self.main].into_iter().chain(self.others.iter().copied());
        runs.filter_map(|run| run.tests.get(name)).min_by_key(|verdict| match verdict {
            Verdict::Ok => 0,
            Verdict::Partly(_) => 1,
            Verdict::Skipped(_) => 2,
            Verdict::Failed => 3,
        })
    }
}

/// The technique that a test shows to be told: `E07` for `fast_open::e07_tcp`.
pub fn subject(test: &str) -> Option<String> {
    let (program, function) = test.split_once("::")?;
    if program == REVERSE { None } else { technique_of(function) }
}

/// Notes below a table, numbered as they come up.
#[derive(Default)]
pub struct Notes(Vec<String>);

impl Notes {
    /// The numbers of these notes, to stand behind a word.
    fn refer(&mut self, notes: Vec<String>) -> String {
        let mut numbers: Vec<usize> = notes.into_iter().map(|note| self.number(note)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> = numbers.into_iter().map(raised).collect();
        numbers.join("\u{2009}")
    }

    fn number(&mut self, note: String) -> usize {
        let known = self.0.iter().position(|known| *known == note);
        known.map_or_else(
            || {
                self.0.push(note);
                self.0.len()
            },
            |index| index + 1,
        )
    }

    /// All of them, as a numbered list.
    pub fn list(&self) -> String {
        let notes = self.0.iter().enumerate();
        notes.map(|(index, note)| format!("{}. {note}\n", index + 1)).collect()
    }
}

fn raised(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = number.to_string();
    digits.bytes().filter_map(|digit| DIGITS.get(usize::from(digit - b'0'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(variant: &str, tests: &[(&str, Verdict)]) -> Run {
        let tests = tests.iter().map(|(name, verdict)| ((*name).to_owned(), verdict.clone()));
        Run {
            series: "6.1".to_owned(),
            variant: variant.to_owned(),
            release: "6.1.0-56-cloud-amd64".to_owned(),
            coverage: Vec::new(),
            tests: tests.collect(),
        }
    }

    fn skipped(why: &str) -> Verdict {
        Verdict::Skipped(why.to_owned())
    }

    #[test]
    fn a_cell_says_no_more_than_the_tests_showed() {
        let gap = Verdict::Partly(vec!["no raw sockets".to_owned()]);
        let runs = [
            run(
                MAIN,
                &[
                    ("a::e01_one", Verdict::Ok),
                    ("a::e01_other", skipped("no Docker")),
                    ("a::e02_one", skipped("no Docker")),
                    ("b::e04_one", Verdict::Ok),
                    ("b::e04_other", gap),
                    ("uncovered::e05_one", Verdict::Ok),
                    ("uncovered::e08_one", Verdict::Ok),
                ],
            ),
            run("v2 docker", &[("a::e01_other", Verdict::Ok)]),
        ];
        let (kernels, mut notes) = (Kernel::of(&runs), Notes::default());
        let says = ["E01", "E02", "E04", "E05", "E08"].map(|id| kernels[0].says(id, &mut notes));
        assert_eq!(says, ["seen", "not shown¹", "seen, but²", NOT_TRIED, "not shown³"]);
        assert!(notes.list().starts_with("1. no Docker\n2. no raw sockets\n3. "));
    }

    #[test]
    fn notes_are_told_once() {
        let mut notes = Notes::default();
        let refer = |notes: &mut Notes, words: &[&str]| {
            notes.refer(words.iter().map(|word| (*word).to_owned()).collect())
        };
        assert_eq!(refer(&mut notes, &["b", "a", "b"]), "¹\u{2009}²");
        assert_eq!(refer(&mut notes, &["a"]), "²");
        assert_eq!(raised(10), "¹⁰");
    }
}
