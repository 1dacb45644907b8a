//! The record without a kernel: what it costs, how long questions about it take,
//! whether kills lose anything, and what becomes of a sink that is away. All are
//! programs of hostnet-user, which print or assert for themselves.

use anyhow::Result;

use super::Part;
use crate::{shell, static_build};

pub fn measure(part: Part, quick: bool) -> Result<()> {
    let either = |whole: &'static str, less: &'static str| if quick { less } else { whole };
    if part == Part::Crash {
        let mut cargo = static_build::cargo("test", "hostnet-user")?;
        cargo.args(["--test", "record", "--", "--exact", "crash::killed_at_any_moment"]);
        cargo.arg("--nocapture").env("HOSTNET_KILLS", either("500", "50"));
        return shell::run(&mut cargo);
    }
    if part == Part::Query {
        // How long the history is, it asks the environment.
        let mut cargo = static_build::cargo("run", "hostnet-user")?;
        return shell::run(cargo.args(["--example", "query_rate"]));
    }
    let (example, events) = match part {
        Part::Outage => ("record_outage", either("3600000", "360000")),
        _ => ("record_rate", either("300000", "100000")),
    };
    let mut cargo = static_build::cargo("run", "hostnet-user")?;
    shell::run(cargo.args(["--example", example, "--", events]))
}
