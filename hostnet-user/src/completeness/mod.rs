//! Whether a stream of events is whole: what a reader can prove from the lines
//! alone, wherever they have been since.
//!
//! Lines may come in any order, from several runs, and more than once. Nothing here
//! knows where they come from or how the answer is shown; memory is bounded however
//! many there are.

mod line;
mod places;
mod run;

use std::collections::HashMap;

use anyhow::{Result, ensure};

pub use line::Line;
pub use places::Hole;
pub use run::{Run, Untold, Verdict};

use self::places::Room;

/// Most runs told apart; whoever writes a stream of more is not hostnet.
const MOST_RUNS: usize = 1 << 16;

/// Takes lines, and says at the end what they prove.
#[derive(Default)]
pub struct Check {
    is_filtered: bool,
    runs: HashMap<String, Run>,
    room: Room,
    /// Runs that a later one found dead: which, and after which event.
    crashed: HashMap<String, u64>,
}

impl Check {
    /// Takes lines of whole streams, or `is_filtered` of sinks that get a part of the events.
    #[must_use]
    pub fn new(is_filtered: bool) -> Self {
        Self { is_filtered, ..Self::default() }
    }

    /// Takes one line.
    ///
    /// # Errors
    /// When it is no event of hostnet: why.
    pub fn take(&mut self, line: &[u8]) -> Result<()> {
        let line = Line::read(line)?;
        if !self.runs.contains_key(&line.run) {
            ensure!(self.runs.len() < MOST_RUNS, "of more than {MOST_RUNS} runs");
            self.runs.insert(line.run.clone(), Run::new(&line, self.is_filtered));
        }
        if let Some((run, sequence)) = line.crashed()
            && (self.crashed.len() < MOST_RUNS || self.crashed.contains_key(&run))
        {
            self.crashed.insert(run, sequence);
        }
        if let Some(run) = self.runs.get_mut(&line.run) {
            run.take(&line, &mut self.room);
        }
        Ok(())
    }

    /// The runs, in the order in which they began.
    #[must_use]
    pub fn finish(self) -> Vec<Run> {
        let Self { runs, crashed, .. } = self;
        let mut runs: Vec<Run> = runs.into_values().collect();
        for run in &mut runs {
            if let Some(sequence) = crashed.get(&run.id) {
                run.crashed_after = Some(*sequence);
            }
        }
        runs.sort_by(|one, other| (&one.first, &one.id).cmp(&(&other.first, &other.id)));
        runs
    }
}

#[cfg(test)]
mod tests;
