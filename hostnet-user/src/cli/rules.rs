//! `hostnet rules`: what findings are made by, whether the user's own rules are good,
//! and what they would find.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Usage, lines};
use crate::{
    cli::exit_code::Exit,
    config::Config,
    event::RuleFault,
    judge::{
        Detection,
        sigma::{self, RuleText, Rules},
    },
    text::{for_terminal, json},
};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet rules list                      the built-in detections and the configured rules
  hostnet rules check /etc/hostnet/rules  each fault with its file and line
  hostnet rules test rule.yml day.ndjson   which events of a day it finds")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what findings are made by: the built-in detections and the user's rules.
    List {
        /// Directory of the user's rules [default: that of the configuration].
        directory: Option<PathBuf>,
        /// Configuration file [default: /etc/hostnet/config.toml when it exists].
        #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
        config: Option<PathBuf>,
        /// How it is printed.
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Check rules: each fault with its file and line on standard error, exit code 2; what is
    /// good and never matches is warned of.
    Check {
        /// Rules, or directories of them [default: that of the configuration].
        paths: Vec<PathBuf>,
        /// Configuration file [default: /etc/hostnet/config.toml when it exists].
        #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
        config: Option<PathBuf>,
        /// How it is printed.
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Say which events of a file a rule finds.
    Test {
        /// The rule, or a directory of rules.
        rule: PathBuf,
        /// Files of events in ECS, one JSON document per line; `-` is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How it is printed.
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Write our own rules in Sigma into a directory, for a SIEM that gets the events.
    Export {
        /// A directory that has none of these files yet; it is made when it is not there.
        directory: PathBuf,
    },
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    #[default]
    Table,
    /// JSON, one document per line.
    Json,
}

/// One row of the list.
#[derive(Serialize)]
struct Row {
    id: String,
    severity: &'static str,
    ruleset: &'static str,
    title: String,
    techniques: Vec<String>,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

pub fn run(args: &Args) -> Result<Exit> {
    match &args.command {
        Command::List { directory, config, format } => {
            list(&paths(directory.as_slice(), config.as_deref())?, *format)
        }
        Command::Check { paths: given, config, format } => {
            check(&paths(given, config.as_deref())?, *format)
        }
        Command::Test { rule, files, format } => test(rule, files, *format),
        Command::Export { directory } => export(directory),
    }
}

/// What is given, or what the configuration says.
fn paths(given: &[PathBuf], config: Option<&Path>) -> Result<Vec<PathBuf>> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let config = Config::read(config).map_err(Usage)?;
    Ok(config.rules.directory().into_iter().map(ToOwned::to_owned).collect())
}

fn load(paths: &[PathBuf]) -> (Rules, Vec<RuleFault>) {
    let (texts, mut faults) = sigma::read(paths);
    let (rules, wrong) = Rules::parse(&texts);
    faults.extend(wrong);
    (rules, faults)
}

fn rows(rules: &Rules) -> Vec<Row> {
    let built_in = Detection::all().map(|detection| Row {
        id: detection.id.to_owned(),
        severity: detection.severity.name(),
        ruleset: "hostnet",
        title: detection.title.to_owned(),
        techniques: detection.techniques.iter().map(|one| one.id.to_owned()).collect(),
        description: detection.text.to_owned(),
        file: None,
    });
    let of_users = rules.iter().map(|about| Row {
        id: about.id.clone(),
        severity: about.level.name(),
        ruleset: "sigma",
        title: about.title.clone(),
        techniques: about.techniques.clone(),
        description: about.description.clone(),
        file: Some(about.file.clone()),
    });
    built_in.chain(of_users).collect()
}

fn list(paths: &[PathBuf], format: Format) -> Result<Exit> {
    let (rules, faults) = load(paths);
    let rows = rows(&rules);
    let mut out = anstream::stdout().lock();
    if format == Format::Json {
        for row in &rows {
            json::write(&mut out, row)?;
            writeln!(out)?;
        }
    } else {
        let cells = rows.iter().map(|row| {
            [row.id.clone(), row.severity.to_owned(), row.techniques.join(","), row.title.clone()]
        });
        columns(&mut out, ["ID", "SEVERITY", "TECHNIQUES", "TITLE"], &cells.collect::<Vec<_>>())?;
    }
    told(&rules, &faults)
}

/// What is wrong, one line each, and the exit code of that.
fn told(rules: &Rules, faults: &[RuleFault]) -> Result<Exit> {
    let mut err = anstream::stderr().lock();
    for warning in rules.warnings() {
        writeln!(err, "warning: {warning}")?;
    }
    for fault in faults {
        writeln!(err, "{fault}")?;
    }
    Ok(if faults.is_empty() { Exit::Ok } else { Exit::Usage })
}

fn check(paths: &[PathBuf], format: Format) -> Result<Exit> {
    let (rules, faults) = load(paths);
    let mut out = anstream::stdout().lock();
    if format == Format::Json {
        let good: Vec<_> = rules.iter().map(|about| &**about).collect();
        let warnings: Vec<_> = rules.warnings().collect();
        let found = json!({ "rules": good, "faults": faults, "warnings": warnings });
        json::write(&mut out, &found)?;
        writeln!(out)?;
    } else {
        let s = if rules.len() == 1 { " is" } else { "s are" };
        writeln!(out, "{} rule{s} good", rules.len())?;
    }
    told(&rules, &faults)
}

fn test(rule: &Path, files: &[PathBuf], format: Format) -> Result<Exit> {
    let (rules, faults) = load(std::slice::from_ref(&rule.to_owned()));
    if rules.is_empty() {
        told(&rules, &faults)?;
        return Err(Usage(anyhow!("{} has no rule that is good", rule.display())).into());
    }
    let (mut events, mut matches) = (0_u64, 0_u64);
    let mut out = anstream::stdout().lock();
    let mut described = HashMap::new();
    lines::each(files, |place, line| {
        let mut document: Value = serde_json::from_slice(line)
            .with_context(|| format!("{place} is no event"))
            .map_err(Usage)?;
        events += 1;
        describe(&mut document, &mut described);
        for about in rules.judge(&document) {
            matches += 1;
            let of =
                |pointer| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (time, message) = (of("/@timestamp"), of("/message"));
            if format == Format::Json {
                let found = json!({
                    "rule": { "id": about.id, "title": about.title, "level": about.level },
                    "file": place.name(),
                    "line": place.line,
                    "event": { "id": of("/event/id"), "time": time, "message": message },
                });
                json::write(&mut out, &found)?;
                writeln!(out)?;
            } else {
                let (title, time) = (for_terminal(&about.title), for_terminal(time));
                writeln!(out, "{place}: {time} {title}: {}", for_terminal(message))?;
            }
        }
        Ok(())
    })?;
    if format == Format::Json {
        let found = json!({ "events": events, "matches": matches, "rules": rules.len() });
        json::write(&mut out, &found)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{matches} matches in {events} events")?;
    }
    told(&rules, &faults)
}

/// Gives the document's container all labels, which only the events that say that it is
/// there have.
fn describe(document: &mut Value, described: &mut HashMap<String, Map<String, Value>>) {
    let operation = document["hostnet"]["operation"].as_str().unwrap_or_default();
    let describes = matches!(operation, "join" | "present" | "identify");
    let Some(container) = document.get_mut("container").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(id) = container.get("id").and_then(Value::as_str).map(str::to_owned) else { return };
    if describes {
        let labels = container.get("labels").and_then(Value::as_object);
        described.insert(id, labels.cloned().unwrap_or_default());
    } else if let Some(all) = described.get(&id)
        && let Some(labels) = container.entry("labels").or_insert_with(|| json!({})).as_object_mut()
    {
        for (key, value) in all {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

fn export(directory: &Path) -> Result<Exit> {
    let cannot = |path: &Path| format!("cannot write {}", path.display());
    fs::create_dir_all(directory).with_context(|| cannot(directory)).map_err(Usage)?;
    let pack = sigma::pack();
    for RuleText { file: name, text } in &pack {
        let path = directory.join(name);
        // Somebody may have changed one that is there.
        let mut file = fs::File::create_new(&path).with_context(|| cannot(&path)).map_err(Usage)?;
        file.write_all(text.as_bytes()).with_context(|| cannot(&path)).map_err(Usage)?;
    }
    writeln!(anstream::stdout().lock(), "{} rules in {}", pack.len(), directory.display())?;
    Ok(Exit::Ok)
}

/// Cells under their headings; the last column is as long as it is.
fn columns<const N: usize>(
    out: &mut impl Write,
    headings: [&str; N],
    rows: &[[String; N]],
) -> Result<()> {
    let mut all = vec![headings.map(ToOwned::to_owned)];
    all.extend(rows.iter().map(|row| row.each_ref().map(|cell| for_terminal(cell).into_owned())));
    let width = |at: usize| all.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in &all {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
