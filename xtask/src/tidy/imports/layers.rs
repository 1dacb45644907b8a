//! The layers that ARCHITECTURE.md draws: a module uses those below it alone.

use std::collections::BTreeMap;

use crate::tidy::{File, Finding};

/// Where they are drawn.
pub const PAGE: &str = "ARCHITECTURE.md";

/// How a drawing begins; then comes the folder of the crate. Each line is a layer, the
/// lowest at the end.
const BEGIN: &str = "```layers ";
const END: &str = "```";

/// The modules of one crate, by their lines of the page, counted from 1.
pub type Layers<'a> = BTreeMap<&'a str, usize>;

/// What the page draws, by the folder of a crate, and what is drawn twice.
pub fn drawn(files: &[File]) -> (BTreeMap<&str, Layers<'_>>, Vec<Finding>) {
    let (mut all, mut twice) = (BTreeMap::<&str, Layers<'_>>::new(), Vec::new());
    let mut folder = None;
    let page = files.iter().find(|file| file.path == PAGE);
    for (at, text) in page.into_iter().flat_map(|page| page.text.lines().enumerate()) {
        let line = at + 1;
        if let Some(begins) = text.strip_prefix(BEGIN) {
            folder = Some(begins.trim());
            all.entry(begins.trim()).or_default();
        } else if text == END {
            folder = None;
        } else if let Some(folder) = folder {
            for module in text.split_whitespace() {
                if all.entry(folder).or_default().insert(module, line).is_some() {
                    let message = format!("draws {module} of {folder} twice");
                    twice.push(Finding { path: PAGE.into(), line: Some(line), message });
                }
            }
        }
    }
    (all, twice)
}
