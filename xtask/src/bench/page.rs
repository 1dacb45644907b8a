//! docs/benchmarks.md: every figure with its goal, from what is kept and nothing else.

use std::fmt::Write as _;

use anyhow::Result;

use super::{catalogue, kept::Kept, machine::Machine, part::Part, size::Size, table::Table};

/// The document.
pub const PAGE: &str = "docs/benchmarks.md";

/// What stands for a figure whose part was not run.
const NOT_MEASURED: &str = "not measured";

const BEGINNING: &str = "\
# Benchmarks

Made by `cargo xtask docs` from the runs in [benchmarks/](benchmarks), which `cargo xtask bench` makes.
Each part says which commit was measured, when, on which machine and with what. `cargo xtask bench --only
PART` runs one part anew. Other documents quote figures from here: a quoted figure is a link to its row.
";

/// A figure as documents quote it; `None` when there is no such figure.
pub fn quoted(kept: &[Kept], id: &str) -> Option<String> {
    let (part, figure) = catalogue::find(id)?;
    let value = kept.iter().find(|kept| kept.part == part).and_then(|kept| kept.figures.get(id));
    Some(value.map_or_else(|| NOT_MEASURED.to_owned(), |value| figure.shown(*value)))
}

/// The document's text, as it has to be.
pub fn text() -> Result<String> {
    Ok(page(&Kept::all()?))
}

fn page(kept: &[Kept]) -> String {
    let mut text = BEGINNING.to_owned();
    goals(&mut text, kept);
    for part in Part::all() {
        let _ = writeln!(text, "\n## {}\n", part.name());
        let found = kept.iter().find(|kept| kept.part == *part);
        match found {
            Some(kept) => circumstances(&mut text, kept),
            None => text.push_str("This part was not run.\n\n"),
        }
        figures(&mut text, *part, found);
        for table in found.into_iter().flat_map(|kept| &kept.tables) {
            let _ = write!(text, "\n{}", table.markdown());
        }
    }
    text
}

/// How many goals are reached, which are not, and which parts were not run.
fn goals(text: &mut String, kept: &[Kept]) {
    let (mut count, mut reached, mut missed, mut not_run) = (0, 0, Vec::new(), Vec::new());
    for part in Part::all() {
        let found = kept.iter().find(|kept| kept.part == *part);
        for figure in catalogue::figures(*part).iter().filter(|figure| figure.goal.is_some()) {
            count += 1;
            let value = found.and_then(|kept| kept.figures.get(figure.id));
            match value.and_then(|value| figure.is_reached(*value)) {
                Some(true) => reached += 1,
                Some(false) => missed.push(format!("[{0}](#{0})", figure.id)),
                None => {}
            }
        }
        if found.is_none() {
            not_run.push(part.name());
        }
    }
    let _ = write!(text, "\n{reached} of {count} goals are reached.");
    for (those, what) in [(missed, "Not reached"), (not_run, "Parts that were not run")] {
        if !those.is_empty() {
            let _ = write!(text, " {what}: {}.", those.join(", "));
        }
    }
    text.push('\n');
}

fn circumstances(text: &mut String, kept: &Kept) {
    let Machine { processor, cpus, kernel, load_average_before, load_average_after } =
        &kept.machine;
    let _ = write!(
        text,
        "{} Commit {}, {}; {cpus} × {processor}, Linux {kernel}, load average \
         {load_average_before:.1} before and {load_average_after:.1} after; {} s.",
        kept.workload, kept.origin.commit, kept.origin.date, kept.seconds
    );
    match kept.size {
        Size::Whole => {}
        Size::Quick => text.push_str(" A quick run: its figures are noisy."),
        Size::Smoke => text.push_str(" A smoke: its figures mean nothing."),
    }
    text.push_str("\n\n");
}

