//! The command line: one file per subcommand. Data goes to standard output,
//! messages to standard error.

mod advise;
mod agent;
mod audit;
mod collect;
mod completions;
mod doctor;
pub mod exit_code;
mod generate_docs;
mod lines;
mod log;
mod man;
mod origin;
mod process;
mod progress;
mod query;
mod replay;
mod report;
mod rules;
mod shown;
mod source;
mod stream;
mod uninstall;
mod verify;
mod watch;

use anyhow::Result;
use clap::{Parser, Subcommand};

pub use process::main;

use crate::{cli::exit_code::Exit, kernel};

/// What host-network containers really touch.
///
/// Exit codes: 0 done, 1 findings at or above the level asked for, 2 wrong
/// usage, configuration or output, 3 nothing can be observed here, 4 partly done.
#[derive(Parser)]
#[command(name = "hostnet", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show live who does what in the host's network namespace.
    Watch(watch::Args),
    /// Run as a service: keep events and deliver them to the configured sinks.
    Agent(agent::Args),
    // What it says of itself is longer than a line: it stands there.
    Audit(audit::Args),
    /// Did a container need host networking? Evidence, verdict, and what to change.
    Advise(advise::Args),
    /// Say what can be observed on this host, and what to do about the rest.
    Doctor(doctor::Args),
    /// Ask the history: who held a port, who talked to whom, what happened when.
    Query(query::Args),
    /// Print events again: of a recorded run, a history, or files of events.
    ///
    /// Exit codes: 0 all of them, 2 the file cannot be opened, 4 some could not be read,
    /// which standard error names.
    Replay(replay::Args),
    /// List, check and test the rules that make findings.
    Rules(rules::Args),
    /// Write the history as one HTML page that needs no server.
    Report(report::Args),
    /// Pack the history, a page about it, the configuration and their hashes into one file.
    Collect(collect::Args),
    /// Check files of events for gaps, or convert them to OCSF or CEF.
    Stream(stream::Args),
    /// Remove the eBPF programs that an agent left pinned in the kernel.
    Uninstall(uninstall::Args),
    /// Check that a history is what the agent wrote, and name the first record that is not.
    Verify(verify::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Write the manual pages.
    Man(man::Args),
    /// Print generated documentation.
    #[command(hide = true)]
    GenerateDocs(generate_docs::Args),
    /// Wait for standard input to end (the canary's process).
    #[command(hide = true, name = kernel::WAIT_ARGUMENT)]
    CanaryProcess,
}

impl Cli {
    /// What is said on standard error unless `HOSTNET_LOG` asks for something
    /// else. Who watches has the same terminal full of events, which tell it too.
    #[must_use]
    pub const fn log_level(&self) -> &'static str {
        if matches!(self.command, Command::Watch(_)) { "warn" } else { "info" }
    }

    /// Runs the command.
    ///
    /// # Errors
    /// What `main` prints; [`exit_code`] says how it ends.
    pub fn run(self) -> Result<Exit> {
        match self.command {
            Command::Watch(args) => watch::run(args),
            Command::Agent(args) => agent::run(args),
            Command::Audit(args) => audit::run(&args),
            Command::Advise(args) => advise::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Query(args) => query::run(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Rules(args) => rules::run(&args),
            Command::Report(args) => report::run(&args),
            Command::Collect(args) => collect::run(&args),
            Command::Stream(args) => stream::run(&args),
            Command::Uninstall(args) => uninstall::run(args),
            Command::Verify(args) => verify::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => man::run(&args),
            Command::GenerateDocs(args) => generate_docs::run(&args),
            Command::CanaryProcess => {
                std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
                Ok(Exit::Ok)
            }
        }
    }
}

/// The exit code of an error.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> Exit {
    if error.is::<kernel::CannotObserve>() {
        Exit::CannotObserve
    } else if error.is::<Usage>()
        || error.is::<crate::event::NotSelected>()
        || error.is::<crate::agent::run::BadOutput>()
    {
        Exit::Usage
    } else {
        Exit::Partial
    }
}

/// The configuration or an argument is wrong.
#[derive(Debug)]
pub struct Usage(pub anyhow::Error);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for Usage {}
