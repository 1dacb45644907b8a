//! Who an id is, at which time, and how much is remembered.

use zerocopy::FromZeros;

use super::*;
use crate::event::who::process::tests::exec;

const SECOND: u64 = 1_000_000_000;

/// A record of this process at that time, in cgroup 7.
fn by(tgid: u32, boot_ns: u64) -> Header {
    Header { tgid, boot_ns, task_cgroup: 7, ..Header::new_zeroed() }
}

fn run(table: &mut ProcessTable, pid: u32, program: &str, start_ns: u64) -> Arc<Process> {
    table.exec(made_by(1, pid, program, start_ns), start_ns, |_| true)
}

/// Process `pid` in cgroup 7, told there, that runs a program since its start.
fn made_by(parent: u32, pid: u32, program: &str, start_ns: u64) -> Process {
    let (record, tail) = exec(format!("/bin/{program}\0").as_bytes(), b"a\0", start_ns);
    let (cgroup, told_in) = (Some(7), Some(7));
    Process { parent, cgroup, told_in, ..Process::from_exec(pid, &record, &tail) }
}

fn fork(table: &mut ProcessTable, parent: u32, child: u32, start_ns: u64) {
    let record =
        Fork { start_ns, cgroup: 0, child, namespace_pid: child, contained: 0, padding: 0 };
    table.fork(&by(parent, start_ns), &record);
}

fn exit(table: &mut ProcessTable, pid: u32, start_ns: u64, at: u64) -> Option<Arc<Process>> {
    table.exit(&by(pid, at), &Exit { start_ns, code: 0, padding: 0 })
}

fn shown(pid: u32, start_ns: u64, program: &str) -> Process {
    Process { from_proc: true, told_in: None, ..made_by(1, pid, program, start_ns) }
}

fn name_at(table: &ProcessTable, pid: u32, at: u64) -> Option<String> {
    table.get(pid, at).map(|process| process.name.escape_ascii().to_string())
}

#[test]
fn a_child_runs_its_parents_program() {
    let mut table = ProcessTable::default();
    run(&mut table, 10, "nginx", 5);
    fork(&mut table, 10, 11, 9);
    let child = table.get(11, 9).unwrap();
    assert_eq!((child.parent, &child.name[..], child.start_ns), (10, &b"nginx"[..], 9));
    assert_eq!(child.known_parent.as_ref().unwrap().executable, b"/bin/nginx");
}

