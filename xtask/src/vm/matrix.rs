//! Which tests run on which kernel, and what came of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::kernel::{self, Kernel};
use super::machine::{Machine, Program};
use super::programs::Programs;
use super::report::Report;
use super::verdicts::{self, Verdict};

/// How the cgroup hierarchies are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Cgroups {
    V2,
    Hybrid,
    V1,
}

impl Cgroups {
    const fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
            Self::V1 => "v1",
        }
    }
}

/// A kernel in one of its circumstances.
pub struct Variant {
    series: String,
    cgroups: Cgroups,
    /// Test programs; all when empty.
    only: Vec<String>,
}

/// Five years of kernels that Debian supports: see issue tracker and README for
/// what is promised on each.
const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.3"];

/// Seconds for one test program: they take a few on the host, and are thirty
/// times slower without hardware virtualisation.
const DEADLINE: u64 = 900;

/// What a test waits for takes longer in a VM.
const PATIENCE: &str = "6";

/// Everything that is covered.
pub fn all() -> Vec<Variant> {
    let mut variants: Vec<Variant> =
        KERNELS.iter().map(|series| Variant::bare(series, Cgroups::V2)).collect();
    variants.push(Variant::bare("6.12", Cgroups::Hybrid));
    variants.push(Variant::bare("6.12", Cgroups::V1));
    variants
}

impl Variant {
    /// A VM without Docker.
    pub fn bare(series: &str, cgroups: Cgroups) -> Self {
        Self { series: series.to_owned(), cgroups, only: Vec::new() }
    }

    /// Runs these test programs alone.
    pub fn choose(&mut self, only: &[String]) {
        only.clone_into(&mut self.only);
    }

    fn name(&self) -> String {
        format!("{} {}", self.series, self.cgroups.name())
    }

    fn plan(&self, programs: &Programs) -> Result<Vec<Program>> {
        if let Some(unknown) = self.only.iter().find(|name| !programs.tests.contains_key(*name)) {
            bail!("tests/tests has no {unknown}.rs");
        }
        let chosen = |name: &&String| self.only.is_empty() || self.only.contains(name);
        let program = |name: &String| {
            let environment = [
                ("HOSTNET_TESTS_RUNTIME", "bare"),
                ("HOSTNET_TESTS_PATIENCE", PATIENCE),
                ("HOSTNET_EVENTS_DIR", "/tmp/events"),
                ("PATH", "/bin"),
                ("RUST_BACKTRACE", "0"),
            ];
            let options = verdicts::OPTIONS.map(str::to_owned);
            Program {
                name: name.clone(),
                command: [Programs::path(name)].into_iter().chain(options).collect(),
                environment: environment
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
                deadline: DEADLINE,
            }
        };
        Ok(programs.tests.keys().filter(chosen).map(program).collect())
    }

    fn run(&self, kernel: &Kernel, programs: &Programs, logs: &Path) -> Result<Report> {
        let machine = Machine {
            kernel,
            tree: programs.with_tests()?,
            modules: &[],
            parameters: vec![format!("hostnet.cgroup={}", self.cgroups.name())],
            disk: None,
            size: (2, 1536),
            // With a thread per processor, QEMU 7.2 lets one see half of an
            // instruction that another patches, and the kernel panics. Without
            // a random number instruction it takes minutes to have entropy.
            qemu: &["-accel", "tcg,thread=single", "-cpu", "qemu64,+rdrand"],
            logs: logs.to_owned(),
        };
        machine.run(&self.plan(programs)?)
    }
}

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

/// Runs every variant, and tells of each as it ends.
pub fn run(variants: &[Variant], directory: &Path, fresh: bool) -> Result<Outcome> {
    let mut series: Vec<String> = variants.iter().map(|variant| variant.series.clone()).collect();
    series.sort();
    series.dedup();
    let kernels = kernel::fetch(&series, directory, fresh)?;
    let programs = Programs::build()?;
    let mut outcome = Outcome::default();
    for variant in variants {
        let Some(kernel) = kernels.iter().find(|kernel| kernel.series == variant.series) else {
            bail!("no kernel {}", variant.series);
        };
        let logs = directory.join("logs").join(variant.name().replace(' ', "-"));
        eprintln!("=== {} ({})", variant.name(), kernel.release);
        let report = variant.run(kernel, &programs, &logs)?;
        outcome.add(variant, &report, &logs);
    }
    Ok(outcome)
}

impl Outcome {
    fn add(&mut self, variant: &Variant, report: &Report, logs: &Path) {
        let log = logs.join("report.log");
        for program in &report.programs {
            for (test, verdict) in verdicts::read(program) {
                let test = format!("{}::{test}", program.name);
                self.rows.push(Row { vm: variant.name(), test, verdict, log: log.clone() });
            }
        }
        if let Some(failure) = &report.failure {
            let log = logs.join("console.log");
            let verdict = Verdict::Failed;
            self.rows.push(Row { vm: variant.name(), test: failure.clone(), verdict, log });
        }
    }

    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.verdict == Verdict::Failed).count()
    }

    /// One row per test and kernel, then the counts.
    pub fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.test.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Row { vm, test, verdict, .. } in &self.rows {
            let verdict = match verdict {
                Verdict::Ok => "ok".to_owned(),
                Verdict::Failed => "FAILED".to_owned(),
                Verdict::Skipped(why) => format!("skipped: {why}"),
            };
            let _ = writeln!(text, "{vm:<12} {test:<width$} {verdict}");
        }
        let skipped =
            self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Skipped(_))).count();
        let ok = self.rows.len() - skipped - self.failed();
        let _ = write!(text, "\n{ok} ok, {} failed, {skipped} skipped", self.failed());
        let mut logs: Vec<&Path> = self
            .rows
            .iter()
            .filter(|row| row.verdict == Verdict::Failed)
            .map(|row| row.log.as_path())
            .collect();
        logs.dedup();
        for log in logs {
            let _ = write!(text, "\nlog: {}", log.display());
        }
        text
    }
}
