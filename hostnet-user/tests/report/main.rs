//! Pages of histories that the real record wrote: what they say, that nothing in them
//! runs, and that none grows with its history.

#[path = "../acts/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod acts;
mod hostile;
mod sections;
mod story;
#[path = "../query/support.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod support;
