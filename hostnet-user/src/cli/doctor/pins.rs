//! Programs that are pinned, and go on without an agent.

use std::path::PathBuf;

use super::{Args, Check};
use crate::{
    config::{Config, DEFAULT_PIN},
    kernel,
};

pub fn pinned(args: &Args) -> Check {
    const NAME: &str = "pinned programs";
    // The agent complains of a wrong configuration.
    let configured =
        Config::read(args.config.as_deref()).ok().and_then(|config| config.observe.pin);
    let directory = configured.unwrap_or_else(|| PathBuf::from(DEFAULT_PIN));
    let versions = kernel::pinned(&directory);
    let shown = directory.display();
    match &versions[..] {
        [] => Check::ok(NAME, format!("none at {shown}")),
        [(version, links)] => Check::ok(NAME, format!("{version} at {shown}: {links} links")),
        _ => Check::warn(
            NAME,
            format!("{} versions at {shown}", versions.len()),
            "start the agent, which keeps one of them, or run hostnet uninstall",
        ),
    }
}
