//! `hostnet audit`: who is in the host's network namespace right now.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use super::Usage;
use crate::{
    audit::{self, Audit, Level, show::Form},
    cli::exit_code::Exit,
    config::Config,
    judge::expectations::Expectations,
    sources::docker,
};

/// Show who is in the host's network namespace right now, and how great a risk that is.
///
/// Declared or not: what they may do and hold open, whether they are expected, where Docker's
/// own list is wrong, and evidence for the CIS Docker Benchmark.
///
/// Looks once, without the agent, its history or eBPF. Names come from Docker and
/// Podman; without them containers have ids. docs/audit.md explains every reason.
///
/// Exits with 1 when --fail-on finds something, 3 when nothing can be seen, and 4
/// when a part could not be: the output names it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hostnet audit                              what is there, for a person\n  \
    hostnet audit --fail-on high               for CI: exit code 1 when a risk is high\n  \
    hostnet audit --fail-on unexpected         ... when something is not expected\n  \
    hostnet audit --format sarif -o audit.sarif")]
pub struct Args {
    /// How it is printed.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Form,
    /// Write it to this file instead of standard output; only its owner may read it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 when something is at least this great a risk, or is not expected.
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on: Option<FailOn>,
    /// Configuration file, for its expectations and its runtime [default: /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
    /// Endpoint of the container runtime's API [default: the configured one, DOCKER_HOST, then the usual places].
    #[arg(long, value_name = "URL")]
    docker: Option<String>,
    /// How long a container runtime may take to answer.
    #[arg(long, value_name = "SECONDS", default_value_t = audit::PATIENCE.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// A risk that is low or more.
    Low,
    /// A risk that is medium or more.
    Medium,
    /// A risk that is high or more.
    High,
    /// A risk that is critical.
    Critical,
    /// Something that nobody expects, or no longer.
    Unexpected,
}

impl FailOn {
    fn has(self, audit: &Audit) -> bool {
        let least = match self {
            Self::Low => Level::Low,
            Self::Medium => Level::Medium,
            Self::High => Level::High,
            Self::Critical => Level::Critical,
            Self::Unexpected => return audit.unexpected().next().is_some(),
        };
        audit.risk() >= least
    }
}

pub fn run(args: &Args) -> Result<Exit> {
    let config = Config::read(args.config.as_deref()).map_err(Usage)?;
    let options = docker::Options {
        labels: config.label_limits(),
        endpoint: args.docker.clone().or(config.docker.host),
        request_timeout: Duration::from_secs(args.timeout),
        ..docker::Options::default()
    };
    let expectations = Expectations::new(&config.expect, &config.expectations);
    let facts = audit::gather(options)?;
    let audit = audit::assemble(&facts, &expectations);
    match &args.output {
        None if args.format == Form::Table => {
            audit::show::write(&audit, args.format, anstream::stdout())?;
        }
        None => audit::show::write(&audit, args.format, std::io::stdout().lock())?,
        Some(path) => write_file(path, &audit, args.format)?,
    }
    if args.format != Form::Table || args.output.is_some() {
        for gap in &audit.gaps {
            tracing::warn!("{gap}");
        }
    }
    Ok(exit(&audit, args.fail_on))
}

/// What was found counts more than what was not seen.
fn exit(audit: &Audit, fail_on: Option<FailOn>) -> Exit {
    if fail_on.is_some_and(|fail_on| fail_on.has(audit)) {
        Exit::Findings
    } else if audit.complete {
        Exit::Ok
    } else {
        Exit::Partial
    }
}

/// The whole file or none of it, whatever was there.
fn write_file(path: &Path, audit: &Audit, form: Form) -> Result<()> {
    let mut bytes = Vec::new();
    audit::show::write(audit, form, anstream::StripStream::new(&mut bytes))?;
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).and_then(
            |mut file| {
                // One that was there before may have had other permissions.
                file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
                file.write_all(&bytes)
            },
        );
    let shown = path.display();
    written.with_context(|| format!("cannot write {shown}")).map_err(|error| Usage(error).into())
}
