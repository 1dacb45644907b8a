//! The page, from what is kept.

use std::fmt::Write as _;

use super::catalogue::{CATALOGUE, UNCOVERED};
use super::techniques::{Kernel, Notes};
use crate::vm::{KERNELS, Run, Verdict};

const BEGINNING: &str = "\
# What each kernel shows

Made by `cargo xtask docs` from the test runs in [coverage/](coverage), which `cargo xtask vm --all
--update` makes: each is all live tests in a virtual machine with a kernel of Debian's. `hostnet
doctor` says the same of the machine it runs on, and the agent's first event too.
";

const TECHNIQUES: &str = "
## Techniques

Ways not to be seen, and what the tests named after them found. *Seen*: the technique worked, and
all of it was told with its container, its addresses and its outcome. *Not shown*: it cannot be tried
or cannot be told on this kernel, and the note says why. *Not tried yet*: its tests are younger than
the run.

";

const UNSEEN: &str = "
## What is not shown

A test holds each row: it fails when the operation is told after all.

| | operation | why | but where the kernel takes set |
|---|---|---|---|
";

const RUN: &str = "
## Test runs

Without Docker a container is a cgroup and namespaces, made in runc's order; with it, only the tests
that ask Docker for something are run.

| kernel | cgroups, and what else | tests passed | in part | skipped | failed |
|---|---|---|---|---|---|
";

/// All of it.
pub fn text(runs: &[Run]) -> String {
    let kernels = Kernel::of(runs);
    let mut text = BEGINNING.to_owned();
    let is_missing = |series: &&&str| kernels.iter().all(|kernel| kernel.series() != **series);
    let missing: Vec<&str> = KERNELS.iter().filter(is_missing).copied().collect();
    if !missing.is_empty() {
        let _ = writeln!(text, "\nNo run is kept of Linux {}.", missing.join(", "));
    }
    if !kernels.is_empty() {
        text.push_str(TECHNIQUES);
        techniques(&mut text, &kernels);
    }
    text.push_str(UNSEEN);
    for row in UNCOVERED {
        line(&mut text, [row.id, row.operation, row.why, row.shown_by.unwrap_or("–")]);
    }
    if !runs.is_empty() {
        text.push_str(RUN);
        runs.iter().for_each(|run| summary(&mut text, run));
    }
    kernels.iter().for_each(|kernel| hooks(&mut text, kernel.main));
    text
}

fn techniques(text: &mut String, kernels: &[Kernel<'_>]) {
    let names: Vec<&str> = kernels.iter().map(Kernel::series).collect();
    line(text, ["", "technique"].into_iter().chain(names));
    let _ = writeln!(text, "|{}", "---|".repeat(2 + kernels.len()));
    let mut notes = Notes::default();
    for entry in CATALOGUE {
        let cells: Vec<String> =
            kernels.iter().map(|kernel| kernel.says(entry.id, &mut notes)).collect();
        line(text, [entry.id, entry.title].into_iter().chain(cells.iter().map(String::as_str)));
    }
    let _ = write!(text, "\n{}", notes.list());
}

fn summary(text: &mut String, run: &Run) {
    let count = |is: fn(&Verdict) -> bool| run.tests.values().filter(|v| is(v)).count().to_string();
    let passed = count(|verdict| *verdict == Verdict::Ok);
    let partly = count(|verdict| matches!(verdict, Verdict::Partly(_)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    let failed = count(|verdict| *verdict == Verdict::Failed);
    let file = format!("[{}]({})", run.variant, run.path().replacen("docs/", "", 1));
    line(text, [&run.release, &file, &passed, &partly, &skipped, &failed].map(String::as_str));
}

/// The kernel's own table, in the words and the order of `hostnet doctor`.
fn hooks(text: &mut String, run: &Run) {
    let all = run.coverage.len();
    let proven = run.coverage.iter().filter(|row| row.state == "proven").count();
    let _ = write!(
        text,
        "\n## Linux {}\n\n`{}`: {proven} of {all} proven.\n\n\
         | operation | hook | set | state |\n|---|---|---|---|\n",
        run.series, run.release
    );
    for row in &run.coverage {
        let state = match &row.reason {
            Some(reason) => format!("{}: {reason}", row.state),
            None => row.state.clone(),
        };
        line(text, [&row.operation, &format!("`{}`", row.hook), &row.set, &state].map(|s| &**s));
    }
}

/// One line of a table.
fn line<'a>(text: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for cell in cells {
        let _ = write!(text, "| {} ", cell.replace('|', r"\|"));
    }
    text.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three test programs, so that most techniques have no word: the page says
    /// so, and a committed run of this kind is a failed test.
    #[test]
    fn the_page_says_what_a_real_run_found() {
        let page = text(&[crate::vm::sample()]);
        let has = |line: &str| assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        has("| E15 | raw IP with a forged header | seen |");
        has("| E12 | Multipath TCP | **not tried yet** |");
        has("| E23 | only failures: scans, refused binds | seen |");
        has("1. some of it no kernel shows: see below");
        has("No run is kept of Linux 5.10, 6.1, 6.18, 7.3.");
        has("| 6.12.118+deb13-cloud-amd64 | [v2](coverage/6.12-v2.json) | 18 | 0 | 1 | 0 |");
        has("`6.12.118+deb13-cloud-amd64`: 3 of 3 proven.");
        has("| bind asked, IPv4 | `cgroup/bind4` | inet | proven |");
    }

    #[test]
    fn a_hook_that_is_not_proven_says_why() {
        let mut run = crate::vm::sample();
        run.coverage[2].state = "refused".to_owned();
        run.coverage[2].reason = Some("needs a|b".to_owned());
        let page = text(&[run]);
        assert!(page.contains(": 2 of 3 proven"), "{page}");
        assert!(page.ends_with("| families | refused: needs a\\|b |\n"), "{page}");
    }
}
