//! The table: what is added to each operation in each place, by each way of
//! seeing sockets beyond IP; which programs have how much of it; and how long the
//! verifier takes over each program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};

/// How much dearer than the committed figure an operation may become, in percent
/// of what is added to it, and in instructions where that is little.
const TOLERANCE_PERCENT: i64 = 5;
const TOLERANCE: i64 = 40;

/// The ways of `--beyond-ip`, in the order of the columns.
const WAYS: [&str; 3] = ["off", "first-use", "families"];

/// The operations of which the programs are shown: where the most is added, by this way.
const PARTS_OF: (&str, &str) = ("watched", "families");

/// Added instructions and verified instructions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// By place and operation: without hostnet, and added in each way.
    rows: BTreeMap<(String, String), Row>,
    /// By operation and program.
    parts: BTreeMap<(String, String), Part>,
    /// By hook.
    programs: BTreeMap<String, i64>,
}

/// What a program has of one operation.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// How often it ran in a hundred operations.
    hundred_runs: i64,
    instructions: i64,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    without: i64,
    added: [Option<i64>; 3],
}

impl Table {
    /// From the lines of the program that measures.
    pub fn measured(output: &str) -> Result<Self> {
        let mut table = Self::default();
        let mut last = BTreeMap::new();
        for line in output.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["cost", way, place, operation, count] => {
                    let key = (place.to_owned(), operation.to_owned());
                    let count: i64 = count.parse()?;
                    match WAYS.iter().position(|known| *known == way) {
                        Some(column) => {
                            let row = table.rows.entry(key).or_default();
                            row.added[column] = Some(count - row.without);
                        }
                        None if way == "none" => {
                            table.rows.entry(key).or_default().without = count;
                        }
                        None => {
                            last.insert(key, count);
                        }
                    }
                }
                ["part", operation, name, runs, instructions] => {
                    let part = Part {
                        hundred_runs: runs.parse()?,
                        instructions: instructions.parse::<i64>()? / 100,
                    };
                    table.parts.insert((operation.to_owned(), name.to_owned()), part);
                }
                ["program", hook, count] => {
                    table.programs.insert(hook.to_owned(), count.parse()?);
                }
                _ => {}
            }
        }
        table.name_parts();
        for (key, row) in &table.rows {
            let Some(after) = last.get(key) else { bail!("the second baseline was not measured") };
            if (after - row.without).abs() > row.without / 20 {
                bail!(
                    "{} {}: {} instructions before and {after} after: the machine is not quiet",
                    key.0,
                    key.1,
                    row.without
                );
            }
        }
        Ok(table)
    }

    /// Calls each part's program as its hook is called: the kernel keeps 15 characters of a name.
    fn name_parts(&mut self) {
        let hooks: Vec<&String> = self.programs.keys().collect();
        let named = std::mem::take(&mut self.parts).into_iter().map(|((operation, name), part)| {
            let is_it = |hook: &&&String| hook.rsplit('/').next() == Some(&name);
            // The hook of `socket_post_create` is `security_socket_post_create`.
            let is_like_it = |hook: &&&String| name.len() == 15 && hook.contains(&name);
            let hook = hooks.iter().find(is_it).or_else(|| hooks.iter().find(is_like_it));
            let hook = hook.map_or(name.as_str(), |hook| hook.as_str());
            ((operation, hook.to_owned()), part)
        });
        self.parts = named.collect();
    }

    /// What is dearer now than in the `kept` table, a line each.
    pub fn dearer_than(&self, kept: &Self) -> Vec<String> {
        let mut dearer = Vec::new();
        let mut compare = |what: String, now: i64, before: i64| {
            let allowed = TOLERANCE.max(before * TOLERANCE_PERCENT / 100);
            if now > before + allowed {
                dearer.push(format!("{what}: {now} instructions instead of {before}"));
            }
        };
        for ((place, operation), row) in &self.rows {
            let Some(before) = kept.rows.get(&(place.clone(), operation.clone())) else { continue };
            for (way, (now, before)) in WAYS.iter().zip(row.added.iter().zip(before.added)) {
                if let (Some(now), Some(before)) = (now, before) {
                    compare(format!("{operation}, {place}, {way}"), *now, before);
                }
            }
        }
        for (hook, now) in &self.programs {
            if let Some(before) = kept.programs.get(hook) {
                compare(format!("verifying {hook}"), *now, *before);
            }
        }
        dearer
    }

    /// The table as it is committed.
    pub fn text(&self, series: &str) -> String {
        let mut text = format!(
            "# What hostnet costs on Linux {series}\n\n\
             Instructions added to one operation, measured by `cargo xtask cost {series}` in a VM \
             that counts them; medians. \"Watched\" is a container in the host's network \
             namespace, \"elsewhere\" one in a namespace of its own. The columns are the ways of \
             `--beyond-ip`.\n\n\
             | place | operation | without hostnet | off | first-use | families |\n\
             |---|---|---|---|---|---|\n"
        );
        for ((place, operation), row) in &self.rows {
            let _ = write!(text, "| {place} | {operation} | {} |", row.without);
            for added in row.added {
                let _ = match added {
                    Some(added) => write!(text, " {added:+} |"),
                    None => write!(text, " – |"),
                };
            }
            text.push('\n');
        }
        self.write_parts(&mut text);
        text.push_str(
            "\nInstructions the verifier goes through to accept each program:\n\n\
             | hook | instructions |\n|---|---|\n",
        );
        for (hook, count) in &self.programs {
            let _ = writeln!(text, "| {hook} | {count} |");
        }
        text
    }

    /// What each program has of what is added, and what is added around them.
    fn write_parts(&self, text: &mut String) {
        let (place, way) = PARTS_OF;
        let _ = write!(
            text,
            "\nWhere they go with `{way}`, {place}: how often one operation runs each program, and the \
             instructions of these runs. \"Around them\" is the kernel's way to the programs and back, \
             less what it takes to measure a run.\n\n\
             | operation | program | runs | instructions |\n|---|---|---|---|\n"
        );
        for ((of, operation), row) in &self.rows {
            let [.., Some(added)] = row.added else { continue };
            let mut parts: Vec<_> =
                self.parts.iter().filter(|((at, _), _)| at == operation).collect();
            if of != place || parts.is_empty() {
                continue;
            }
            parts.sort_by_key(|(_, part)| -part.instructions);
            for ((_, program), Part { hundred_runs, instructions }) in &parts {
                let (runs, rest) = (hundred_runs / 100, hundred_runs % 100);
                let _ = writeln!(
                    text,
                    "| {operation} | {program} | {runs}.{rest:02} | {instructions} |"
                );
            }
            let within: i64 = parts.iter().map(|(_, part)| part.instructions).sum();
            let _ = writeln!(text, "| {operation} | around them | | {} |", added - within);
        }
    }

    /// What is added to the operation that `id` names: place, operation and way.
    pub fn quoted(&self, id: &str) -> Option<String> {
        self.rows.iter().find_map(|((place, operation), row)| {
            let way = id.strip_prefix(place.as_str())?.strip_prefix('-')?;
            let way = way.strip_prefix(operation.as_str())?.strip_prefix('-')?;
            let column = WAYS.iter().position(|known| *known == way)?;
            row.added[column].map(|added| format!("{added:+}"))
        })
    }

    /// Reads what [`text`](Self::text) wrote.
    pub fn parse(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            match cells[..] {
                [place, operation, without, off, first_use, families] => {
                    let Ok(without) = without.parse() else { continue };
                    let added = [off, first_use, families].map(|cell| cell.parse().ok());
                    let key = (place.to_owned(), operation.to_owned());
                    table.rows.insert(key, Row { without, added });
                }
                [operation, program, runs, instructions] => {
                    let (Ok(hundred_runs), Ok(instructions)) =
                        (runs.replace('.', "").parse(), instructions.parse())
                    else {
                        continue;
                    };
                    let key = (operation.to_owned(), program.to_owned());
                    table.parts.insert(key, Part { hundred_runs, instructions });
                }
                [hook, count] => {
                    if let Ok(count) = count.parse() {
                        table.programs.insert(hook.to_owned(), count);
                    }
                }
                _ => {}
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "cost none watched bind 1000\ncost off watched bind 1500\n\
                          cost families watched bind 1600\nprogram cgroup/bind4 80\n\
                          part bind bind4 100 41234\npart bind post_bind4 205 12000\n\
                          cost none-again watched bind 1001\n";

    #[test]
    fn what_is_written_is_read_again() {
        let table = Table::measured(OUTPUT).unwrap();
        assert_eq!(Table::parse(&table.text("6.1")), table);
        assert_eq!(table.dearer_than(&table), Vec::<String>::new());
    }

    #[test]
    fn parts_are_shown_with_what_is_around_them() {
        let text = Table::measured(OUTPUT).unwrap().text("6.1");
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| bind |")).collect();
        assert_eq!(
            rows,
            [
                "| bind | cgroup/bind4 | 1.00 | 412 |",
                "| bind | post_bind4 | 2.05 | 120 |",
                "| bind | around them | | 68 |"
            ]
        );
    }

    #[test]
    fn a_cell_is_quoted_by_place_operation_and_way() {
        let table = Table::measured(OUTPUT).unwrap();
        assert_eq!(table.quoted("watched-bind-families").as_deref(), Some("+600"));
        for other in
            ["watched-bind", "watched-bind-first-use", "host-bind-off", "watched-bind-none"]
        {
            assert_eq!(table.quoted(other), None, "{other}");
        }
    }

    #[test]
    fn dearer_is_more_than_five_percent() {
        let kept = Table::measured(OUTPUT).unwrap();
        let with = |count: &str| Table::measured(&OUTPUT.replace("1500", count)).unwrap();
        assert_eq!(with("1540").dearer_than(&kept), Vec::<String>::new());
        assert_eq!(
            with("1541").dearer_than(&kept),
            ["bind, watched, off: 541 instructions instead of 500"]
        );
    }

    #[test]
    fn a_machine_that_is_not_quiet_measures_nothing() {
        assert!(Table::measured(&OUTPUT.replace("1001", "1100")).is_err());
    }
}
