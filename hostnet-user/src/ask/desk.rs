//! Questions of one kind, answered on threads of their own. It knows nothing of what is
//! asked, and never waits longer than its caller says.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

/// A thread that has not answered for so long may never: another one goes on.
const STUCK: Duration = Duration::from_millis(250);

/// Answers questions, and may take any time over one.
type Answering<Q, A> = dyn Fn(Q) -> A + Send + Sync;

/// Where questions of one kind are put, and their answers fetched.
pub struct Desk<Q, A> {
    name: &'static str,
    limits: Limits,
    counter: Arc<Counter<Q, A>>,
    /// The questions without an answer by number, and when they were asked.
    open: BTreeMap<u64, Instant>,
    threads: usize,
    /// When an answer came last, or a thread was started.
    moved: Instant,
    numbers: LookupNumbers,
}

/// How much a desk takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Questions that may wait.
    pub questions: usize,
    /// Threads that answer, once those before have not for a while.
    pub threads: usize,
}

/// How questions of one kind are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LookupNumbers {
    /// How long the oldest has waited for its answer, nanoseconds.
    pub oldest_ns: u64,
    /// Questions that wait.
    pub waiting: usize,
    /// Questions asked.
    pub asked: u64,
    /// What was not asked, because too much waited.
    pub refused: u64,
    /// Answers that came after what they were wanted for had been reported.
    pub late: u64,
}

/// What both sides have.
struct Counter<Q, A> {
    state: Mutex<State<Q, A>>,
    asked: Condvar,
    answered: Condvar,
    answer: Box<Answering<Q, A>>,
}

struct State<Q, A> {
    questions: VecDeque<(u64, Q)>,
    answers: Vec<(u64, A)>,
    is_closed: bool,
}

impl<Q: Send + 'static, A: Send + 'static> Desk<Q, A> {
    /// A desk where `answer` is asked. Its threads have this name.
    #[must_use]
    pub fn new(
        name: &'static str,
        limits: Limits,
        answer: impl Fn(Q) -> A + Send + Sync + 'static,
    ) -> Self {
        let (questions, answers) = (VecDeque::new(), Vec::new());
        let state = State { questions, answers, is_closed: false };
        let (asked, answered) = (Condvar::new(), Condvar::new());
        let answer = Box::new(answer);
        let counter = Counter { state: Mutex::new(state), asked, answered, answer };
        Self {
            name,
            limits,
            counter: Arc::new(counter),
            open: BTreeMap::new(),
            threads: 0,
            moved: Instant::now(),
            numbers: LookupNumbers::default(),
        }
    }

    /// Asks. Returns the question's number; `None` when too many wait.
    pub fn ask(&mut self, question: Q) -> Option<u64> {
        if self.open.len() >= self.limits.questions {
            self.numbers.refused += 1;
            return None;
        }
        if self.open.is_empty() {
            self.moved = Instant::now();
        }
        if self.threads == 0 && !self.start_thread() {
            self.numbers.refused += 1;
            return None;
        }
        self.numbers.asked += 1;
        let number = self.numbers.asked;
        self.open.insert(number, Instant::now());
        self.counter.lock().questions.push_back((number, question));
        self.counter.asked.notify_one();
        Some(number)
    }

    /// The answers that are there, with the numbers of their questions.
    pub fn answers(&mut self) -> Vec<(u64, A)> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let answers = std::mem::take(&mut self.counter.lock().answers);
        for (number, _) in &answers {
            self.open.remove(number);
        }
        if !answers.is_empty() {
            self.moved = Instant::now();
        } else if self.moved.elapsed() > STUCK && self.threads < self.limits.threads {
            self.start_thread();
        }
        answers
    }

    /// Waits for an answer until `deadline`; returns all there are, which may be none.
    pub fn wait(&mut self, deadline: Instant) -> Vec<(u64, A)> {
        while !self.open.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now()).min(STUCK);
            let state = self.counter.lock();
            if state.answers.is_empty() && !left.is_zero() {
                let answered = self.counter.answered.wait_timeout(state, left);
                drop(answered.unwrap_or_else(PoisonError::into_inner));
            } else {
                drop(state);
            }
            let answers = self.answers();
            if !answers.is_empty() || left.is_zero() {
                return answers;
            }
        }
        Vec::new()
    }

    /// Waits for an answer as long as something moves; none once no answer has come, and no
    /// other thread has taken over, for `patience`, which is longer than [`STUCK`].
    pub fn wait_while_moving(&mut self, patience: Duration) -> Vec<(u64, A)> {
        while !self.open.is_empty() {
            let answers = self.wait(self.moved + patience);
            if !answers.is_empty() || self.moved.elapsed() >= patience {
                return answers;
            }
        }
        Vec::new()
    }

    /// Whether a question waits for its answer.
    #[must_use]
    pub fn is_open(&self, number: u64) -> bool {
        self.open.contains_key(&number)
    }

    /// How many questions wait for their answers.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }

    /// How it is doing.
    #[must_use]
    pub fn numbers(&self) -> LookupNumbers {
        let oldest = self.open.first_key_value().map_or(Duration::ZERO, |(_, at)| at.elapsed());
        let oldest_ns = u64::try_from(oldest.as_nanos()).unwrap_or(u64::MAX);
        LookupNumbers { oldest_ns, waiting: self.open.len(), ..self.numbers }
    }

    fn start_thread(&mut self) -> bool {
        self.moved = Instant::now();
        let counter = Arc::clone(&self.counter);
        let started =
            thread::Builder::new().name(self.name.to_owned()).spawn(move || counter.serve());
        match started {
            Ok(_goes_on_alone) => self.threads += 1,
            Err(error) => tracing::warn!("cannot start the thread {}: {error}", self.name),
        }
        self.threads > 0
    }
}

