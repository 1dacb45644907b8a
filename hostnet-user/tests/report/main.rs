//! Pages of histories that the real record wrote: what they say, that nothing in them
//! runs, and that none grows with its history.

#[path = "../acts/mod.rs"]
mod acts;
mod hostile;
mod sections;
mod story;
#[path = "../query/support.rs"]
mod support;
