//! Processes that no record has told of, looked up in /proc: all that a batch of records
//! lacks at once, before the records are taken in.
//!
//! A record waits for that, with all of its batch. Each owner has a share of the questions,
//! and the waits have a share of the time, so that one who makes unknown processes as fast
//! as possible delays nobody and takes nobody's answers. What is not asked, or not answered
//! in time, is a process of which nothing is known; an answer that comes late serves the
//! records after it.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::lacks::{Batch, Lack, Lacks};
use crate::{
    ask::{
        desk::{Desk, Limits, LookupNumbers},
        in_time,
    },
    attribute::{Asker, OwnerResolver},
    engine::input::World,
    event::Process,
    kernel,
    sources::procfs,
};

/// What may wait, and how many threads may hang over it: reading a command line waits for
/// whoever changes the process' memory, and that may be a file system that never answers.
const LIMITS: Limits = Limits { questions: 1024, threads: 8 };

/// Processes that are looked up for one owner's records in a batch.
const MOST_OF_ASKER: usize = 32;

/// The longest that a batch waits.
const LONGEST: Duration = Duration::from_millis(100);

/// Batches wait for at most this part of the time,
const SHARE: u32 = 4;

/// and no longer than this many times the longest without a rest.
const MOST_CREDIT: u32 = 2;

/// How long the start waits when no answer comes any more.
const PATIENCE_AT_START: Duration = Duration::from_secs(2);

/// Processes remembered that are not what the records were of; then all are forgotten.
const MOST_ABSENT: usize = 8192;

/// What /proc shows of a process.
#[derive(Debug)]
pub struct Found {
    pid: u32,
    /// When it was asked.
    asked_ns: u64,
    /// The process; `None` when it is gone.
    pub process: Option<Process>,
    /// Its cgroup and those above it.
    pub cgroups: Vec<(u64, String)>,
    /// Its start and its path in the v1 hierarchies, where these are all there is.
    pub place: Option<(u64, String)>,
}

/// An answer to what a record lacked.
#[derive(Debug)]
pub struct Answer {
    lack: Lack,
    found: Found,
    is_late: bool,
}

#[derive(Debug)]
struct Open {
    lack: Lack,
    /// Records have told of the process since.
    is_outdated: bool,
    /// The records that lacked it are taken in.
    is_late: bool,
}

/// Looks up a process.
type Look = dyn Fn(u32) -> Found + Send + Sync;

/// The lookups.
pub struct ProcessLookups {
    desk: Desk<u32, Found>,
    /// Looks up what nothing can hold up: all but a command line.
    quick: Arc<Look>,
    most_of_asker: usize,
    /// What was asked and is not answered, by process id.
    open: HashMap<u32, Open>,
    /// Processes that were not there, or were others, and when that was asked.
    absent: HashMap<u32, u64>,
    credit: Credit,
    refused: u64,
    late: u64,
}

/// Looks up a process with its arguments, but for the last thread that is left when all
/// others hang over some: that one goes on without, so that many processes whose arguments
/// never come keep nobody from knowing who the others are.
fn looking(
    quick: Arc<Look>,
    with_arguments: impl Fn(Process) -> Process + Send + Sync + 'static,
) -> impl Fn(u32) -> Found + Send + Sync + 'static {
    let reading = AtomicUsize::new(0);
    move |pid| {
        let mut found = quick(pid);
        if reading.fetch_add(1, Ordering::Relaxed) + 1 < LIMITS.threads {
            found.process = found.process.map(&with_arguments);
        }
        reading.fetch_sub(1, Ordering::Relaxed);
        found
    }
}

impl ProcessLookups {
    /// Lookups of processes and of cgroups below `cgroup_root`; with `v1_only`, of paths in
    /// the v1 hierarchies, too.
    #[must_use]
    pub fn new(cgroup_root: &Path, v1_only: bool) -> Self {
        let root = PathBuf::from(cgroup_root);
        let quick: Arc<Look> = Arc::new(move |pid| Found {
            pid,
            asked_ns: kernel::boot_clock(),
            process: procfs::process_but_arguments(pid, &root),
            cgroups: procfs::cgroup_lineage(pid, &root),
            place: v1_only.then(|| procfs::v1_place(pid)).flatten(),
        });
        let look = looking(Arc::clone(&quick), procfs::with_arguments);
        // There, all are in one cgroup, and without an answer nobody knows whose they are.
        let most_of_asker = if v1_only { LIMITS.questions / 2 } else { MOST_OF_ASKER };
        Self::of(Desk::new("look-up", LIMITS, look), quick, most_of_asker, LONGEST)
    }

    fn of(
        desk: Desk<u32, Found>,
        quick: Arc<Look>,
        most_of_asker: usize,
        longest: Duration,
    ) -> Self {
        let credit = Credit::new(Instant::now(), longest);
        let (open, absent) = (HashMap::new(), HashMap::new());
        Self { desk, quick, most_of_asker, open, absent, credit, refused: 0, late: 0 }
    }

