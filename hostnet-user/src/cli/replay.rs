//! `hostnet replay`: a recorded run through the same stages, without a kernel.

use std::path::PathBuf;

use super::{Usage, shown::Shown};
use crate::{
    exit_code::Exit,
    input::{self, Input, World},
    judge::Judge,
    kernel::Recording,
    stages::{Filter, Stages},
};
use anyhow::{Result, bail};

#[derive(clap::Args)]
pub struct Args {
    /// A file written by `hostnet watch --record`.
    file: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

pub fn run(args: &Args) -> Result<Exit> {
    let mut recording = Recording::open(&args.file).map_err(Usage)?;
    let Some((tag, bytes)) = recording.frame()? else { bail!("the recording is empty") };
    let Input::World(World::Run { policy, identity, law }) = input::from_frame(tag, bytes)? else {
        bail!("the recording does not begin with where it was made");
    };
    let mut stages = Stages::new(
        policy,
        Judge::new(&law),
        Filter::default(),
        vec![args.shown.output(&identity)],
    );
    stages.identify(&identity);
    while let Some((tag, bytes)) = recording.frame()? {
        stages.input(input::from_frame(tag, bytes)?)?;
        // There is no kernel to class cgroups in, and no runtime to ask.
        drop(stages.take_requests());
    }
    stages.finish()?;
    stages.flush()?;
    Ok(Exit::Ok)
}
