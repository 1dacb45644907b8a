//! `hostnet-floor OBJECT empty|record CGROUP2`: attaches, says `ready`, and
//! takes records out of the ring until standard input ends. `hostnet-floor
//! watchers`: says how many programs watch socket addresses on this machine.

use std::{
    env,
    fs::File,
    io::{self, Read as _, Write as _},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf,
    maps::RingBuf,
    programs::{CgroupAttachMode, CgroupSockAddr, loaded_programs},
};

/// How often the ring is emptied.
const TICK: Duration = Duration::from_millis(5);

/// `BPF_PROG_TYPE_CGROUP_SOCK_ADDR` (include/uapi/linux/bpf.h); aya does not name it.
const SOCK_ADDR: u32 = 18;

pub fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [object, variant, cgroup] => watch(object, variant, cgroup),
        [word] if word == "watchers" => count_watchers(),
        _ => bail!("usage: hostnet-floor OBJECT empty|record CGROUP2 | watchers"),
    }
}

fn count_watchers() -> Result<()> {
    // One may be unloaded while the list is read.
    let programs = loaded_programs().filter_map(Result::ok);
    let count = programs.filter(|program| program.program_type() as u32 == SOCK_ADDR).count();
    say(&count.to_string())
}

fn watch(object: &str, variant: &str, cgroup: &str) -> Result<()> {
    let mut ebpf = Ebpf::load_file(object).with_context(|| format!("cannot load {object}"))?;
    let root = File::open(cgroup).with_context(|| format!("cannot open {cgroup}"))?;
    for operation in ["connect", "bind"] {
        let name = format!("{variant}_{operation}");
        let program = ebpf.program_mut(&name).with_context(|| format!("no program {name}"))?;
        let program: &mut CgroupSockAddr = program.try_into()?;
        program.load()?;
        program.attach(&root, CgroupAttachMode::Single)?;
    }
    let mut ring = RingBuf::try_from(ebpf.take_map("RECORDS").context("no map RECORDS")?)?;
    say("ready")?;

    let (open, end) = sync_channel::<()>(0);
    thread::spawn(move || {
        let _whatever_ends_it = io::stdin().read_to_end(&mut Vec::new());
        drop(open);
    });
    while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        while ring.next().is_some() {}
    }
    Ok(())
}

fn say(word: &str) -> Result<()> {
    let mut out = io::stdout();
    out.write_all(word.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}