    /// Looks these processes up, however many they are. Of one that is not answered for, all
    /// but its command line is asked once more, and that is what is known of it.
    pub fn all(&mut self, pids: impl IntoIterator<Item = u32>) -> Vec<Found> {
        let mut pids = pids.into_iter();
        let mut found = Vec::new();
        loop {
            while self.desk.waiting() < LIMITS.questions
                && let Some(pid) = pids.next()
            {
                self.ask(Lack { of_process: true, of_place: true, ..Lack::none(pid) });
            }
            if self.desk.waiting() == 0 {
                return found;
            }
            let answers = self.desk.wait_while_moving(PATIENCE_AT_START);
            if answers.is_empty() {
                break;
            }
            let answers: Vec<Answer> =
                answers.into_iter().filter_map(|one| self.answered(one)).collect();
            found.extend(answers.into_iter().map(|answer| answer.found));
        }
        self.open.values_mut().for_each(|open| open.is_late = true);
        let left: Vec<u32> = self.open.keys().copied().chain(pids).collect();
        tracing::warn!(
            "the command lines of {} processes stay unknown: /proc does not answer for at least {} of them",
            left.len(),
            self.desk.waiting().min(LIMITS.threads)
        );
        let quick = Arc::clone(&self.quick);
        let rest = in_time::ask("look-up-less", PATIENCE_AT_START, move || {
            left.into_iter().map(|pid| quick(pid)).collect::<Vec<Found>>()
        });
        match rest {
            Ok(rest) => found.extend(rest),
            Err(unanswered) => tracing::warn!("nor is who they are: {unanswered}"),
        }
        found
    }

    /// What is to be taken in before these records: answers to what they lack, as far as they
    /// come in time.
    pub fn before(&mut self, batch: &Batch, owners: &mut OwnerResolver) -> Vec<Answer> {
        let Lacks { lacks, changed } = Lacks::of(batch, owners);
        let mut answers = Vec::new();
        let mut awaited = self.ask_each(lacks);
        let begun = Instant::now();
        let deadline = begun + self.credit.at(begun);
        while !awaited.is_empty() {
            let came = self.desk.wait(deadline);
            if came.is_empty() {
                break;
            }
            for one in came {
                awaited.remove(&one.0);
                answers.extend(self.answered(one));
            }
        }
        self.credit.spend(begun.elapsed());
        for open in self.open.values_mut() {
            open.is_late = true;
            open.is_outdated |= changed.contains(&open.lack.pid);
        }
        answers
    }

    /// Answers that have come since the last look: to be taken in first.
    pub fn late(&mut self) -> Vec<Answer> {
        let answers = self.desk.answers();
        answers.into_iter().filter_map(|one| self.answered(one)).collect()
    }

    /// An answer was taken in: where the stage lacks that still, asking once more tells
    /// nothing of records from before.
    pub fn taken_in(&mut self, answer: &Answer, owners: &OwnerResolver) {
        if answer.lack.is_still(owners) {
            if self.absent.len() >= MOST_ABSENT {
                self.absent.clear();
            }
            self.absent.insert(answer.lack.pid, answer.found.asked_ns);
        }
    }

    /// How the lookups are doing.
    #[must_use]
    pub fn numbers(&self) -> LookupNumbers {
        let numbers = self.desk.numbers();
        LookupNumbers { refused: numbers.refused + self.refused, late: self.late, ..numbers }
    }

    /// Asks for what is lacking, as far as each asker may; the numbers of the questions.
    fn ask_each(&mut self, lacks: Vec<Lack>) -> HashSet<u64> {
        let mut of_asker = HashMap::<Asker, usize>::new();
        for open in self.open.values() {
            *of_asker.entry(open.lack.asker.clone()).or_default() += 1;
        }
        let mut asked = HashSet::new();
        for lack in lacks {
            let was_asked = self.absent.get(&lack.pid).is_some_and(|at| lack.at_ns <= *at);
            if was_asked || self.open.contains_key(&lack.pid) {
                continue;
            }
            let count = of_asker.entry(lack.asker.clone()).or_default();
            if *count >= self.most_of_asker {
                self.refused += 1;
                continue;
            }
            *count += 1;
            asked.extend(self.ask(lack));
        }
        asked
    }

    fn ask(&mut self, lack: Lack) -> Option<u64> {
        let number = self.desk.ask(lack.pid)?;
        let open = Open { is_outdated: false, is_late: false, lack };
        self.open.insert(open.lack.pid, open);
        Some(number)
    }

    /// The answer with what it is for, unless records have said more since.
    fn answered(&mut self, (_, found): (u64, Found)) -> Option<Answer> {
        let Open { lack, is_outdated, is_late } = self.open.remove(&found.pid)?;
        self.late += u64::from(is_late);
        (!is_outdated).then_some(Answer { lack, found, is_late })
    }
}

impl Answer {
    /// What it tells that the stage lacks.
    pub fn inputs(&self, owners: &OwnerResolver) -> Vec<World> {
        let Self { lack, found, is_late } = self;
        let mut inputs = Vec::new();
        if lack.of_process
            && (!is_late || owners.lacks_process(lack.pid))
            && let Some(process) = &found.process
        {
            inputs.push(World::Process(Box::new(process.clone())));
        }
        if lack.of_cgroup.is_some() {
            // Another may have been made in its place since.
            let is_news = |(id, path): &&(u64, String)| {
                owners.lacks_cgroup(*id) && !(*is_late && owners.has_cgroup_at(path))
            };
            let cgroups = found.cgroups.iter().filter(is_news).cloned();
            inputs.extend(cgroups.map(|(id, path)| World::Cgroup { id, path }));
        }
        if lack.of_place
            && let Some((start_ns, path)) = found.place.clone()
        {
            inputs.push(World::V1Place { pid: lack.pid, start_ns, path });
        }
        inputs
    }
}

/// The time that may be waited: a part of what has passed.
#[derive(Debug)]
struct Credit {
    longest: Duration,
    left: Duration,
    at: Instant,
}

impl Credit {
    const fn new(now: Instant, longest: Duration) -> Self {
        Self { longest, left: longest.saturating_mul(MOST_CREDIT), at: now }
    }

    fn at(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at);
        let most = self.longest.saturating_mul(MOST_CREDIT);
        self.left = (self.left + passed / SHARE).min(most);
        self.at = now;
        self.left.min(self.longest)
    }

    const fn spend(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }
}

#[cfg(test)]
mod tests;
