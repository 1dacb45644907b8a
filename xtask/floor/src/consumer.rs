//! `hostnet-floor OBJECT empty|record CGROUP2`: attaches, says `ready`, and
//! takes records out of the ring until standard input ends.

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
    programs::{CgroupAttachMode, CgroupSockAddr},
};

/// How often the ring is emptied.
const TICK: Duration = Duration::from_millis(5);

pub fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [object, variant, cgroup] = &arguments[..] else {
        bail!("usage: hostnet-floor OBJECT empty|record CGROUP2");
    };
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
    io::stdout().write_all(b"ready\n")?;
    io::stdout().flush()?;

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