/// What happened to id 10, which `old` had from 1 s on and `new` perhaps since
/// 20 s; and who, at which time, the id then is.
#[test]
fn a_reused_id_is_another_process() {
    type Story = fn(&mut ProcessTable);
    type Row = (&'static str, Story, &'static [(u64, Option<&'static str>)]);
    let ends: Story = |table| drop(exit(table, 10, SECOND, 10 * SECOND));
    let rows: [Row; 8] = [
        ("it has not begun yet", |_| {}, &[(0, None), (1, Some("old"))]),
        ("it ended, and only closes", ends, &[(10, Some("old")), (11, Some("old"))]),
        ("it ended, the next one's fork was lost", ends, &[(12, None), (20, None)]),
        (
            "every record is there",
            |table| {
                exit(table, 10, SECOND, 10 * SECOND);
                run(table, 1, "new", 2 * SECOND);
                fork(table, 1, 10, 20 * SECOND);
            },
            &[(20, Some("new")), (19, None)],
        ),
        (
            "its exit was lost, the fork is by somebody unknown",
            |table| fork(table, 99, 10, 20 * SECOND),
            &[(20, None)],
        ),
        (
            "its exit and the next one's fork were lost, the next one's exit was not",
            |table| assert_eq!(exit(table, 10, 20 * SECOND, 21 * SECOND), None),
            &[(21, None)],
        ),
        (
            "something was lost, and /proc shows the same process",
            |table| {
                table.doubt(20 * SECOND);
                assert_eq!(name_at(table, 10, 20 * SECOND), None);
                table.seed(shown(10, SECOND + 1, "old"), |_| true);
            },
            &[(20, Some("old"))],
        ),
        (
            "something was lost, and /proc shows another",
            |table| {
                table.doubt(21 * SECOND);
                table.seed(shown(10, 20 * SECOND, "new"), |_| true);
            },
            &[(21, Some("new")), (19, None)],
        ),
    ];
    for (story, happens, expected) in rows {
        let mut table = ProcessTable::default();
        run(&mut table, 10, "old", SECOND);
        happens(&mut table);
        for (second, name) in expected {
            let seen = name_at(&table, 10, second * SECOND);
            assert_eq!(seen.as_deref(), *name, "{story}, at {second} s");
        }
    }
}

#[test]
fn a_tombstone_does_not_bury_the_next() {
    let mut table = ProcessTable::default();
    run(&mut table, 10, "a", 5);
    exit(&mut table, 10, 5, 100);
    run(&mut table, 10, "b", 20_000_000);
    table.expire(u64::MAX);
    assert_eq!(name_at(&table, 10, 20_000_000).as_deref(), Some("b"));
    assert_eq!(table.by_pid.len(), 1);
}

#[test]
fn a_lost_exec_is_made_up_for_by_proc() {
    let mut table = ProcessTable::default();
    run(&mut table, 10, "sh", 5);
    table.doubt(50);
    let mut now = shown(10, 5, "nc");
    now.file.inode = 43;
    table.seed(now, |_| true);
    let process = table.get(10, 60).unwrap();
    assert_eq!(process.name, b"nc");
    assert!(process.from_proc);
    assert_eq!(process.told_in, Some(7), "its end will be told");
}

#[test]
fn ancestors_are_who_made_it_within_one_owner() {
    let mut table = ProcessTable::default();
    let of = |cgroup, process| Process { cgroup, ..process };
    // The shim is in cgroup 3, and its child sets the container up in cgroup 7.
    table.exec(of(Some(3), made_by(1, 10, "shim", 1)), 1, |_| true);
    table.exec(of(None, made_by(10, 11, "runc", 2)), 2, |_| true);
    for (parent, child) in [(11, 20), (20, 30), (30, 40)] {
        let start_ns = child.into();
        fork(&mut table, parent, child, start_ns);
        let process = made_by(parent, child, &format!("p{child}"), start_ns);
        table.exec(process, start_ns, |cgroup| cgroup == 7);
    }
    let names = |process: &Process| -> Vec<String> {
        process.ancestors.iter().map(|one| one.name.escape_ascii().to_string()).collect()
    };
    let first = table.get(20, 99).unwrap();
    assert_eq!(names(first), [""; 0], "the runtime is not the container's");
    assert_eq!(first.known_parent.as_ref().unwrap().name, b"runc");
    assert_eq!(names(table.get(40, 99).unwrap()), ["p30", "p20"]);
    // Its parent has ended, and the first process has taken it over.
    let process = table.exec(made_by(20, 40, "last", 40), 50, |_| true);
    assert_eq!(names(&process), ["p30", "p20"]);
    assert_eq!(process.known_parent.as_ref().unwrap().name, b"p20");
}

#[test]
fn a_long_line_of_descent_takes_bounded_memory() {
    let mut table = ProcessTable::default();
    run(&mut table, 1, "first", 1);
    for child in 2..1000 {
        fork(&mut table, child - 1, child, child.into());
        exit(&mut table, child - 1, u64::from(child) - 1, child.into());
    }
    let last = table.get(999, 999).unwrap();
    let pids: Vec<u32> = last.ancestors.iter().map(|ancestor| ancestor.pid).collect();
    assert_eq!(pids, (983..999).rev().collect::<Vec<u32>>());
}

/// Twice as many living processes as there is room for, each with as many
/// bytes as a record can hold.
#[test]
fn living_processes_take_bounded_memory() {
    let mut table = ProcessTable::default();
    let arguments = [&[b'x'; hostnet_abi::MAX_ARGUMENTS - 1][..], b"\0"].concat();
    let mut told = 0;
    for pid in 1..=2 * MOST as u32 {
        let (record, tail) = exec(b"/bin/big\0", &arguments, pid.into());
        let process = Process::from_exec(pid, &record, &tail);
        let process = table.exec(process, pid.into(), |_| true);
        if table.is_full() {
            table.make_room(|cgroup| cgroup.to_string());
        }
        told += usize::from(process.arguments[0].len() == arguments.len() - 1);
        assert!(table.by_pid.len() <= MOST);
    }
    assert_eq!(told, 2 * MOST, "an exec is told whole");
    let stubs = MOST * 2 * STUB_AT_MOST;
    assert!(table.bytes < MOST_BYTES + stubs, "{} bytes", table.bytes);
    let sum: usize = table.by_pid.values().map(|entry| entry.process.weight()).sum();
    assert_eq!(table.bytes, sum, "what is counted is what there is");
    let last = table.get(2 * MOST as u32, u64::MAX).unwrap();
    assert!(last.arguments_truncated);
    assert!(table.now(1).is_none(), "the first ones went");
}

/// A fork bomb of one owner, in as many cgroups as it likes, forgets its own processes.
#[test]
fn the_owner_with_the_most_processes_gives_way() {
    let mut table = ProcessTable::default();
    let owner = |cgroup: u64| if cgroup == 7 { "neighbour" } else { "bomb" }.to_owned();
    run(&mut table, 1, "old", 1);
    run(&mut table, 2, "ended", 2);
    exit(&mut table, 2, 2, 3);
    for pid in 10..3 * MOST as u32 {
        let process = made_by(1, pid, "bomb", pid.into());
        let process = Process { cgroup: Some(100 + u64::from(pid)), ..process };
        table.exec(process, pid.into(), |_| true);
        if table.is_full() {
            table.make_room(owner);
        }
    }
    assert!(table.by_pid.len() < MOST);
    assert_eq!(name_at(&table, 1, 1 << 40).as_deref(), Some("old"));
    assert_eq!(name_at(&table, 2, 3).as_deref(), Some("ended"));
    assert!(table.now(10).is_none() && table.now(3 * MOST as u32 - 1).is_some());
}

/// Bytes of a cut process of the test above.
const STUB_AT_MOST: usize = 128;
