//! What the history answers: who held a port, who talked to whom, what happened
//! around a moment. One file per question or family of them; each gives plain rows.
//!
//! Nothing here knows the agent or the kernel, or how an answer is shown.

mod answer;
mod containers;
mod events;
mod extent;
mod filter;
mod first_seen;
mod flows;
mod history;
mod holdings;
mod known;
mod listeners;
mod peers;
mod ports;
mod processes;
mod runs;
mod sql;
mod time;
mod tree;
mod views;

pub use answer::{Answer, Moment};
pub use containers::{ContainerRow, containers};
pub use events::{EventRow, FindingRow, around, events, findings};
pub use extent::{
    Activity, ChainEnd, Extent, activity, each_finding, extent, last_event, surface_of, the_last,
};
pub use filter::Filter;
pub use first_seen::{FirstSeenRow, Subject, first_seen};
pub use flows::{FlowRow, flows};
pub use history::{Event, History, Loaded};
pub use holdings::{Began, Ended, Held, Holding};
pub use listeners::{ListenerRow, OF_LISTENERS, listeners};
pub use peers::{PeerFilter, PeerRow, peers};
pub use ports::{PortAnswer, PortRow, Verdict, who_had_port};
pub use processes::{OF_PROCESSES, ProcessRow, processes};
pub use runs::{Doubt, Run, Runs, runs};
pub use sql::{SqlAnswer, sql, sql_in_time};
pub use time::{Time, duration};
pub use tree::{TreeRow, tree};
pub use views::{VIEWS, View};
