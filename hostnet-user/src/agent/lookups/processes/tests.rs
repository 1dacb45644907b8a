use std::sync::{Arc, Mutex, mpsc};

use hostnet_abi::{EventKind, Fork, Header, Hook};
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;
use crate::{
    agent::lookups::Taken,
    attribute::{Attribution, Policy},
};

/// Cgroups of a host's user and of a service.
const USER: u64 = 5;
const SERVICE: u64 = 6;

fn stage() -> Attribution {
    let mut stage = Attribution::new(Policy::default());
    stage.cgroup(1, "/".to_owned());
    stage.cgroup(USER, "/user.slice".to_owned());
    stage.cgroup(SERVICE, "/web.service".to_owned());
    stage
}

fn found(pid: u32) -> Found {
    let process = Process { pid, start_ns: 1, from_proc: true, ..Process::default() };
    Found { pid, asked_ns: 1_000, process: Some(process), cgroups: Vec::new(), place: None }
}

/// Lookups whose answers all come: on a machine that is busy, some time later.
fn lookups(look: impl Fn(u32) -> Found + Send + Sync + 'static) -> ProcessLookups {
    waiting(look, Duration::from_secs(60))
}

fn waiting(
    look: impl Fn(u32) -> Found + Send + Sync + 'static,
    longest: Duration,
) -> ProcessLookups {
    let desk = Desk::new("look-up-test", LIMITS, look);
    ProcessLookups::of(desk, Arc::new(found), MOST_OF_ASKER, longest)
}

fn header(kind: EventKind, pid: u32, cgroup: u64, boot_ns: u64) -> Header {
    let (kind, length) = (kind as u16, kind.record_length() as u32);
    let (tgid, tid, task_cgroup, cookie) = (pid, pid, cgroup, 9);
    let hook = Hook::Connect4 as u16;
    Header { kind, hook, length, tgid, tid, task_cgroup, cookie, boot_ns, ..Header::new_zeroed() }
}

/// A record that says nothing beside its header.
fn push(batch: &mut Batch, header: Header) {
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(header.length as usize, 0);
    batch.push(Taken::of(&bytes));
}

/// A record of a process that connects.
fn connect(batch: &mut Batch, pid: u32, cgroup: u64, boot_ns: u64) {
    push(batch, header(EventKind::Connect, pid, cgroup, boot_ns));
}

/// What [`crate::agent::pipeline::Pipeline`] does with a batch; the processes that were looked up.
fn look_up(lookups: &mut ProcessLookups, batch: &Batch, stage: &mut Attribution) -> Vec<u32> {
    let late = lookups.late();
    let mut pids = take_in(lookups, late, stage);
    let answers = lookups.before(batch, stage.owners());
    pids.extend(take_in(lookups, answers, stage));
    pids.sort_unstable();
    pids
}

fn take_in(
    lookups: &mut ProcessLookups,
    answers: Vec<Answer>,
    stage: &mut Attribution,
) -> Vec<u32> {
    let mut pids = Vec::new();
    for answer in answers {
        for input in answer.inputs(stage.owners()) {
            match input {
                World::Process(process) => {
                    pids.push(process.pid);
                    stage.process(*process);
                }
                World::Cgroup { id, path } => stage.cgroup(id, path),
                other => panic!("{other:?}"),
            }
        }
        lookups.taken_in(&answer, stage.owners());
    }
    pids
}

/// Lookups of which the one of this process waits for the other end.
fn hanging(hangs: u32) -> (ProcessLookups, mpsc::SyncSender<()>) {
    let (go_on, gate) = mpsc::sync_channel::<()>(1);
    let gate = Mutex::new(gate);
    let look = move |pid| {
        if pid == hangs {
            let _ended = gate.lock().map(|gate| gate.recv());
        }
        found(pid)
    };
    (waiting(look, LONGEST), go_on)
}

#[test]
fn a_flood_of_unknown_processes_takes_nobodys_answers() {
    let mut stage = stage();
    let mut lookups = lookups(found);
    let mut batch = Batch::default();
    for pid in 1_000..5_000 {
        connect(&mut batch, pid, USER, 50);
        connect(&mut batch, pid, USER, 51);
    }
    connect(&mut batch, 70, SERVICE, 52);
    let found = look_up(&mut lookups, &batch, &mut stage);
    assert_eq!((found[0], found.len()), (70, 1 + MOST_OF_ASKER));
    let LookupNumbers { asked, refused, late, .. } = lookups.numbers();
    assert_eq!((asked, refused, late), (33, 4_000 - 32, 0));
    assert!(stage.owners().knows_process(70, 52) && !stage.owners().knows_process(4_000, 50));
}

#[test]
fn a_process_that_nobody_can_look_at_holds_up_no_other() {
    let mut stage = stage();
    let (mut lookups, _go_on) = hanging(66);
    let mut batch = Batch::default();
    connect(&mut batch, 66, USER, 50);
    look_up(&mut lookups, &batch, &mut stage);
    // Another thread goes on, and that process is not asked for again.
    let begun = Instant::now();
    while !stage.owners().knows_process(70, 60) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", lookups.numbers());
        batch.clear();
        connect(&mut batch, 66, USER, 60);
        connect(&mut batch, 70, SERVICE, 60);
        look_up(&mut lookups, &batch, &mut stage);
    }
    let LookupNumbers { waiting, oldest_ns, asked, .. } = lookups.numbers();
    assert_eq!((waiting, asked), (1, 2));
    assert!(oldest_ns > 0);
}

