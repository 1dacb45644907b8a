//! The record without a kernel: what it costs, how long questions about it take,
//! whether kills lose anything, what becomes of a sink that is away, and how quickly
//! it has what it missed. All are
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
    let (example, events) = match part {
        Part::Outage => ("record_outage", either("3600000", "360000")),
        Part::Drain => ("record_drain", either("600000", "60000")),
        // Its size is `HOSTNET_EVENTS`.
        Part::Query => ("query_rate", ""),
        _ => ("record_rate", either("300000", "100000")),
    };
    let mut cargo = static_build::cargo("run", "hostnet-user")?;
    shell::run(cargo.args(["--example", example, "--", events]))
}
