//! Whatever cgroups, times and counts the inputs name, the stages come to an end.
//!
//! A recorded run is replayed with some of its inputs changed, repeated and moved, the
//! same way each time.

use std::{sync::mpsc, thread, time::Duration};

use hostnet_abi::EventKind;

use super::*;
use crate::{
    docs::EVERY_KIND,
    engine::{
        capture::Recording,
        input::{self, World},
    },
    event::Lost,
    format::{Format, Lines},
    judge::Law,
    output::LineStream,
};

/// Runs that are replayed: among them are some in which a path of [`LONG`] parts is a container's.
const RUNS: u64 = 42;

/// Parts of a long path. Work that grows with the square of it takes longer than [`FOR_EVER`].
const LONG: usize = 60_000;

/// Nothing that ends takes a hundredth of it.
const FOR_EVER: Duration = Duration::from_secs(300);

/// Numbers that look like random ones (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// What is put in place of what the run has.
struct Mutation {
    numbers: Numbers,
    ids: Vec<u64>,
    paths: Vec<String>,
    times: Vec<u64>,
}

impl Mutation {
    fn of(run: &[(u8, Vec<u8>)], seed: u64) -> Self {
        let (mut ids, mut paths) = (vec![0, 1, u64::MAX], Vec::new());
        let mut times = vec![0, 1, u64::MAX, u64::MAX / 2, 1 << 62];
        for (tag, bytes) in run {
            match input::from_frame(*tag, bytes.clone()).expect("a frame of the run") {
                Input::World(World::Cgroup { id, path }) => {
                    ids.push(id);
                    paths.push(path);
                }
                Input::World(World::Clock { boot_ns, .. }) => times.push(boot_ns),
                Input::Record(bytes) => {
                    let header = hostnet_abi::header(&bytes).expect("a record");
                    ids.push(header.task_cgroup);
                    times.push(header.boot_ns);
                }
                Input::World(_) | Input::Flows(_) => {}
            }
        }
        Self { numbers: Numbers(seed), ids, paths, times }
    }

    /// A path that another cgroup has, or that is above or below it, or no path at all.
    fn path(&mut self) -> String {
        let one = self.numbers.pick(&self.paths);
        let other = self.numbers.pick(&self.paths);
        match self.numbers.below(12) {
            0 => String::new(),
            1 => "/".repeat(1 + self.numbers.below(4)),
            2 => format!("{one}/.."),
            3 => format!("/..{one}//x"),
            4 => one.repeat(200),
            5 => format!("{one}{}", "/x".repeat(LONG)),
            6 => one.trim_start_matches('/').to_owned(),
            7 => format!("{one} (deleted)"),
            8 => one.rsplit_once('/').map_or(String::new(), |(above, _)| above.to_owned()),
            9 => format!("{one}/\\xff\u{fffd}\u{202e}"),
            10 => format!("{one}{other}"),
            _ => one,
        }
    }

    fn time(&mut self) -> u64 {
        let time = self.numbers.pick(&self.times);
        match self.numbers.below(3) {
            0 => time.saturating_add(3_600_000_000_000 << self.numbers.below(20)),
            1 => time.saturating_sub(1 << self.numbers.below(40)),
            _ => time,
        }
    }

    /// The same frame with ids, paths, times or counts changed.
    fn frame(&mut self, (tag, bytes): (u8, Vec<u8>)) -> Input {
        let mut input = input::from_frame(tag, bytes).expect("a frame of the run");
        match &mut input {
            Input::Record(bytes) => self.record(bytes),
            Input::World(World::Cgroup { id, path }) => {
                *id = self.numbers.pick(&self.ids);
                *path = self.path();
            }
            Input::World(World::Clock { boot_ns, wall_ns, .. }) => {
                (*boot_ns, *wall_ns) = (self.time(), self.time());
            }
            Input::World(World::Process(process)) => {
                process.cgroup = Some(self.numbers.pick(&self.ids));
                process.start_ns = self.time();
            }
            Input::World(World::Apart(apart)) => apart.cgroup = self.numbers.pick(&self.ids),
            Input::World(World::Lost { by, .. }) => {
                let (cgroup, operation) =
                    (Some(self.numbers.pick(&self.ids)), "connect".to_owned());
                by.push(Lost { cgroup, operation, count: u64::MAX, new: u64::MAX });
            }
            Input::World(World::Runtime { boot_ns, news }) => {
                *boot_ns = self.time();
                if let crate::attribute::RuntimeNews::Container(container) = news {
                    container.cgroup_path = self.path();
                }
            }
            Input::World(_) | Input::Flows(_) => {}
        }
        input
    }

    fn record(&mut self, bytes: &mut [u8]) {
        // boot_ns, task_cgroup, socket_cgroup; cgroups' ids come first in the payloads.
        let is_of_cgroup = hostnet_abi::header(bytes).is_some_and(|header| {
            [EventKind::CgroupMkdir, EventKind::CgroupRmdir, EventKind::CgroupAttach]
                .map(|kind| kind as u16)
                .contains(&header.kind)
        });
        let header = size_of::<hostnet_abi::Header>();
        let at = if is_of_cgroup { header } else { 8 * self.numbers.below(3) };
        let value = if at == 0 { self.time() } else { self.numbers.pick(&self.ids) };
        bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
}

/// Replays the run with every tenth frame or so changed, repeated or out of its place.
fn replay(run: &[(u8, Vec<u8>)], seed: u64) {
    let mut mutation = Mutation::of(run, seed);
    let Ok(Input::World(World::Run { policy, identity, law })) =
        input::from_frame(run[0].0, run[0].1.clone())
    else {
        panic!("a run begins with where it was made")
    };
    let law: Law = *law;
    let lines = LineStream::new(Lines::new(&identity, Format::default()), std::io::sink());
    let outputs: Vec<Box<dyn Output>> = vec![Box::new(lines)];
    let mut stages = Stages::new(policy, Judge::new(&law), Filter::default(), outputs);
    for frame in &run[1..] {
        let other = &run[1 + mutation.numbers.below(run.len() - 1)];
        let chosen = match mutation.numbers.below(40) {
            0 => vec![mutation.frame(other.clone()), mutation.frame(frame.clone())],
            1..=3 => vec![mutation.frame(frame.clone())],
            _ => vec![input::from_frame(frame.0, frame.1.clone()).expect("a frame")],
        };
        for input in chosen {
            stages.input(input).expect("a sink takes everything");
            drop(stages.take_requests());
        }
    }
    stages.finish().expect("a sink takes everything");
}

#[test]
fn a_run_with_mutated_cgroups_times_and_counts_ends() {
    let mut recording = Recording::read(EVERY_KIND).expect("a recording");
    let mut run = Vec::new();
    while let Some(frame) = recording.frame().expect("a whole recording") {
        run.push(frame);
    }
    let (ended, is_over) = mpsc::sync_channel(1);
    thread::spawn(move || {
        for seed in 0..RUNS {
            replay(&run, seed);
            let _test_has_failed = ended.send(()).is_err();
        }
    });
    for seed in 0..RUNS {
        assert_eq!(is_over.recv_timeout(FOR_EVER), Ok(()), "run {seed} failed or never ends");
    }
}
