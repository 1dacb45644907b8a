//! The one way in which a test says that it does not run here.
//!
//! Included by path where this package cannot be used: a test of the agent's own.

use std::{fs::OpenOptions, io::Write as _};

/// Where `cargo xtask test` counts skipped tests: a line each.
const LIST: &str = "HOSTNET_SKIPPED";

/// Says why a test does not run. `cargo xtask vm` looks for these lines in a test's
/// output; `cargo xtask test` reads the list, as nobody sees what a passed test prints.
#[allow(clippy::allow_attributes, clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn skip(why: &str) {
    eprintln!("skipped: {why}");
    let Some(list) = std::env::var_os(LIST) else { return };
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("?");
    let line = format!("{}: {why}\n", program.rsplit_once('-').map_or(program, |(name, _)| name));
    let list = OpenOptions::new().create(true).append(true).open(list);
    list.and_then(|mut list| list.write_all(line.as_bytes())).expect("the list of skipped tests");
}
