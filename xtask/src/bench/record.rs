//! The record without a kernel: what it costs, how long questions about it take, and
//! whether 500 kills lose anything.
//! All are programs of hostnet-user, which print or assert for themselves.

use anyhow::Result;

use super::Part;
use crate::shell;

const KILLS: &str = "500";

pub fn measure(part: Part) -> Result<()> {
    let mut cargo = shell::cargo();
    if part == Part::Crash {
        let test = ["--test", "record", "--", "--exact", "crash::killed_at_any_moment"];
        cargo.args(["test", "--release", "--package", "hostnet-user"]).args(test);
        cargo.env("HOSTNET_KILLS", KILLS);
    } else {
        let example = if part == Part::Query { "query_rate" } else { "record_rate" };
        cargo.args(["run", "--release", "--package", "hostnet-user", "--example", example]);
    }
    shell::run(&mut cargo)
}
