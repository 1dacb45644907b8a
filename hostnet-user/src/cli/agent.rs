//! `hostnet agent`: the service.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use serde_json::json;

use super::Usage;
use crate::{
    attribute::docker,
    config::{Config, Format, Sink},
    exit_code::Exit,
    format::{Lines, ecs::Identity},
    kernel::LoadOptions,
    observe::{MetricsOptions, Run, observe},
    output::{FileSink, LineStream, Output},
    stages::Filter,
};

#[derive(clap::Args)]
pub struct Args {
    /// Configuration file [default: /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Exit> {
    let config = Config::read(args.config.as_deref()).map_err(Usage)?;
    let run = Run {
        load: LoadOptions {
            ring_bytes: config.observe.ring_bytes(),
            all: config.observe.all,
            kernel_log: config.observe.kernel_log,
            beyond_ip: config.observe.beyond_ip,
            without: config.observe.hooks_left_out(),
        },
        docker: docker::Options {
            endpoint: config.docker.host.clone(),
            reconcile_every: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
        },
        filter: Filter::default(),
        record: config.observe.record.clone(),
        settings: json!({
            "all": config.observe.all,
            "ring_mib": config.observe.ring_mib,
            "beyond_ip": config.observe.beyond_ip,
        }),
        metrics: MetricsOptions {
            metrics: Arc::default(),
            listen: config.metrics.listen.clone(),
            heartbeat_every: config.metrics.heartbeat_every(),
        },
    };
    let summary = observe(run, &|identity| sinks(&config, identity))?;
    let events: u64 = summary.operations.values().sum();
    tracing::info!(events, lost = summary.lost, "stopped");
    Ok(Exit::Ok)
}

fn sinks(config: &Config, identity: &Identity) -> Result<Vec<Box<dyn Output>>> {
    let stdout = [Sink::Stdout { format: Format::Ecs }];
    let wanted = if config.sink.is_empty() { &stdout[..] } else { &config.sink };
    wanted.iter().map(|sink| make(sink, identity)).collect()
}

fn make(sink: &Sink, identity: &Identity) -> Result<Box<dyn Output>> {
    Ok(match sink {
        Sink::Stdout { format } => {
            Box::new(LineStream::new(Lines::new(identity, *format), std::io::stdout()))
        }
        Sink::File { path, format } => {
            Box::new(FileSink::open(Lines::new(identity, *format), path)?)
        }
    })
}
