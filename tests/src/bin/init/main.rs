//! The first process of a test VM: makes the machine, runs what `/plan.json`
//! lists, and switches the machine off.
//!
//! The kernel's messages have the first serial port. The second one carries what
//! the programs write, and this program's own lines, which begin with `@vm `:
//! `@vm begin NAME`, `@vm end NAME exit 0 in 1234 ms`, `@vm done`. It knows
//! nothing of tests: a plan is commands with deadlines. Where systemd is to be the
//! first process, it makes the machine, becomes systemd, and the rest is a service.

mod machine;
mod mounts;
mod plan;
mod programs;
mod systemd;

use std::{fs::File, io::Write as _, net::Ipv4Addr, path::Path};

use hostnet_tests::loopback;

use machine::Parameters;
use plan::Plan;

/// What tests find when they look for an address that is not loopback's.
const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 1);

fn main() {
    let is_first = std::process::id() == 1;
    if is_first {
        // A panic of the first process is a panic of the kernel, and ends the VM.
        mounts::kernel_file_systems().expect("the kernel has its file systems");
    }
    let mut report = machine::report_port().expect("a second serial port");
    let outcome = if is_first { begin(&mut report) } else { systemd::plan() };
    if let Err(error) = outcome.and_then(|plan| carry_out(&plan, &mut report)) {
        let _ = writeln!(report, "@vm failed {error}");
    }
    machine::power_off();
}

/// Makes the machine.
fn begin(report: &mut File) -> Result<Plan, String> {
    machine::entropy()?;
    let parameters = Parameters::read()?;
    let plan = Plan::read(Path::new("/plan.json"))?;
    for module in &plan.modules {
        machine::load_module(Path::new(module))?;
    }
    if let Some(disk) = parameters.get("hostnet.root") {
        mounts::change_root(disk)?;
    }
    loopback::up()
        .and_then(|()| loopback::add_address(OWN_ADDRESS))
        .map_err(|error| format!("loopback: {error}"))?;
    let _ = writeln!(report, "@vm kernel {}", machine::kernel_release());
    if let Some(first) = parameters.get("hostnet.first") {
        return Err(systemd::becomes(first, &plan));
    }
    mounts::cgroups(parameters.get("hostnet.cgroup").unwrap_or("v2"))?;
    if parameters.get("hostnet.btf") == Some("hidden") {
        mounts::hide("/sys/kernel/btf")?;
    }
    Ok(plan)
}

fn carry_out(plan: &Plan, report: &mut File) -> Result<(), String> {
    for program in &plan.programs {
        let _ = writeln!(report, "@vm begin {}", program.name);
        let ending = programs::run(program, report)?;
        let _ = writeln!(report, "\n@vm end {} {ending}", program.name);
    }
    let _ = writeln!(report, "@vm done");
    Ok(())
}
