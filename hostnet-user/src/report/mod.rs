//! One page about a time: what the history has of it, gathered with bounds, and shown
//! as a single HTML file that runs nothing and fetches nothing.
//!
//! `facts` are what a page says, `gather` asks a history for them, `page` writes
//! them down. A page is bounded whatever the history is: lists are cut and say so.

mod contacts;
mod facts;
mod findings;
mod gather;
pub mod page;
mod record;

pub use facts::{Facts, Origin, RowPlace, Verdicts};
pub use gather::gather;
