//! The agent as the kernel accounts for it.

use std::fs;

use serde::Serialize;

/// Memory and time of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ProcessNumbers {
    /// Bytes of memory that it has in RAM.
    pub resident_bytes: u64,
    /// Seconds of processor time that it has had.
    pub cpu_seconds: f64,
}

impl ProcessNumbers {
    /// Reads them; what cannot be read is 0.
    #[must_use]
    pub fn read() -> Self {
        // Fields are counted after the name, which may hold anything but its last `)`.
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<u64> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split(' ').map(|field| field.trim().parse().unwrap_or(0)))
            .into_iter()
            .flatten()
            .collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
        // utime and stime in ticks, rss in pages (proc_pid_stat(5)).
        let ticks = field(14) + field(15);
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Self {
            resident_bytes: field(24) * rustix::param::page_size() as u64,
            cpu_seconds: ticks as f64 / per_second as f64,
        }
    }
}
