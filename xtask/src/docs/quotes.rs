//! Measured figures in documents. A document has none of its own: it quotes
//! docs/benchmarks.md or a table of docs/cost by a link, and what the link shows is filled in
//! from there: `[1.57](docs/benchmarks.md#connect-ratio)`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::{bench, cost, shell};

/// What only a measurement can say. A number before one of these is a quote or a mistake.
const UNITS: &[&str] = &[
    "ns",
    "% of a core",
    "times the floor",
    "× the floor",
    "× that floor",
    "instructions",
    "rows/s",
    "rows per second",
];

/// The column of a table that has measured figures.
const COLUMN: &str = "measured";

/// Every document that may quote, with what its quotes have to show; `generated` ones do not.
pub fn filled(generated: &[&str]) -> Result<Vec<(String, String)>> {
    let (runs, tables) = (bench::Kept::all()?, cost::kept()?);
    let figure = |page: &str, id: &str| {
        if page == bench::PAGE { bench::quoted(&runs, id) } else { cost::quoted(&tables, page, id) }
    };
    let is_source = |page: &str| page == bench::PAGE || tables.contains_key(page);
    let (mut filled, mut mistakes) = (Vec::new(), Vec::new());
    for path in documents()? {
        if generated.contains(&&*path) || is_source(&path) {
            continue;
        }
        let file = shell::root().join(&path);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {path}"))?;
        let document = Document { path: &path, is_source: &is_source, figure: &figure };
        filled.push((path.clone(), document.fill(&text, &mut mistakes)));
    }
    if !mistakes.is_empty() {
        bail!("{}", mistakes.join("\n"));
    }
    Ok(filled)
}

fn documents() -> Result<Vec<String>> {
    let mut paths = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned()];
    for directory in ["docs", "docs/cost"] {
        for entry in fs::read_dir(shell::root().join(directory))? {
            let name = entry?.file_name();
            if let Some(name) = name.to_str().filter(|name| name.ends_with(".md")) {
                paths.push(format!("{directory}/{name}"));
            }
        }
    }
    paths.sort();
    Ok(paths)
}

struct Document<'a> {
    path: &'a str,
    is_source: &'a dyn Fn(&str) -> bool,
    /// By page and name.
    figure: &'a dyn Fn(&str, &str) -> Option<String>,
}

/// A link in a line: where it is, and what it is to.
struct Link<'a> {
    begins: usize,
    ends: usize,
    shows: &'a str,
    target: &'a str,
}

impl Document<'_> {
    /// The text with every quote as it has to be.
    fn fill(&self, text: &str, mistakes: &mut Vec<String>) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut measured = None;
        for (at, line) in text.split_inclusive('\n').enumerate() {
            let mut mistake =
                |what: String| mistakes.push(format!("{}:{}: {what}", self.path, at + 1));
            let (mut written, mut rest) = (0, String::new());
            for link in links(line) {
                let Some((page, id)) = self.source(link.target) else { continue };
                let shows = (self.figure)(&page, id).unwrap_or_else(|| {
                    mistake(format!("{page} has no figure {id}"));
                    link.shows.to_owned()
                });
                rest.push_str(&line[written..link.begins]);
                filled.push_str(&line[written..link.begins]);
                let _ = write!(filled, "[{shows}]({})", link.target);
                written = link.ends;
            }
            rest.push_str(&line[written..]);
            filled.push_str(&line[written..]);
            if let Some(unit) = UNITS.iter().find(|unit| is_counted(&rest, unit)) {
                mistake(format!(
                    "a figure in {unit} is measured: quote {} or docs/cost by a link to the figure",
                    bench::PAGE
                ));
            }
            measured = column(&rest, measured);
            let cell = measured.and_then(|column: usize| cells(&rest).nth(column));
            if cell.is_some_and(|cell| cell.contains(|c: char| c.is_ascii_digit())) {
                mistake(format!(
                    "the column {COLUMN:?} has a figure that is not a link to {}",
                    bench::PAGE
                ));
            }
        }
        filled
    }

    /// The page with figures and the figure that a link is to.
    fn source<'t>(&self, target: &'t str) -> Option<(String, &'t str)> {
        let (page, id) = target.split_once('#')?;
        let mut path: Vec<&str> = self.path.split('/').collect();
        path.pop();
        for part in page.split('/') {
            match part {
                ".." => drop(path.pop()),
                "." => {}
                name => path.push(name),
            }
        }
        let page = path.join("/");
        (self.is_source)(&page).then_some((page, id))
    }
}

