//! What the stage is told beside records is fetched here: the runtime's word, what
//! /proc, the cgroup file system and `/etc/passwd` show, the kernel's sockets and
//! network.
//!
//! It hands out plain data and decides nothing: it knows neither the stages nor their
//! tables, and is called by what feeds them.

pub mod docker;
pub mod identity;
mod netlink;
pub mod network;
pub mod packet_filter;
pub mod passwd;
pub mod procfs;
pub mod sock_diag;
