//! How many processes the kernel lets there be. The programs have room for a note of each
//! (`CONTAINED`), so that no container, however many processes it has, takes the room that
//! another's need: that needs no shares, and nothing is done for each process.

use std::fs;

/// What the object asks for.
const LEAST: u32 = 1 << 16;

/// `PID_MAX_LIMIT` (include/linux/threads.h).
const MOST: u32 = 1 << 22;

/// Entries for every process that there can be: ids end at `kernel.pid_max`, and of tasks
/// there are never more than `kernel.threads-max`, which follows from how much memory there
/// is. An empty entry takes 16 bytes, which is a part in 8000 of that memory.
pub fn of_processes() -> u32 {
    room_for(["pid_max", "threads-max"].map(|name| {
        let limit = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
        limit.ok().and_then(|limit| limit.trim().parse().ok())
    }))
}

fn room_for(limits: [Option<u32>; 2]) -> u32 {
    let processes = limits.into_iter().flatten().min().unwrap_or(LEAST - 1);
    // One more for the mark that shows that the map was not emptied.
    (processes.min(MOST - 1) + 1).next_power_of_two().max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_that_there_can_be_has_room() {
        // systemd's limit of ids, on machines with 2, 24, 512 GiB and 1 TiB of memory.
        for (ids, tasks, room) in [
            (4_194_304, 15_500, 1 << 16),
            (4_194_304, 192_731, 1 << 18),
            (4_194_304, 4_126_000, 1 << 22),
            (4_194_304, 8_253_000, 1 << 22),
            // The kernel's own limit of ids.
            (32_768, 192_731, 1 << 16),
            (131_072, 131_072, 1 << 18),
        ] {
            assert_eq!(room_for([Some(ids), Some(tasks)]), room, "{ids} {tasks}");
            assert!(room >= ids.min(tasks));
        }
        assert_eq!(room_for([None, Some(192_731)]), 1 << 18);
        assert_eq!(room_for([None, None]), LEAST);
        assert_eq!(room_for([Some(u32::MAX), None]), MOST);
    }
}
