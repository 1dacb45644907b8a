//! What the kernel side lost, sorted by where, as it is told.

use crate::{event::Lost, kernel};

/// Places and what was lost there; a place may have lost nothing.
pub fn by_place(lost: Vec<kernel::Lost>) -> [(&'static str, Vec<Lost>); 3] {
    let (mut ring, mut not_run, mut not_followed) = (Vec::new(), Vec::new(), Vec::new());
    for lost in lost {
        match lost {
            kernel::Lost::RingFull { cgroup, kind, count } => {
                ring.push(Lost { cgroup, operation: kind.name().to_owned(), count });
            }
            kernel::Lost::NotRun { program, count } => {
                not_run.push(Lost { cgroup: None, operation: program.to_owned(), count });
            }
            kernel::Lost::NotFollowed { count } => {
                let operation = "process-to-follow".to_owned();
                not_followed.push(Lost { cgroup: None, operation, count });
            }
        }
    }
    [("kernel-ring", ring), ("kernel-program", not_run), ("kernel-map", not_followed)]
}