/// The links of a line, in their order.
fn links(line: &str) -> impl Iterator<Item = Link<'_>> {
    line.match_indices("](").filter_map(|(middle, _)| {
        let begins = line[..middle].rfind('[')?;
        let ends = middle + 2 + line[middle + 2..].find(')')?;
        let (shows, target) = (&line[begins + 1..middle], &line[middle + 2..ends]);
        Some(Link { begins, ends: ends + 1, shows, target })
    })
}

/// Whether a number of this unit is in the text.
fn is_counted(text: &str, unit: &str) -> bool {
    text.match_indices(unit).any(|(at, _)| {
        let before = text[..at].trim_end().bytes().next_back();
        let after = text[at + unit.len()..].chars().next();
        before.is_some_and(|byte| byte.is_ascii_digit())
            && !after.is_some_and(char::is_alphanumeric)
    })
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.trim().trim_start_matches('|').trim_end_matches('|').split('|').map(str::trim)
}

/// The measured column of the table that this line is in, from the line before it.
fn column(line: &str, before: Option<usize>) -> Option<usize> {
    if !line.starts_with('|') {
        return None;
    }
    before.or_else(|| cells(line).position(|cell| cell == COLUMN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "docs/benchmarks.md";

    /// A document at `path` with this text: as it has to be, and what is wrong with it.
    fn fill(path: &str, text: &str) -> (String, Vec<String>) {
        let is_source = |page: &str| page == PAGE || page == "docs/cost/6.12.md";
        let figure = |page: &str, id: &str| match (page, id) {
            (PAGE, "connect-ratio") => Some("1.57".to_owned()),
            ("docs/cost/6.12.md", "watched-bind-off") => Some("+3968".to_owned()),
            _ => None,
        };
        let document = Document { path, is_source: &is_source, figure: &figure };
        let mut mistakes = Vec::new();
        (document.fill(text, &mut mistakes), mistakes)
    }

    #[test]
    fn the_committed_documents_quote_what_was_measured() {
        let stale = crate::docs::settle_benchmarks(true).expect("no figure is unquoted or unknown");
        assert_eq!(stale, Vec::<String>::new(), "stale: run cargo xtask docs");
    }

    #[test]
    fn a_quote_shows_what_the_page_has() {
        let quote = |page: &str, shows: &str| {
            format!("A [host](limits.md#host), [{shows}]({page}#connect-ratio) times the floor.\n")
        };
        for (path, page) in [
            ("README.md", "docs/benchmarks.md"),
            ("docs/limits.md", "benchmarks.md"),
            ("docs/cost/README.md", "../benchmarks.md"),
        ] {
            let (filled, mistakes) = fill(path, &quote(page, "1.18"));
            assert_eq!((filled, mistakes), (quote(page, "1.57"), Vec::new()), "{path}");
        }
        let (filled, _) =
            fill("docs/cost/README.md", "[?](6.12.md#watched-bind-off) instructions\n");
        assert_eq!(filled, "[+3968](6.12.md#watched-bind-off) instructions\n");
    }

    #[test]
    fn a_quote_of_a_figure_that_the_page_lacks_is_a_mistake() {
        let text = "It is\n[1.18](docs/benchmarks.md#connect) times the floor.\n";
        let said = ["README.md:2: docs/benchmarks.md has no figure connect".to_owned()];
        assert_eq!(fill("README.md", text), (text.to_owned(), said.to_vec()));
        // A link to the page itself is no quote.
        assert_eq!(fill("README.md", "[costs](docs/benchmarks.md)").1, Vec::<String>::new());
    }

    #[test]
    fn a_measured_figure_without_a_quote_is_a_mistake() {
        for text in [
            "It adds 166 ns.",
            "Idle it takes 0.14 % of a core.",
            "A connect is 1.18 times the floor.",
            "A send costs 120 instructions.",
            "| | measured |\n|---|---|\n| resident | 13.6 MiB |",
            "| | measured |\n|---|---|\n| of [1.57](docs/benchmarks.md#connect-ratio) | [1.57](docs/benchmarks.md#connect-ratio); 2 |",
        ] {
            assert_eq!(fill("README.md", text).1.len(), 1, "{text}");
        }
        for text in [
            "It waits 200 ms for `ns` links, at most 64 MiB.",
            "300 nsenter calls",
            "| | measured |\n|---|---|\n| 3 | [1.57](docs/benchmarks.md#connect-ratio) |\n\n| a | b |\n| 1 | 2 |",
        ] {
            assert_eq!(fill("README.md", text).1, Vec::<String>::new(), "{text}");
        }
    }
}
