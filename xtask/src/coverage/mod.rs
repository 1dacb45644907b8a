//! docs/coverage.md: what each kernel shows. Made from the catalogue of techniques
//! and from the runs that `cargo xtask vm --update` keeps, and from nothing else.

mod catalogue;
mod page;
mod techniques;

use anyhow::Result;

use crate::vm::Run;

/// The document.
pub const PAGE: &str = "docs/coverage.md";

/// Its text, as it has to be.
pub fn text() -> Result<String> {
    Ok(page::text(&Run::kept()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;
    use techniques::{Kernel, Notes};

    #[test]
    fn the_committed_page_is_current() {
        let text = text().expect("runs");
        let is_current = docs::settle(PAGE, text.as_bytes(), true).expect("compared");
        assert!(is_current, "{PAGE} is stale: run cargo xtask docs");
    }

    /// Techniques whose tests are younger than the runs that are kept; the next whole
    /// run of the matrix empties this list.
    const YOUNGER: &[&str] = &[];

    /// A kernel of the matrix whose run is not kept is named in the page itself.
    #[test]
    fn no_technique_is_silent_on_a_kernel_that_was_run() {
        let runs = Run::kept().expect("runs");
        for kernel in Kernel::of(&runs) {
            for entry in catalogue::CATALOGUE {
                let cell = kernel.says(entry.id, &mut Notes::default());
                let is_younger = YOUNGER.contains(&entry.id);
                let (id, series) = (entry.id, kernel.series());
                assert_eq!(cell == techniques::NOT_TRIED, is_younger, "{id} on Linux {series}");
            }
        }
    }

    /// A test that was renamed or removed since shows nothing.
    #[test]
    fn tests_that_speak_for_a_technique_are_still_there() {
        let written = catalogue::tests::written();
        for run in Run::kept().expect("runs") {
            let named = run.tests.keys().filter(|name| techniques::subject(name).is_some());
            let gone: Vec<&String> = named.filter(|name| !written.contains(*name)).collect();
            assert!(gone.is_empty(), "{} {}: {gone:?}", run.series, run.variant);
        }
    }
}
