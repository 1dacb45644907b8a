//! What a part found, as it is kept in docs/benchmarks: a file per part, which only another
//! whole run of that part replaces.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{catalogue, machine::Machine, part::Part, size::Size, table::Table};
use crate::shell;

/// Where parts are kept.
const DIRECTORY: &str = "docs/benchmarks";

/// What a part says of itself.
pub struct Measured {
    /// What was done, in a sentence.
    pub workload: String,
    /// By the names of the catalogue.
    pub figures: Vec<(&'static str, f64)>,
    pub tables: Vec<Table>,
}

/// The code that was measured, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub commit: String,
    pub date: String,
}

/// A part that ran to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub part: Part,
    #[serde(flatten)]
    pub origin: Origin,
    pub machine: Machine,
    pub size: Size,
    pub seconds: u64,
    pub workload: String,
    pub figures: BTreeMap<String, f64>,
    pub tables: Vec<Table>,
}

impl Origin {
    /// The checkout as it is now.
    pub fn now() -> Result<Self> {
        let git = |words: &[&str]| shell::capture(shell::command("git").args(words));
        let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
        let status = ["status", "--porcelain", "--", "Cargo.toml", "Cargo.lock"];
        // Documents are not measured, and a run writes some itself.
        let code = ["hostnet-ebpf", "hostnet-user", "tests", "xtask"];
        let changes = git(&[&status[..], &code].concat())?;
        let commit = if changes.is_empty() { commit } else { format!("{commit} with changes") };
        let date = shell::capture(shell::command("date").args(["--utc", "+%Y-%m-%d"]))?;
        Ok(Self { commit, date })
    }
}

impl Kept {
    /// Fails unless the part gave exactly the figures of the catalogue.
    pub fn of(
        part: Part,
        (origin, machine, size): (Origin, Machine, Size),
        seconds: u64,
        measured: Measured,
    ) -> Result<Self> {
        let Measured { workload, figures, tables } = measured;
        let count = figures.len();
        let figures: BTreeMap<String, f64> =
            figures.into_iter().map(|(id, value)| (id.to_owned(), value)).collect();
        let wanted = catalogue::figures(part);
        for figure in wanted {
            let value = figures.get(figure.id);
            let value = value.with_context(|| format!("it gave no figure {}", figure.id))?;
            ensure!(value.is_finite(), "figure {} is {value}, which is no number", figure.id);
        }
        ensure!(
            count == wanted.len(),
            "it gave {count} figures; the catalogue has {}",
            wanted.len()
        );
        Ok(Self { part, origin, machine, size, seconds, workload, figures, tables })
    }

    /// Writes it in place of the part's last one.
    pub fn keep(&self) -> Result<()> {
        let file = path(self.part);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::create_dir_all(shell::root().join(DIRECTORY))
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// A part that is kept.
    pub fn read(part: Part) -> Result<Option<Self>> {
        let file = path(part);
        if !file.exists() {
            return Ok(None);
        }
        let context = || format!("{} cannot be read", file.display());
        serde_json::from_slice(&fs::read(&file).with_context(context)?).with_context(context)
    }

    /// All that are kept, in the order of the parts.
    pub fn all() -> Result<Vec<Self>> {
        Part::all().iter().filter_map(|part| Self::read(*part).transpose()).collect()
    }
}

fn path(part: Part) -> PathBuf {
    shell::root().join(DIRECTORY).join(format!("{}.json", part.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restart(figures: Vec<(&'static str, f64)>) -> Result<Kept> {
        let origin = Origin { commit: "0123".to_owned(), date: "2026-11-30".to_owned() };
        let measured = Measured { workload: "kills".to_owned(), figures, tables: Vec::new() };
        Kept::of(Part::Restart, (origin, Machine::default(), Size::Whole), 20, measured)
    }

    #[test]
    fn a_part_gives_exactly_its_figures() {
        let all = vec![("restart-acts", 1.0), ("restart-missing", 0.0), ("restart-losses", 0.0)];
        let kept = restart(all.clone()).expect("all are there");
        let text = serde_json::to_string(&kept).expect("JSON");
        assert_eq!(serde_json::from_str::<Kept>(&text).expect("what was written"), kept);
        let said = |figures| restart(figures).expect_err("refused").to_string();
        assert_eq!(said(all[..2].to_vec()), "it gave no figure restart-losses");
        let more = [&all[..], &[("cost-lost", 0.0)]].concat();
        assert_eq!(said(more), "it gave 4 figures; the catalogue has 3");
        let none = [&all[..2], &[("restart-losses", f64::NAN)]].concat();
        assert_eq!(said(none), "figure restart-losses is NaN, which is no number");
    }
}
