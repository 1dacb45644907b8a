//! Questions about histories that the real record wrote, answered as a model of what
//! happened says.

#[path = "../acts/mod.rs"]
mod acts;
mod advised;
mod answers;
mod hostile;
mod lines;
mod statements;
mod support;
mod touch;
mod truth_of_peers;
mod truth_of_ports;
