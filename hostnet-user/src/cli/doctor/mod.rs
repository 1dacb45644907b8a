//! `hostnet doctor`: what can be observed here, and what to do about the rest.
//!
//! Every check is one row of [`CHECKS`] and looks for itself; none relies on
//! another. At last the programs are really loaded, proven and detached again,
//! because only that is proof.

mod cgroups;
mod destinations;
mod docker;
mod kernel;
mod pins;
mod privileges;
mod programs;
mod show;

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::cli::exit_code::Exit;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet doctor            what can be seen on this host, by which hook, and what to do about the rest
  hostnet doctor --json     the same for a program

Exit codes: 0 everything is seen, 3 nothing can be, 4 a part is not.")]
pub struct Args {
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
    /// Endpoint of the container runtime's API [default: DOCKER_HOST, then the usual places].
    #[arg(long, value_name = "URL")]
    docker: Option<String>,
    /// Configuration file of the agent [default: /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
}

/// What is looked at, in this order.
const CHECKS: &[fn(&Args) -> Check] = &[
    kernel::release,
    kernel::type_information,
    privileges::capabilities,
    privileges::namespaces,
    cgroups::layout,
    kernel::lockdown,
    kernel::compiler,
    kernel::unprivileged,
    kernel::ipv6,
    pins::pinned,
    docker::reachable,
    destinations::without_tls,
];

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    /// Nothing is missing.
    Ok,
    /// Something is missing, and the rest can be observed.
    Warn,
    /// Nothing can be observed.
    Fail,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, finding: finding.into(), advice: None }
    }

    fn warn(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        let (finding, advice) = (finding.into(), Some(advice.into()));
        Self { name, status: Status::Warn, finding, advice }
    }

    fn fail(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::warn(name, finding, advice) }
    }
}

pub fn run(args: &Args) -> Result<Exit> {
    let mut checks: Vec<Check> = CHECKS.iter().map(|check| check(args)).collect();
    let (check, coverage) = programs::attached();
    checks.push(check);
    let status = worst(&checks);
    if args.json {
        show::json(&checks, &coverage, status)?;
    } else {
        show::table(&checks, &coverage, status)?;
    }
    Ok(exit(status))
}

fn worst(checks: &[Check]) -> Status {
    checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok)
}

const fn exit(status: Status) -> Exit {
    match status {
        Status::Ok => Exit::Ok,
        Status::Warn => Exit::Partial,
        Status::Fail => Exit::CannotObserve,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_gives_the_exit_code() {
        let code = |checks: &[Check]| exit(worst(checks));
        let ok = || Check::ok("a", "");
        let warn = || Check::warn("b", "", "");
        let fail = || Check::fail("c", "", "");
        assert_eq!(code(&[]), Exit::Ok);
        assert_eq!(code(&[ok(), ok()]), Exit::Ok);
        assert_eq!(code(&[ok(), warn(), ok()]), Exit::Partial);
        assert_eq!(code(&[warn(), fail(), ok()]), Exit::CannotObserve);
    }
}
