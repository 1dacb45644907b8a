//! `hostnet agent`: the service.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use serde_json::json;

use super::Usage;
use crate::{
    agent::run::{MetricsOptions, Run, observe},
    cli::exit_code::Exit,
    config::Config,
    engine::stages::Filter,
    format::ecs::Identity,
    output::Output,
    record::{self, Journal},
    sink,
    sources::docker,
};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet agent                                    with /etc/hostnet/config.toml, or the defaults
  hostnet agent --config trial.toml
  systemd-run -p Type=notify hostnet agent         as a service, until it is stopped

SIGTERM writes what is left and stops; SIGHUP opens files again and reads rules again.")]
pub struct Args {
    /// Configuration file [default: /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Exit> {
    let config = Config::read(args.config.as_deref()).map_err(Usage)?;
    let run = Run {
        load: config.observe.load_options(),
        docker: docker::Options {
            endpoint: config.docker.host.clone(),
            reconcile_every: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            labels: config.label_limits(),
        },
        filter: Filter::default(),
        rules: Some(config.rules.clone()),
        law: config.law(),
        record: config.observe.record.clone(),
        settings: json!({
            "all": config.observe.all,
            "ring_mib": config.observe.ring_mib,
            "reserved_ring_mib": config.observe.reserved_ring_mib,
            "events_per_second": config.observe.events_per_second,
            "burst": config.observe.burst,
            "beyond_ip": config.observe.beyond_ip,
        }),
        metrics: MetricsOptions {
            metrics: Arc::default(),
            listen: config.metrics.listen.clone(),
            heartbeat_every: config.metrics.heartbeat_every(),
        },
    };
    let summary = observe(run, &|identity| {
        let journal: Box<dyn Output> = Box::new(journal(&config, identity)?);
        Ok(vec![journal])
    })?;
    let events: u64 = summary.operations.values().sum();
    tracing::info!(events, lost = summary.lost, "stopped");
    Ok(Exit::Ok)
}

fn journal(config: &Config, identity: &Identity) -> Result<Journal> {
    let stdout = [sink::Settings::new(sink::Destination::Stdout(sink::stdout::Settings {}))];
    let wanted = if config.sink.is_empty() { &stdout[..] } else { &config.sink };
    let sinks = wanted
        .iter()
        .map(|sink| Ok((sink.outbox(), sink.destination.config().open()?)))
        .collect::<Result<_>>()?;
    record::begin(config.history.settings(), sinks, identity)
}
