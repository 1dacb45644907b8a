//! The record without a kernel: what it costs, and whether 500 kills lose anything.
//! Both are programs of hostnet-user, which print or assert for themselves.

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
        cargo.args(["run", "--release", "--package", "hostnet-user", "--example", "record_rate"]);
    }
    shell::run(&mut cargo)
}
