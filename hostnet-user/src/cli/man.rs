//! `hostnet man`: manual pages, generated from the command line's own definition.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{Cli, Usage};
use crate::{cli::exit_code::Exit, config};

/// Write the manual pages, one per subcommand.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet man | man -l -
  hostnet man /usr/local/share/man/man1")]
pub struct Args {
    /// The directory they go to [default: print hostnet(1)].
    directory: Option<PathBuf>,
}

/// What every page ends with: a heading, and entries with their text.
type Part = (&'static str, &'static [(&'static str, &'static str)]);
const PARTS: [Part; 3] = [
    (
        "EXIT STATUS",
        &[
            ("0", "It did what it was asked."),
            ("1", "It found something at or above the level asked for."),
            ("2", "The command line, the configuration or an output it names is wrong."),
            ("3", "Nothing can be observed here: privileges, kernel or cgroups."),
            ("4", "It did part of what it was asked; the messages say what is missing."),
        ],
    ),
    (
        "FILES",
        &[
            (config::DEFAULT_PATH, "The configuration; not there, everything has its default."),
            (
                "/var/lib/hostnet/history.db",
                "The history, unless the configuration or the service manager has another place.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("HOSTNET_CONFIG", "The configuration file."),
            ("HOSTNET_LOG", "What is said on standard error: error, warn, info, debug, trace."),
            ("DOCKER_HOST, CONTAINER_HOST", "Endpoint of the container runtime's API."),
            ("STATE_DIRECTORY", "Where the history is, as systemd says it."),
            ("CREDENTIALS_DIRECTORY", "Where credentials of sinks are, as systemd says it."),
            ("NO_COLOR", "Set, nothing is coloured."),
        ],
    ),
];

pub fn run(args: &Args) -> Result<Exit> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    match &args.directory {
        None => std::io::stdout().write_all(&page(&root, &root)?)?,
        Some(directory) => {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot make the directory {}", directory.display()))
                .map_err(Usage)?;
            write(&root, &root, directory)?;
        }
    }
    Ok(Exit::Ok)
}

fn write(command: &Command, root: &Command, to: &Path) -> Result<()> {
    let path = to.join(format!("{}.1", full_name(command)));
    fs::write(&path, page(command, root)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    shown(command).try_for_each(|command| write(command, root, to))
}

/// Its subcommands that people use.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// `hostnet-query-peers`
fn full_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, root: &Command) -> Result<Vec<u8>> {
    let version = root.get_version().unwrap_or_default();
    let man =
        Man::new(command.clone()).source(format!("hostnet {version}")).manual("hostnet manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if shown(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut end = Roff::default();
    if let Some(examples) = command.get_after_help() {
        end.control("SH", ["EXAMPLES AND NOTES"]);
        end.control("nf", []);
        for line in examples.to_string().lines() {
            end.text([roman(line)]);
        }
        end.control("fi", []);
    }
    for (heading, entries) in PARTS {
        end.control("SH", [heading]);
        for (name, text) in entries {
            end.control("TP", []);
            end.text([bold(*name)]);
            end.text([roman(*text)]);
        }
    }
    end.control("SH", ["SEE ALSO"]);
    let others = std::iter::once(root).chain(shown(root));
    let others = others.filter(|other| full_name(other) != full_name(command));
    let names: Vec<String> = others.map(|other| format!("{}(1)", full_name(other))).collect();
    end.text([roman(names.join(", "))]);
    end.to_writer(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &Command, look: &mut impl FnMut(&Command)) {
        look(command);
        shown(command).for_each(|command| each(command, look));
    }

    #[test]
    fn every_command_has_a_page_and_help_to_learn_from() {
        let mut root = Cli::command().disable_help_subcommand(true);
        root.build();
        each(&root.clone(), &mut |command| {
            let page = String::from_utf8(page(command, &root).unwrap()).unwrap();
            for part in [".SH NAME", ".SH SYNOPSIS", ".SH \"EXIT STATUS\"", ".SH FILES"] {
                assert!(page.contains(part), "{}: {part}", full_name(command));
            }
            let name = full_name(command);
            assert!(command.get_about().is_some(), "{name} does not say what it is for");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{name}: {}", argument.get_id());
            }
        });
        // A question of `query` is explained by the examples of `query`.
        for command in shown(&root) {
            let has_examples = command.get_after_help().is_some();
            assert!(has_examples, "{} has no example", full_name(command));
        }
    }
}
