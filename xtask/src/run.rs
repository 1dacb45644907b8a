//! `cargo xtask run`: build hostnet and start it.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{shell, static_build};

#[derive(clap::Args)]
pub struct Args {
    /// Options for `hostnet watch`; or a subcommand of hostnet and its options.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn perform(args: &Args) -> Result<()> {
    let hostnet = static_build::hostnet()?;
    let words = hostnet_args(&args.args);
    let mut command = Command::new(&hostnet);
    command.args(&words);

    if needs_root(&words) && !shell::is_root() {
        bail!(
            "hostnet is built, but loading programs into the kernel needs root; start it with: \
             sudo {} {}",
            hostnet.display(),
            words.join(" ")
        );
    }
    // Replacing this process keeps Ctrl-C and the exit code between hostnet and
    // the terminal.
    Err(command.exec()).with_context(|| format!("{} could not be started", hostnet.display()))
}

/// `watch` unless a subcommand is named.
fn hostnet_args(args: &[String]) -> Vec<String> {
    let names_subcommand = args.first().is_some_and(|first| !first.starts_with('-'));
    let watch = (!names_subcommand).then(|| "watch".to_owned());
    watch.into_iter().chain(args.iter().cloned()).collect()
}

/// Only what observes needs root; everything else is hostnet's own to judge.
fn needs_root(words: &[String]) -> bool {
    let helps = words.iter().any(|word| matches!(word.as_str(), "-h" | "--help"));
    words.first().is_some_and(|first| matches!(first.as_str(), "watch" | "agent")) && !helps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn watch_is_the_default() {
        assert_eq!(hostnet_args(&[]), words("watch"));
        assert_eq!(hostnet_args(&words("--all --json")), words("watch --all --json"));
        assert_eq!(hostnet_args(&words("doctor --format json")), words("doctor --format json"));
    }

    #[test]
    fn help_needs_no_root() {
        assert!(needs_root(&words("watch --all")));
        assert!(!needs_root(&words("watch --help")));
        assert!(!needs_root(&words("completions bash")));
    }
}
