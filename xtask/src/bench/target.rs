//! Promises, and what a run says of them.

use serde::Serialize;

/// One promise and whether this run kept it.
#[derive(Serialize)]
pub struct Target {
    pub what: String,
    pub measured: String,
    pub wanted: String,
    pub met: bool,
}

/// What was measured, what was wanted, and whether they agree.
pub fn target(what: &str, measured: String, wanted: &str, met: bool) -> Target {
    Target { what: what.to_owned(), measured, wanted: wanted.to_owned(), met }
}