/// More processes than there are threads never show their command lines.
#[test]
fn many_command_lines_that_never_come_hide_no_process() {
    let (_never, gate) = mpsc::sync_channel::<()>(1);
    let gate = Mutex::new(gate);
    let hang = move |process: Process| {
        let _ended = gate.lock().map(|gate| gate.recv());
        process
    };
    let quick: Arc<Look> = Arc::new(found);
    let desk = Desk::new("look-up-test", LIMITS, looking(Arc::clone(&quick), hang));
    let mut lookups = ProcessLookups::of(desk, quick, MOST_OF_ASKER, LONGEST);
    let mut found: Vec<u32> = lookups.all(1..=100).into_iter().map(|found| found.pid).collect();
    found.sort_unstable();
    assert_eq!(found, (1..=100).collect::<Vec<u32>>());
    // Those that hang, and no others.
    assert_eq!(lookups.numbers().waiting, LIMITS.threads - 1);
}

#[test]
fn the_start_goes_on_without_the_command_line_of_a_process_that_does_not_show_it() {
    let (mut lookups, go_on) = hanging(66);
    let mut found: Vec<u32> = lookups.all(1..=2_000).into_iter().map(|found| found.pid).collect();
    found.sort_unstable();
    assert_eq!(found, (1..=2_000).collect::<Vec<u32>>());
    // What comes later is taken in with the records that come then.
    let mut stage = stage();
    go_on.send(()).expect("it is there");
    while lookups.numbers().waiting > 0 {
        look_up(&mut lookups, &Batch::default(), &mut stage);
    }
    assert!(stage.owners().knows_process(66, 2_000));
}

#[test]
fn what_records_tell_themselves_is_not_looked_up() {
    let mut stage = stage();
    let mut lookups = lookups(found);
    let mut batch = Batch::default();
    connect(&mut batch, 70, SERVICE, 10);
    look_up(&mut lookups, &batch, &mut stage);
    batch.clear();
    let mut fork = header(EventKind::Fork, 70, SERVICE, 20);
    fork.cookie = 0;
    let child = Fork { child: 71, start_ns: 20, ..Fork::new_zeroed() };
    fork.hook = Hook::SchedProcessFork as u16;
    batch.push(Taken::of(&[fork.as_bytes(), child.as_bytes()].concat()));
    connect(&mut batch, 71, SERVICE, 21);
    let mut exec = header(EventKind::Exec, 72, SERVICE, 22);
    exec.cookie = 0;
    push(&mut batch, exec);
    connect(&mut batch, 72, SERVICE, 23);
    connect(&mut batch, 73, SERVICE, 24);
    assert_eq!(look_up(&mut lookups, &batch, &mut stage), [73]);
}

#[test]
fn a_late_answer_says_nothing_of_a_process_that_has_changed_since() {
    for ends in [true, false] {
        let mut stage = stage();
        let (mut lookups, go_on) = hanging(66);
        let mut batch = Batch::default();
        connect(&mut batch, 66, USER, 50);
        look_up(&mut lookups, &batch, &mut stage);
        batch.clear();
        if ends {
            let mut exit = header(EventKind::Exit, 66, USER, 60);
            exit.cookie = 0;
            push(&mut batch, exit);
        }
        look_up(&mut lookups, &batch, &mut stage);
        go_on.send(()).expect("it is there");
        while lookups.numbers().waiting > 0 {
            look_up(&mut lookups, &Batch::default(), &mut stage);
        }
        assert_eq!(stage.owners().knows_process(66, 70), !ends);
        assert_eq!(lookups.numbers().late, 1);
    }
}

#[test]
fn a_process_that_was_gone_is_not_looked_up_for_records_from_before() {
    let mut stage = stage();
    let gone = |pid| Found { process: None, ..found(pid) };
    let mut lookups = lookups(gone);
    let mut batch = Batch::default();
    for (at, asked) in [(50, 1), (60, 1), (1_000, 1), (1_001, 2)] {
        batch.clear();
        connect(&mut batch, 66, USER, at);
        look_up(&mut lookups, &batch, &mut stage);
        assert_eq!(lookups.numbers().asked, asked, "of a record at {at}");
    }
}

#[test]
fn a_late_cgroup_takes_nobodys_place() {
    let mut stage = stage();
    let lack = Lack { of_cgroup: Some(8), ..Lack::none(66) };
    let found = Found { cgroups: vec![(7, "/a".into()), (8, "/a/b".into())], ..found(66) };
    let mut answer = Answer { lack, found, is_late: true };
    // Made anew, by records that came since.
    stage.cgroup(9, "/a/b".to_owned());
    let mut ids = |answer: &Answer| -> Vec<u64> {
        let inputs = answer.inputs(stage.owners()).into_iter();
        inputs
            .filter_map(|one| if let World::Cgroup { id, .. } = one { Some(id) } else { None })
            .collect()
    };
    assert_eq!(ids(&answer), [7]);
    answer.is_late = false;
    assert_eq!(ids(&answer), [7, 8]);
}

#[test]
fn batches_wait_for_a_part_of_the_time() {
    let begun = Instant::now();
    let mut credit = Credit::new(begun, LONGEST);
    assert_eq!((credit.at(begun), credit.left), (LONGEST, MOST_CREDIT * LONGEST));
    credit.spend(Duration::from_secs(5));
    assert_eq!(credit.at(begun), Duration::ZERO);
    let later = begun + LONGEST;
    assert_eq!(credit.at(later), LONGEST / SHARE);
    let rested = later + Duration::from_secs(60);
    assert_eq!((credit.at(rested), credit.left), (LONGEST, MOST_CREDIT * LONGEST));
}
