//! What came of the tests, as a table for a person.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::report::Report;
use super::verdicts::{self, Verdict};

/// What came of every test on every kernel.
#[derive(Default)]
pub struct Outcome {
    rows: Vec<Row>,
}

struct Row {
    vm: String,
    test: String,
    verdict: Verdict,
    /// Where to read more.
    log: PathBuf,
}

impl Outcome {
    /// Takes the verdicts of a VM, and returns their counts.
    pub fn add(&mut self, vm: &str, report: &Report, logs: &Path) -> String {
        let first = self.rows.len();
        let mut row = |test: String, verdict: Verdict, log: &str| {
            self.rows.push(Row { vm: vm.to_owned(), test, verdict, log: logs.join(log) });
        };
        for (test, verdict) in verdicts::of(report) {
            row(test, verdict, "report.log");
        }
        if let Some(failure) = &report.failure {
            row(failure.clone(), Verdict::Failed, "console.log");
        }
        counts(&self.rows[first..])
    }

    /// Orders the rows by their VM's name; those of one VM stay as they are.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&str) -> K) {
        self.rows.sort_by_key(|row| key(&row.vm));
    }

    /// How many tests failed.
    pub fn failed(&self) -> usize {
        failed(&self.rows).count()
    }

    /// One row per test and kernel, then the counts and where to read on.
    pub fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.test.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Row { vm, test, verdict, .. } in &self.rows {
            let verdict = match verdict {
                Verdict::Ok => "ok".to_owned(),
                Verdict::Failed => "FAILED".to_owned(),
                Verdict::Partly(gaps) => format!("ok, not here: {}", gaps.join("; ")),
                Verdict::Skipped(why) => format!("skipped: {why}"),
            };
            let _ = writeln!(text, "{vm:<12} {test:<width$} {verdict}");
        }
        let _ = write!(text, "\n{}", counts(&self.rows));
        let logs: BTreeSet<&Path> = failed(&self.rows).map(|row| row.log.as_path()).collect();
        for log in logs {
            let _ = write!(text, "\nlog: {}", log.display());
        }
        text
    }
}

fn failed(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.verdict == Verdict::Failed)
}

fn counts(rows: &[Row]) -> String {
    let failed = failed(rows).count();
    let is_skipped = |row: &&Row| matches!(row.verdict, Verdict::Skipped(_));
    let skipped = rows.iter().filter(is_skipped).count();
    format!("{} ok, {failed} failed, {skipped} skipped", rows.len() - failed - skipped)
}
