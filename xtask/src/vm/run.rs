//! What a whole run of one VM found, as it is kept in docs/coverage: a file per
//! VM, which only another run of that VM replaces. It must not know what is made
//! of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::kernel::numbers;
use super::report::Report;
use super::verdicts::{self, STATEMENT, Verdict};
use crate::shell;

/// The variant in which all tests run, and whose statement stands for its kernel.
pub const MAIN: &str = "v2";

/// Where runs are kept.
const RUNS: &str = "docs/coverage";

/// One VM, run to its end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// `6.12`.
    pub series: String,
    /// What else the VM is: `v2`, `hybrid`, `v2 docker`.
    pub variant: String,
    /// The kernel's own name.
    pub release: String,
    /// `hostnet doctor`'s statement, in its order.
    pub coverage: Vec<Hook>,
    /// By program and function: `connect::a_connect_that_succeeds`.
    pub tests: BTreeMap<String, Verdict>,
}

/// A row of the statement.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    pub operation: String,
    pub hook: String,
    pub set: String,
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// As much of `hostnet doctor --json` as is kept.
#[derive(Deserialize)]
struct Statement {
    coverage: Vec<Hook>,
}

impl Run {
    /// Takes a VM's report, failed tests included; `None` when the VM did not come
    /// to its end.
    pub fn of(series: &str, variant: &str, report: &Report) -> Result<Option<Self>> {
        let tests: BTreeMap<String, Verdict> = verdicts::of(report).collect();
        if report.failure.is_some() {
            return Ok(None);
        }
        let doctor = report.programs.iter().find(|program| program.name == STATEMENT);
        let doctor = doctor.context("hostnet doctor --json was not run")?;
        let statement: Statement = serde_json::from_str(&doctor.output)
            .with_context(|| format!("hostnet doctor --json said {:?}", doctor.output))?;
        Ok(Some(Self {
            series: series.to_owned(),
            variant: variant.to_owned(),
            release: report.kernel.clone(),
            coverage: statement.coverage,
            tests,
        }))
    }

    /// Writes it in place of the VM's last one, and returns where.
    pub fn keep(&self) -> Result<String> {
        let path = self.path();
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let file = shell::root().join(&path);
        fs::create_dir_all(shell::root().join(RUNS))
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(path)
    }

    /// Its file.
    pub fn path(&self) -> String {
        format!("{RUNS}/{}-{}.json", self.series, self.variant.replace(' ', "-"))
    }

    /// Those that are kept: kernels in their order, the main variant first.
    pub fn kept() -> Result<Vec<Self>> {
        let directory = shell::root().join(RUNS);
        if !directory.exists() {
            return Ok(Vec::new());
        }
        let mut runs = Vec::new();
        for entry in fs::read_dir(directory)? {
            runs.push(Self::read(entry?.path())?);
        }
        runs.sort_by_cached_key(|run| {
            (numbers(&run.series), run.variant != MAIN, run.variant.clone())
        });
        Ok(runs)
    }

    fn read(path: PathBuf) -> Result<Self> {
        let context = || format!("{} cannot be read", path.display());
        serde_json::from_slice(&fs::read(&path).with_context(context)?).with_context(context)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A real one, of three test programs, and of hooks only a few.
    const REPORT: &str = include_str!("samples/report.log");

    fn run(report: &str) -> Result<Option<Run>> {
        Run::of("6.12", MAIN, &Report::parse(report))
    }

    /// What is kept of it.
    pub fn sample() -> Run {
        run(REPORT).expect("a statement").expect("no failure")
    }

    #[test]
    fn a_report_has_the_statement_and_every_verdict() {
        let run = sample();
        assert_eq!(run.release, "6.12.118+deb13-cloud-amd64");
        let hooks: Vec<&str> = run.coverage.iter().map(|row| &*row.hook).collect();
        assert_eq!(hooks, ["cgroup/bind4", "tp_btf/inet_sock_set_state", "fexit/unix_bind"]);
        assert_eq!(run.tests.len(), 11 + 5 + 3);
        assert_eq!(run.tests["odd_protocols::e15_a_forged_header"], Verdict::Ok);
        let why = "no Docker here to ask for a container without CAP_NET_ADMIN".to_owned();
        assert_eq!(run.tests["families::netlink_writes"], Verdict::Skipped(why));
        let kept = serde_json::to_string(&run).expect("JSON");
        assert_eq!(serde_json::from_str::<Run>(&kept).expect("a run"), run);
    }

    #[test]
    fn failures_are_kept_and_half_a_run_is_not() {
        let failed = REPORT
            .replace("e15_a_forged_header ... ok", "e15_a_forged_header ... FAILED")
            .replace("odd_protocols exit 0", "odd_protocols exit 101");
        let kept = run(&failed).expect("a statement").expect("it came to its end");
        assert_eq!(kept.tests["odd_protocols::e15_a_forged_header"], Verdict::Failed);
        assert_eq!(run(&REPORT.replace("@vm done\n", "")).expect("a statement"), None);
    }

    #[test]
    fn a_run_without_a_statement_is_an_error() {
        assert!(run(&REPORT.replace("\"coverage\"", "\"other\"")).is_err());
        assert!(run(&REPORT.replace("doctor --json", "doctor")).is_err());
    }
}