impl<Q, A> Counter<Q, A> {
    fn lock(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers until the desk is closed.
    fn serve(&self) {
        loop {
            let mut state = self.lock();
            let (number, question) = loop {
                if state.is_closed {
                    return;
                }
                match state.questions.pop_front() {
                    Some(question) => break question,
                    None => {
                        let asked = self.asked.wait(state);
                        state = asked.unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(state);
            let answer = (self.answer)(question);
            self.lock().answers.push((number, answer));
            self.answered.notify_one();
        }
    }
}

impl<Q, A> Drop for Desk<Q, A> {
    /// Whoever answers ends after that answer; nobody waits for it.
    fn drop(&mut self) {
        let mut state = self.counter.lock();
        state.is_closed = true;
        state.questions.clear();
        drop(state);
        self.counter.asked.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LIMITS: Limits = Limits { questions: 4, threads: 3 };

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn each_question_has_its_answer() {
        let mut desk = Desk::new("ask-test", LIMITS, |question: u32| question * 2);
        let numbers: Vec<u64> = (1..=3).filter_map(|question| desk.ask(question)).collect();
        let mut answers = Vec::new();
        while desk.waiting() > 0 {
            answers.extend(desk.wait(soon()));
        }
        answers.sort_unstable();
        let wanted: Vec<(u64, u32)> = numbers.into_iter().zip([2, 4, 6]).collect();
        assert_eq!(answers, wanted);
        assert_eq!(desk.numbers().oldest_ns, 0);
    }

    #[test]
    fn a_question_without_an_answer_holds_up_no_other() {
        let (go_on, gate) = mpsc::sync_channel::<()>(1);
        let gate = Mutex::new(gate);
        let mut desk = Desk::new("ask-test", LIMITS, move |hangs: bool| {
            if hangs {
                let _ended = gate.lock().map(|gate| gate.recv());
            }
            hangs
        });
        let stuck = desk.ask(true).expect("there is room");
        let other = desk.ask(false).expect("there is room");
        // Another thread takes over.
        assert_eq!(desk.wait(soon()), [(other, false)]);
        assert!(desk.is_open(stuck) && desk.numbers().oldest_ns > 0);
        assert!(desk.wait(Instant::now()).is_empty(), "nobody waits longer than that");
        go_on.send(()).expect("it is there");
        assert_eq!(desk.wait(soon()), [(stuck, true)]);
    }

    /// One after another takes over, each later than the one before.
    #[test]
    fn questions_that_hang_one_after_another_hold_up_no_other() {
        let (_never, gate) = mpsc::sync_channel::<()>(1);
        let gate = Mutex::new(gate);
        let mut desk = Desk::new("ask-test", LIMITS, move |hangs: bool| {
            if hangs {
                let _ended = gate.lock().map(|gate| gate.recv());
            }
            hangs
        });
        let (_first, _second) = (desk.ask(true), desk.ask(true));
        let other = desk.ask(false).expect("there is room");
        let begun = Instant::now();
        assert_eq!(desk.wait_while_moving(STUCK * 3 / 2), [(other, false)]);
        assert!(begun.elapsed() >= STUCK * 2, "more than was waited for each");
        assert!(desk.wait_while_moving(STUCK * 3 / 2).is_empty(), "nothing moves any more");
    }

    #[test]
    fn too_many_questions_are_refused_and_counted() {
        let (go_on, gate) = mpsc::sync_channel::<()>(1);
        let gate = Mutex::new(gate);
        let mut desk = Desk::new("ask-test", LIMITS, move |()| {
            let _ended = gate.lock().map(|gate| gate.recv());
        });
        let taken = (0..6).filter(|_| desk.ask(()).is_some()).count();
        let LookupNumbers { waiting, asked, refused, .. } = desk.numbers();
        assert_eq!((taken, waiting, asked, refused), (4, 4, 4, 2));
        drop(go_on);
        while desk.waiting() > 0 {
            desk.wait(soon());
        }
        assert!(desk.ask(()).is_some(), "there is room again");
    }
}
