//! One technique, shown: it works with the agent off, all of it is told with the
//! agent on, and not all of it when a hook is left out.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::{
    Agent, Container, Docker, Run, at,
    checker::{self, Accounts, Joined},
    container::ActorBox,
    oracle,
};

/// How a technique is to be tried.
pub struct Technique {
    network: &'static str,
    options: Vec<String>,
}

/// What came of a trial with the agent on.
pub struct Trial {
    /// All of the agent's events.
    pub run: Run,
    /// The actor's own account.
    pub rows: Vec<Value>,
    /// The container that acted; it is gone.
    pub container: Container,
    /// The three accounts, joined.
    pub joined: Result<Joined, String>,
}

impl Technique {
    /// In a container with the host's network and Docker's default confinement.
    #[expect(clippy::new_without_default, reason = "it reads better than `default`")]
    pub fn new() -> Self {
        Self { network: "host", options: Vec::new() }
    }

    /// Another network than the host's.
    pub fn network(mut self, network: &'static str) -> Self {
        self.network = network;
        self
    }

    /// Options of `docker run`.
    pub fn options<const N: usize>(mut self, options: [&str; N]) -> Self {
        self.options.extend(options.map(str::to_owned));
        self
    }

    /// Without Docker's seccomp filter, which newer versions of it keep
    /// io_uring and some families behind.
    pub fn unconfined(self) -> Self {
        self.options(["--security-opt=seccomp=unconfined"])
    }

    /// Shows that it works without an agent, and that with one all of it is told.
    /// `perform` has to fail when something did not happen as it should.
    pub fn is_told(&self, perform: impl Fn(&mut ActorBox) -> Vec<Value>) -> Trial {
        self.works(&perform);
        let trial = self.trial("", perform);
        if let Err(differences) = &trial.joined {
            panic!("{differences}");
        }
        trial
    }

    /// Shows only that it works, with no agent anywhere.
    pub fn works(&self, perform: impl Fn(&mut ActorBox) -> Vec<Value>) -> Vec<Value> {
        let rows = perform(&mut self.actor());
        assert!(!rows.is_empty(), "the actor did nothing");
        rows
    }

    /// Shows that not all of it is told when a hook is left out, and that the
    /// agent says so.
    pub fn is_not_told_without(&self, hook: &str, perform: impl Fn(&mut ActorBox) -> Vec<Value>) {
        let trial = self.trial(&format!("without = [\"{hook}\"]"), perform);
        let coverage = at(&trial.run.events[0], "hostnet.health.coverage");
        let rows = coverage.and_then(Value::as_array).expect("the start event tells coverage");
        let row = rows.iter().find(|row| {
            row["hook"].as_str().is_some_and(|point| point.rsplit('/').next() == Some(hook))
        });
        let row = row.unwrap_or_else(|| panic!("coverage does not name {hook}"));
        assert_eq!(row["state"], "disabled", "{row}");
        let complete = at(&trial.run.events[0], "hostnet.health.complete");
        assert_eq!(complete, Some(&Value::Bool(false)));
        assert!(trial.joined.is_err(), "all is told without {hook}: {:?}", trial.joined);
    }

    fn trial(&self, observe: &str, perform: impl Fn(&mut ActorBox) -> Vec<Value>) -> Trial {
        let agent = Agent::setup().observe(observe).start();
        let began = clock_gettime(ClockId::Boottime);
        let began = Duration::new(began.tv_sec as u64, began.tv_nsec as u32);
        let mut actor = self.actor();
        let rows = perform(&mut actor);
        let witness = oracle::sockets();
        agent.marker();
        let run = agent.stop();
        let container = actor.into_container();
        let accounts = Accounts {
            container: &container,
            rows: &rows,
            witness: &witness,
            began_ns: began.as_nanos() as i64,
        };
        let joined = checker::join(&run, &accounts);
        Trial { run, rows, container, joined }
    }

    fn actor(&self) -> ActorBox {
        let mut launch = Docker::shared().launch(self.network);
        for option in &self.options {
            launch = launch.options([option.as_str()]);
        }
        launch.actor()
    }
}

/// Every operation of an account ended as expected.
pub fn all(result: &str, rows: Vec<Value>) -> Vec<Value> {
    let other = rows.iter().find(|row| row["result"].is_string() && row["result"] != result);
    assert!(other.is_none(), "not {result}: {other:?}");
    rows
}