fn figures(text: &mut String, part: Part, kept: Option<&Kept>) {
    text.push_str("| | measured | goal | |\n|---|--:|--:|---|\n");
    for figure in catalogue::figures(part) {
        let value = kept.and_then(|kept| kept.figures.get(figure.id)).copied();
        let shown = value.map_or_else(|| NOT_MEASURED.to_owned(), |value| figure.shown(value));
        let verdict = match value.and_then(|value| figure.is_reached(value)) {
            Some(true) => "reached",
            Some(false) => "**not reached**",
            None => "",
        };
        let id = figure.id;
        let _ = writeln!(
            text,
            "| <a id=\"{id}\"></a>{} | {shown} | {} | {verdict} |",
            figure.what,
            figure.wanted()
        );
    }
}

/// A part for whoever started it.
pub fn summary(kept: &Kept) -> String {
    let heading = kept.workload.trim_end_matches('.');
    let mut table = Table::new(heading, &["", "measured", "goal", ""]);
    for figure in catalogue::figures(kept.part) {
        let Some(value) = kept.figures.get(figure.id) else { continue };
        let verdict = match figure.is_reached(*value) {
            // A smoke says nothing of them.
            _ if kept.size == Size::Smoke => "",
            Some(true) => "reached",
            Some(false) => "NOT REACHED",
            None => "",
        };
        let what = figure.what.to_owned();
        table.row([what, figure.shown(*value), figure.wanted(), verdict.to_owned()]);
    }
    kept.tables.iter().fold(table.markdown(), |text, table| text + "\n" + &table.markdown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench::kept::Origin, docs};

    #[test]
    fn the_committed_page_is_current() {
        let is_current = docs::settle(PAGE, text().expect("runs").as_bytes(), true);
        assert!(is_current.expect("compared"), "{PAGE} is stale: run cargo xtask docs");
    }

    fn kept(part: Part, commit: &str, figures: &[(&str, f64)]) -> Kept {
        let figures = figures.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect();
        let origin = Origin { commit: commit.to_owned(), date: "2026-11-30".to_owned() };
        let (machine, workload) = (Machine::default(), "What was done.".to_owned());
        let tables = Vec::new();
        Kept { part, origin, machine, size: Size::Whole, seconds: 9, workload, figures, tables }
    }

    #[test]
    fn each_part_has_its_own_commit_and_each_goal_its_verdict() {
        let kept = [
            kept(Part::Cost, "aaaa", &[("connect-ratio", 1.57), ("bind-ratio", 1.4)]),
            kept(Part::Restart, "bbbb", &[("restart-missing", 0.0)]),
        ];
        let page = page(&kept);
        for line in [
            "| <a id=\"connect-ratio\"></a>added CPU per isolated connect(2), relative to the \
             floor with a record | 1.57 | ≤ 1.25 | **not reached** |",
            "| <a id=\"bind-ratio\"></a>added CPU per isolated bind(2), relative to the floor \
             with a record | 1.40 | ≤ 1.40 | reached |",
            "| <a id=\"restart-missing\"></a>of these, not reported | 0 | 0 | reached |",
            "| <a id=\"resident\"></a>resident memory without history, idle or at 20 000 \
             events/s | not measured | ≤ 20.0 MiB |  |",
            "This part was not run.",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\nis not in\n{page}");
        }
        assert!(page.contains("Commit aaaa,") && page.contains("Commit bbbb,"), "{page}");
        let rest = "goals are reached. Not reached: [connect-ratio](#connect-ratio). Parts that were not \
                    run: delivery,";
        let is_count = |line: &str| line.starts_with("2 of ") && line.contains(rest);
        assert!(page.lines().any(is_count), "{page}");
    }

    #[test]
    fn a_figure_is_quoted_as_the_page_has_it() {
        let kept = [kept(Part::Cost, "aaaa", &[("connect-ratio", 1.566)])];
        assert_eq!(quoted(&kept, "connect-ratio").as_deref(), Some("1.57"));
        assert_eq!(quoted(&kept, "resident").as_deref(), Some(NOT_MEASURED));
        assert_eq!(quoted(&kept, "no-such-figure"), None);
    }
}
