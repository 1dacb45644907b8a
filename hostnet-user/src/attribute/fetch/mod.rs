//! What the stage is told beside records is fetched here: the runtime's word, what
//! /proc, the cgroup file system and `/etc/passwd` show, the kernel's sockets and
//! network.
//!
//! The only I/O in `attribute/`. It hands out plain data and decides nothing: it knows
//! neither the stage nor its tables, and is called by whoever feeds them.

pub mod docker;
mod netlink;
pub mod network;
pub mod packet_filter;
pub mod passwd;
pub mod procfs;
pub mod sock_diag;
