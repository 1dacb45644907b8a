//! What the programs' counters say that the stream lacks, as inputs of its stages.

use anyhow::Result;

use crate::{
    engine::input::World,
    event::Lost,
    kernel::{self, Programs},
};

/// Reads all counters: what is new between two boot-clock times.
///
/// # Errors
/// When a counter cannot be read.
pub fn read(programs: &mut Programs, (from_ns, to_ns): (u64, u64)) -> Result<Vec<World>> {
    let (mut ring, mut not_run, mut not_followed) = (Vec::new(), Vec::new(), Vec::new());
    let Programs { losses, suppressions, told, .. } = programs;
    for lost in losses.since(told)? {
        match lost {
            kernel::Lost::RingFull { cgroup, kind, count } => {
                ring.push(Lost { cgroup, operation: kind.name().to_owned(), count, new: 0 });
            }
            kernel::Lost::NotRun { program, count } => {
                not_run.push(Lost { cgroup: None, operation: program.to_owned(), count, new: 0 });
            }
            kernel::Lost::NotFollowed { count } => {
                let operation = "process-to-follow".to_owned();
                not_followed.push(Lost { cgroup: None, operation, count, new: 0 });
            }
        }
    }
    let (of_state, by): (Vec<_>, Vec<_>) =
        suppressions.since(told)?.into_iter().partition(|one| one.carries_state);
    let places = [("kernel-ring", ring), ("kernel-program", not_run), ("kernel-map", not_followed)];
    let lost = |(place, by): (&str, _)| World::Lost { place: place.to_owned(), from_ns, to_ns, by };
    let some = places.into_iter().filter(|(_, by): &(_, Vec<Lost>)| !by.is_empty());
    let mut inputs: Vec<World> = some.map(lost).collect();
    if !by.is_empty() || !of_state.is_empty() {
        let (by, of_state) = (untold(by), untold(of_state));
        inputs.push(World::Suppressed { from_ns, to_ns, by, of_state });
    }
    Ok(inputs)
}

fn untold(suppressed: Vec<kernel::Suppressed>) -> Vec<Lost> {
    let lost = |one: kernel::Suppressed| Lost {
        cgroup: one.cgroup,
        operation: one.kind.name().to_owned(),
        count: one.count,
        new: one.new,
    };
    suppressed.into_iter().map(lost).collect()
}
