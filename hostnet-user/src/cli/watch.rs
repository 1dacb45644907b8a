//! `hostnet watch`: for a person at a terminal, or `--json` for a pipe.

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use serde_json::json;

use super::shown::Shown;
use crate::{
    agent::run::{MetricsOptions, Run, observe},
    cli::exit_code::Exit,
    config::Observe,
    engine::stages::{Filter, Summary},
    judge::Law,
    kernel::{BeyondIp, LoadOptions},
    sources::docker,
    text::for_terminal,
};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet watch                          who does what in the host's network, now
  hostnet watch --container web          only the container web
  hostnet watch --all                    host processes, too
  hostnet watch --json | jq .message     ECS documents, one per line
  hostnet watch --record run.bin         keep the run for `hostnet replay run.bin`, here or elsewhere")]
pub struct Args {
    #[command(flatten)]
    shown: Shown,
    /// Show host processes, too.
    #[arg(long)]
    all: bool,
    /// Show only this container: its name, its id or the beginning of its id.
    #[arg(long, value_name = "NAME|ID")]
    container: Option<String>,
    /// Endpoint of the container runtime's API [default: DOCKER_HOST, then the usual places].
    #[arg(long, value_name = "URL")]
    docker: Option<String>,
    /// Record the run to this new file, for `hostnet replay`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// How sockets beyond IP (unix, packet, netlink, …) are seen.
    #[arg(long, value_enum, default_value_t)]
    beyond_ip: BeyondIp,
    /// Show the log messages of the eBPF programs.
    #[arg(long)]
    kernel_log: bool,
}

pub fn run(args: Args) -> Result<Exit> {
    let run = Run {
        load: LoadOptions {
            all: args.all,
            kernel_log: args.kernel_log,
            beyond_ip: args.beyond_ip,
            ..Observe::default().load_options()
        },
        law: Law {
            destinations: docker::on_loopback(args.docker.as_deref()).into_iter().collect(),
            ..Law::default()
        },
        docker: docker::Options { endpoint: args.docker, ..docker::Options::default() },
        filter: Filter::of(args.container),
        rules: None,
        record: args.record,
        settings: json!({ "all": args.all, "beyond_ip": args.beyond_ip }),
        metrics: MetricsOptions::default(),
    };
    let summary = observe(run, &|identity| Ok(vec![args.shown.output(identity)]))?;
    // The stream already carries it as its last event.
    if args.shown.is_table() {
        print_summary(&summary)?;
    }
    Ok(Exit::Ok)
}

fn print_summary(summary: &Summary) -> Result<()> {
    let mut err = anstream::stderr();
    let total: u64 = summary.operations.values().sum();
    let operations: Vec<String> =
        summary.operations.iter().map(|(name, count)| format!("{count} {name}")).collect();
    writeln!(err, "\n{total} events: {}", none_if_empty(&operations))?;
    let containers: Vec<String> = summary
        .containers
        .iter()
        .map(|(name, count)| format!("{} ({count})", for_terminal(name)))
        .collect();
    writeln!(err, "containers: {}", none_if_empty(&containers))?;
    writeln!(err, "lost: {}", summary.lost)?;
    Ok(())
}

fn none_if_empty(parts: &[String]) -> String {
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
