//! Pinned programs, and agents that are killed while a container acts: the next one
//! takes the programs over.

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use crate::{
    Agent, Docker, Run,
    flood::{Account, Accounts},
    hostnet, want,
};

/// A directory for pins that is this test's alone, removed when dropped.
pub struct Pins(pub PathBuf);

impl Pins {
    pub fn new(name: &str) -> Self {
        let name = format!("hostnet-test-{}-{name}", std::process::id());
        Self(Path::new("/sys/fs/bpf").join(name))
    }

    /// The line of `[observe]` that names it.
    pub fn line(&self) -> String {
        format!("pin = \"{}\"", self.0.display())
    }

    /// Removes what is pinned; whether hostnet says that it could.
    pub fn uninstall(&self) -> bool {
        let status = Command::new(hostnet()).arg("uninstall").arg("--pin").arg(&self.0).status();
        status.expect("hostnet can be started").success()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if self.0.exists() {
            self.uninstall();
        }
    }
}

/// Agents that are killed one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often.
    pub kills: u32,
    /// Milliseconds that the container acts.
    pub lasts: u32,
    /// What it does in that time, each time with another address.
    pub acts: u32,
    /// Further lines of `[observe]`.
    pub observe: &'static str,
}

/// What they told, all together.
pub struct Killed {
    /// The last agent's run.
    pub run: Run,
    /// What was told of the container.
    pub account: Account,
    /// Owners of whom anything was told.
    pub owners: usize,
    /// Whether anything was left of the pins when the last agent had ended well.
    pub is_left: bool,
}

/// Kills agents while a container acts. They share a history, so that what one had
/// kept and not delivered is delivered by the next.
pub fn kill_agents(plan: Plan) -> Killed {
    let Plan { kills, lasts, acts, observe } = plan;
    let (pins, accounts) = (Pins::new("killed"), Accounts::default());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = |at: u32| {
        let counting = accounts.clone();
        let setup = Agent::setup().observe(&format!("{}\n{observe}", pins.line()));
        let setup = setup.history(&directory.path().join("history.db"));
        let agent = setup.divert(move |event| counting.take(event)).start();
        if at > 0 {
            agent.expect(&want().action("programs-adopted"));
        }
        agent
    };
    let mut agent = start(0);
    let mut actor = Docker::shared().launch("host").actor();
    actor.begin(&format!("marks {lasts} --times {acts}"));
    for at in 1..=kills {
        // At moments that are none of the agent's own.
        thread::sleep(Duration::from_millis((lasts / (kills + 2) + 131 * at % 700).into()));
        agent.kill();
        thread::sleep(Duration::from_millis(400));
        agent = start(at);
    }
    actor.finish();
    agent.marker();
    let run = agent.stop();
    let account = accounts.of(&actor.container);
    Killed { run, account, owners: accounts.owners(), is_left: pins.0.exists() }
}
