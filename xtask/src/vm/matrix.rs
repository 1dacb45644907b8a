//! Which tests run on which kernel, and what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

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
const DEADLINE: u64 = 300;

const DOCTOR: &str = "doctor";

/// What a test waits for takes longer in a VM.
const PATIENCE: &str = "3";

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
        let chosen = programs.tests.keys().filter(chosen).map(program);
        Ok([doctor()].into_iter().chain(chosen).collect())
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

/// What hostnet itself says of the kernel, for whoever reads the log.
fn doctor() -> Program {
    Program {
        name: DOCTOR.to_owned(),
        command: ["/hostnet/hostnet", DOCTOR].map(str::to_owned).to_vec(),
        environment: [("NO_COLOR".to_owned(), "1".to_owned())].into(),
        deadline: 120,
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

/// Runs every variant, some at the same time.
pub fn run(variants: &[Variant], jobs: usize, directory: &Path, fresh: bool) -> Result<Outcome> {
    let series: BTreeSet<&str> = variants.iter().map(|variant| &*variant.series).collect();
    let series: Vec<String> = series.into_iter().map(str::to_owned).collect();
    let kernels = kernel::fetch(&series, directory, fresh)?;
    let programs = Programs::build()?;
    let logs = directory.join("logs");
    let (waiting, outcome) = (Mutex::new(variants.iter()), Mutex::new(Outcome::default()));
    let work = || -> Result<()> {
        loop {
            let Some(variant) = locked(&waiting).next() else { return Ok(()) };
            let kernel = kernels.iter().find(|kernel| kernel.series == variant.series);
            let kernel = kernel.with_context(|| format!("no kernel {}", variant.series))?;
            let logs = logs.join(variant.name().replace(' ', "-"));
            eprintln!("{}: booting {}", variant.name(), kernel.release);
            let report = variant.run(kernel, &programs, &logs)?;
            let summary = locked(&outcome).add(variant, &report, &logs);
            eprintln!("{}: {summary}", variant.name());
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(_panic) => bail!("a VM's thread panicked; its message is above"),
        })
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    // In the order of the matrix, whichever VM was done first.
    let place = |row: &Row| variants.iter().position(|variant| variant.name() == row.vm);
    outcome.rows.sort_by_key(place);
    Ok(outcome)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outcome {
    /// Returns the counts of this variant.
    fn add(&mut self, variant: &Variant, report: &Report, logs: &Path) -> String {
        let first = self.rows.len();
        let mut row = |test: String, verdict: Verdict, log: &str| {
            self.rows.push(Row { vm: variant.name(), test, verdict, log: logs.join(log) });
        };
        for program in report.programs.iter().filter(|program| program.name != DOCTOR) {
            for (test, verdict) in verdicts::read(program) {
                row(format!("{}::{test}", program.name), verdict, "report.log");
            }
        }
        if let Some(failure) = &report.failure {
            row(failure.clone(), Verdict::Failed, "console.log");
        }
        counts(&self.rows[first..])
    }

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
    let ok = rows.iter().filter(|row| row.verdict == Verdict::Ok).count();
    format!("{ok} ok, {failed} failed, {} skipped", rows.len() - ok - failed)
}
