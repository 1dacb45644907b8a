//! No circles of modules or files, and no import against the layers of ARCHITECTURE.md.
//!
//! The modules beside each other in a folder must not lead back to each other: a folder is
//! one of them, with all that is in it, and so is a file. What a folder's `mod.rs` has is
//! the folder's own: files in it may use that, and it may use them. What it only passes on
//! (`pub use`) is used of the file that has it. Code of tests is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, Finding};

mod circles;
mod code;
mod crates;
mod layers;
mod paths;
#[cfg(test)]
mod tests;

use circles::{Arrows, Circle, circles};
use crates::{Crate, Use};
use layers::Layers;

/// Crates whose top modules have layers.
const LAYERED: [&str; 2] = ["hostnet-ebpf/src", "hostnet-user/src"];

pub fn check(files: &[File]) -> Vec<Finding> {
    let sources = crates::sources(files);
    let crates = crates::crates(&sources);
    let (drawn, mut found) = layers::drawn(files);
    // The agent's `main.rs` is beside its library, and a crate of one file.
    for of in crates.iter().filter(|of| of.modules.len() > 1) {
        let uses = of.uses();
        found.extend(in_circles(of, &uses));
        if let Some(layers) = drawn.get(of.folder) {
            found.extend(against(layers, of, &uses));
        } else if LAYERED.contains(&of.folder) {
            found.push(page(None, format!("does not draw the layers of {}", of.folder)));
        }
    }
    found
}

/// A finding for each circle, with the imports of one way around it.
fn in_circles(of: &Crate<'_>, uses: &[Use<'_>]) -> Vec<Finding> {
    // By folder: who uses whom there, and a use that says so.
    let mut folders = BTreeMap::<String, BTreeMap<(&str, &str), &Use<'_>>>::new();
    for one in uses {
        let (from, to) = (&one.from.name, &one.to.name);
        let shared = from.iter().zip(to).take_while(|(from, to)| from == to).count();
        // Else one is in the other, whose own file may use it and be used by it.
        if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
            let parts = [of.folder].into_iter().chain(from[..shared].iter().map(String::as_str));
            let folder = parts.collect::<Vec<_>>().join("/");
            folders.entry(folder).or_default().entry((a.as_str(), b.as_str())).or_insert(one);
        }
    }
    let mut found = Vec::new();
    for (folder, uses) in &folders {
        let mut arrows = Arrows::new();
        for &(from, to) in uses.keys() {
            arrows.entry(from).or_default().insert(to);
        }
        found.extend(circles(&arrows).iter().map(|circle| finding(folder, circle, uses)));
    }
    found
}

fn finding(folder: &str, circle: &Circle<'_>, uses: &BTreeMap<(&str, &str), &Use<'_>>) -> Finding {
    let next = circle.way.iter().cycle().skip(1);
    let arrows: Vec<String> = circle
        .way
        .iter()
        .zip(next)
        .filter_map(|(from, to)| {
            let Use { from: module, path, .. } = uses.get(&(*from, *to))?;
            let segments = path.segments.join("::");
            Some(format!("{}:{} uses {to} ({segments})", module.file, path.line))
        })
        .collect();
    let all: Vec<&str> = circle.members.iter().copied().collect();
    Finding {
        path: folder.to_owned(),
        line: None,
        message: format!("{} are in a circle: {}", all.join(", "), arrows.join("; ")),
    }
}

/// Uses of modules that are not below, and modules that are not drawn or not there.
fn against(layers: &Layers<'_>, of: &Crate<'_>, uses: &[Use<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    let tops: BTreeSet<&str> =
        of.modules.keys().filter_map(|name| name.first().map(String::as_str)).collect();
    let undrawn = tops.iter().filter(|top| !layers.contains_key(**top));
    found.extend(undrawn.map(|top| page(None, format!("does not draw {}/{top}", of.folder))));
    let gone = layers.iter().filter(|(module, _)| !tops.contains(**module));
    found.extend(gone.map(|(module, line)| {
        page(Some(*line), format!("draws {}/{module}, which is not there", of.folder))
    }));
    for Use { from, to, path } in uses {
        let (Some(a), Some(b)) = (from.name.first(), to.name.first()) else { continue };
        let (above, below) = (layers.get(a.as_str()), layers.get(b.as_str()));
        // Further down the page is lower.
        if a != b && above.zip(below).is_some_and(|(above, below)| above >= below) {
            let segments = path.segments.join("::");
            found.push(Finding {
                path: from.file.to_owned(),
                line: Some(path.line),
                message: format!("uses {segments}, but {b} is not below {a} ({})", layers::PAGE),
            });
        }
    }
    found
}

fn page(line: Option<usize>, message: String) -> Finding {
    Finding { path: layers::PAGE.into(), line, message }
}
