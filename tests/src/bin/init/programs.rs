//! One program of the plan, from its start to its end or its deadline.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use crate::plan::Program;

/// Runs it with both outputs on `report`, and says how it ended.
pub fn run(program: &Program, report: &File) -> Result<String, String> {
    let (name, arguments) = program.command.split_first().ok_or("a program has no command")?;
    let port = || report.try_clone().map_err(|error| format!("serial port: {error}"));
    let began = Instant::now();
    let child = Command::new(name)
        .args(arguments)
        .envs(&program.environment)
        .stdin(Stdio::null())
        .stdout(port()?)
        .stderr(port()?)
        .process_group(0)
        .spawn();
    let ending = match child {
        Ok(child) => wait(Pid::from_child(&child), began, program.deadline),
        Err(error) => format!("not started: {error}"),
    };
    // Whatever it left behind must not disturb the next one.
    end_everything();
    Ok(format!("{ending} in {} ms", began.elapsed().as_millis()))
}

/// The first process gets everybody's orphans, and buries them here.
fn wait(child: Pid, began: Instant, deadline: u64) -> String {
    let deadline = Duration::from_secs(deadline);
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => return told(status),
            Ok(Some(_)) => {}
            _ if began.elapsed() > deadline => return "deadline".to_owned(),
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn told(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// Every process but this one, and the kernel's own.
fn end_everything() {
    // SAFETY: kill takes no pointer; -1 is everybody but the caller.
    unsafe { libc::kill(-1, Signal::KILL.as_raw()) };
    while !matches!(rustix::process::wait(WaitOptions::empty()), Err(rustix::io::Errno::CHILD)) {}
}
