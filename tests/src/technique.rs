//! One technique, shown: it works with the agent off, all of it is told with the
//! agent on, and not all of it when a hook is left out.

use std::{collections::HashMap, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::{
    Agent, Container, Docker, Run, at,
    checker::{self, Accounts, Joined},
    container::ActorBox,
    oracle::{self, Seen},
};

/// How a technique is to be tried.
pub struct Technique {
    network: String,
    options: Vec<String>,
    afterwards: bool,
}

/// What came of a trial with the agent on.
pub struct Trial {
    /// All of the agent's events.
    pub run: Run,
    /// The actor's own account.
    pub rows: Vec<Value>,
    /// What `ss` showed at the end, by cookie.
    pub witness: HashMap<u64, Seen>,
    /// The container that acted; it is gone.
    pub container: Container,
    /// The three accounts, joined.
    pub joined: Result<Joined, String>,
}

impl Technique {
    /// In a container with the host's network and Docker's default confinement.
    #[expect(clippy::new_without_default, reason = "it reads better than `default`")]
    pub fn new() -> Self {
        Self { network: "host".to_owned(), options: Vec::new(), afterwards: false }
    }

    /// Another network than the host's.
    pub fn network(mut self, network: &str) -> Self {
        self.network = network.to_owned();
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

    /// With a capability that Docker takes away.
    pub fn capability(self, name: &str) -> Self {
        self.options([format!("--cap-add={name}").as_str()])
    }

    /// The agent learns of it only when all is over: what it could have looked up
    /// of a process is gone then.
    pub fn told_afterwards(mut self) -> Self {
        self.afterwards = true;
        self
    }

    /// Shows that it works without an agent, and that with one all of it is told.
    /// `perform` has to fail when something did not happen as it should.
    pub fn is_told(&self, perform: impl Fn(&mut ActorBox) -> Vec<Value>) -> Trial {
        self.works(&perform);
        let trial = self.trial(None, perform);
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

    /// Shows that all of it is told, that not all of it is when a hook is left
    /// out, and that the agent then says so. `also` is what the accounts do not
    /// say of the run.
    pub fn is_not_told_without(
        &self,
        hook: &str,
        perform: impl Fn(&mut ActorBox) -> Vec<Value>,
        also: impl Fn(&Trial) -> bool,
    ) {
        let whole = self.trial(None, &perform);
        assert!(whole.joined.is_ok(), "{:?}", whole.joined);
        assert!(also(&whole), "not told even with every hook");
        let trial = self.trial(Some(hook), perform);
        let coverage = at(&trial.run.events[0], "hostnet.health.coverage");
        let rows = coverage.and_then(Value::as_array).expect("the start event tells coverage");
        let row = rows.iter().find(|row| {
            row["hook"].as_str().is_some_and(|point| point.rsplit('/').next() == Some(hook))
        });
        let row = row.unwrap_or_else(|| panic!("coverage does not name {hook}"));
        assert_eq!(row["state"], "disabled", "{row}");
        let complete = at(&trial.run.events[0], "hostnet.health.complete");
        assert_eq!(complete, Some(&Value::Bool(false)));
        let all = trial.joined.is_ok() && also(&trial);
        assert!(!all, "all is told without {hook}: {:?}", trial.joined);
    }

    /// Performs it with the agent on, whatever comes of it.
    pub fn try_out(&self, perform: impl Fn(&mut ActorBox) -> Vec<Value>) -> Trial {
        self.trial(None, perform)
    }

    fn trial(&self, without: Option<&str>, perform: impl Fn(&mut ActorBox) -> Vec<Value>) -> Trial {
        // Nothing then stands in for a hook that is left out.
        let observe = without
            .map_or_else(String::new, |hook| format!("without = [\"{hook}\", \"tcp_v4_connect\"]"));
        let agent = Agent::setup().observe(&observe).start();
        let began = clock_gettime(ClockId::Boottime);
        let began = Duration::new(began.tv_sec as u64, began.tv_nsec as u32);
        let mut actor = self.actor();
        let rows = if self.afterwards {
            agent.asleep(|| perform(&mut actor))
        } else {
            perform(&mut actor)
        };
        let witness = oracle::sockets();
        agent.marker_at(if without == Some("connect4") { "::1" } else { "127.0.0.1" });
        let run = agent.stop();
        let container = actor.into_container();
        let accounts = Accounts {
            container: &container,
            rows: &rows,
            witness: &witness,
            began_ns: began.as_nanos() as i64,
            sees_refusals: run.proves("families"),
        };
        let joined = checker::join(&run, &accounts);
        Trial { run, rows, witness, container, joined }
    }

    fn actor(&self) -> ActorBox {
        let mut launch = Docker::shared().launch(&self.network);
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
