//! What /proc shows of processes, asked on threads that may block: a process decides how
//! long some of it takes. What is not answered in time is said to be missing.

use std::{collections::BTreeSet, time::Duration};

use crate::ask::desk::{Desk, Limits};

/// Questions may all wait: each is a process id. While that many hang, no other is answered.
const LIMITS: Limits = Limits { questions: usize::MAX, threads: 8 };

/// The answers are given up when none has come for so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// Processes that a gap names.
const MOST_NAMED: usize = 5;

/// Asks about each of these processes. Returns the answers in the order of the ids, and the
/// processes of which there is none.
pub fn ask_each<A: Send + 'static>(
    pids: impl IntoIterator<Item = u32>,
    answer: impl Fn(u32) -> A + Send + Sync + 'static,
) -> (Vec<A>, BTreeSet<u32>) {
    let mut desk = Desk::new("ask-processes", LIMITS, move |pid| (pid, answer(pid)));
    let mut open: BTreeSet<u32> = pids.into_iter().collect();
    for pid in &open {
        // One that cannot be asked stays open.
        let _number = desk.ask(*pid);
    }
    let mut answers = Vec::with_capacity(open.len());
    loop {
        let came = desk.wait_while_moving(PATIENCE);
        if came.is_empty() {
            break;
        }
        answers.extend(came.into_iter().map(|(_, answer)| answer));
    }
    for (pid, _) in &answers {
        open.remove(pid);
    }
    answers.sort_unstable_by_key(|(pid, _)| *pid);
    (answers.into_iter().map(|(_, answer)| answer).collect(), open)
}

/// Says that `what` of these processes is not known, if there are any.
pub fn gap(what: &str, pids: &BTreeSet<u32>) -> Option<String> {
    let named: Vec<String> = pids.iter().take(MOST_NAMED).map(u32::to_string).collect();
    let more = match pids.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = named.join(", ");
    (!pids.is_empty()).then(|| {
        format!("{what}: /proc did not answer within {PATIENCE:?} for process {named}{more}")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    #[test]
    fn a_process_that_answers_nothing_is_said_to_be_missing() {
        let (_never, gate) = mpsc::sync_channel::<()>(1);
        let gate = Mutex::new(gate);
        let ask = move |pid| {
            if pid == 3 {
                let _ended = gate.lock().map(|gate| gate.recv());
            }
            pid * 10
        };
        let (answers, missing) = ask_each([4, 3, 2], ask);
        assert_eq!((answers, missing.clone()), (vec![20, 40], BTreeSet::from([3])));
        let said = gap("their command lines are not known", &missing).unwrap();
        assert!(said.starts_with("their command lines are not known: /proc did not"), "{said}");
        assert!(said.ends_with("for process 3"), "{said}");
        assert_eq!(gap("nothing", &BTreeSet::new()), None);
        let many = gap("it", &(1..=7).collect()).unwrap();
        assert!(many.ends_with("for process 1, 2, 3, 4, 5 and 2 more"), "{many}");
    }
}
