//! The agent under test, as a child process.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    docker::Docker,
    events::{Divert, Event, Stream, near_misses},
    invariants, left, paths, patience,
    run::Run,
    want::{Want, want},
};

/// How an agent is to be run.
pub struct Setup {
    docker_host: String,
    command: Vec<String>,
    all: bool,
    environment: Vec<(String, String)>,
    wrapper: Option<Command>,
    sinks: String,
    history: Option<PathBuf>,
    keep: String,
    observe: String,
    sections: String,
    divert: Option<Divert>,
}

/// An agent that runs.
pub struct Agent {
    child: Child,
    stream: Arc<Stream>,
    readers: Vec<JoinHandle<()>>,
    messages: Arc<Mutex<String>>,
    started: SystemTime,
    kept: bool,
    _directory: TempDir,
}

impl Setup {
    /// Observes host processes too.
    pub fn all(mut self) -> Self {
        self.all = true;
        self
    }

    /// Another Docker address than the shared daemon's.
    pub fn docker_host(mut self, host: &str) -> Self {
        self.docker_host = host.to_owned();
        self
    }

    /// `hostnet watch --json …` instead of the service.
    pub fn watch<const N: usize>(mut self, options: [&str; N]) -> Self {
        self.command = ["watch", "--json"].into_iter().chain(options).map(str::to_owned).collect();
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs it by a command line that ends in the agent's own path; arguments follow.
    pub fn wrapped(mut self, wrapper: Command) -> Self {
        self.wrapper = Some(wrapper);
        self
    }

    /// Runs it without capabilities that root has, such as `-dac_override,-kill`.
    pub fn without_capabilities(self, names: &str) -> Self {
        let mut wrapper = Command::new("setpriv");
        wrapper.args(["--bounding-set", names, "--inh-caps", names]);
        wrapper.arg(paths::hostnet());
        self.wrapped(wrapper)
    }

    /// Further lines of the configuration's `[observe]` section.
    pub fn observe(mut self, lines: &str) -> Self {
        self.observe = lines.to_owned();
        self
    }

    /// Further sections of the configuration.
    pub fn sections(mut self, text: &str) -> Self {
        self.sections = text.to_owned();
        self
    }

    /// Hands every event to `divert` as it comes, and keeps only those it does not
    /// take: a run of a million events is not kept.
    pub fn divert(mut self, divert: impl FnMut(&Value) -> bool + Send + 'static) -> Self {
        self.divert = Some(Divert::Event(Box::new(divert)));
        self
    }

    /// The same with lines as they came, for whoever reads little of each: `divert`
    /// returns the sequence of those it takes.
    pub fn divert_lines(
        mut self,
        divert: impl FnMut(&[u8]) -> Option<u64> + Send + 'static,
    ) -> Self {
        self.divert = Some(Divert::Line(Box::new(divert)));
        self
    }

    /// Writes to a file as well as to standard output.
    pub fn also_to_file(self, path: &Path) -> Self {
        self.sink(&format!("type = \"file\"\npath = \"{}\"\nformat = \"ecs\"", path.display()))
    }

    /// Delivers to another sink, too: the lines of its `[[sink]]`.
    pub fn sink(mut self, lines: &str) -> Self {
        let _ = writeln!(self.sinks, "[[sink]]\n{lines}");
        self
    }

    /// Where its history is; its own directory, which goes with it, when not given.
    pub fn history(mut self, path: &Path) -> Self {
        self.history = Some(path.to_owned());
        self
    }

    /// Further lines of the configuration's `[history]` section.
    pub fn keep(mut self, lines: &str) -> Self {
        self.keep = lines.to_owned();
        self
    }

    /// Returns once the agent says that it observes.
    pub fn start(mut self) -> Agent {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = self.wrapper.take().unwrap_or_else(|| Command::new(paths::hostnet()));
        if self.command.is_empty() {
            let config = directory.path().join("config.toml");
            fs::write(&config, self.config(directory.path())).expect("a config file");
            command.arg("agent").arg("--config").arg(config);
        } else {
            command.args(&self.command);
            if self.all {
                command.arg("--all");
            }
            command.env("DOCKER_HOST", &self.docker_host);
        }
        command
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let agent = Agent::spawn(command, directory, self.divert.take());
        agent.expect(&want().action("agent-started").is("event.dataset", "hostnet.health"));
        agent
    }

    fn config(&self, directory: &Path) -> String {
        let history = self.history.clone().unwrap_or_else(|| directory.join("history.db"));
        let mut text = "[[sink]]\ntype = \"stdout\"\nformat = \"ecs\"\n".to_owned();
        text.push_str(&self.sinks);
        let _ = writeln!(text, "[history]\npath = \"{}\"\n{}", history.display(), self.keep);
        let _ = writeln!(text, "[docker]\nhost = \"{}\"", self.docker_host);
        let _ = writeln!(text, "[observe]\nall = {}\n{}", self.all, self.observe);
        text.push_str(&self.sections);
        text
    }
}

impl Agent {
    /// An agent beside the shared daemon, with nothing special.
    pub fn start() -> Self {
        Self::setup().start()
    }

    pub fn setup() -> Setup {
        Self::setup_beside(Docker::shared().host())
    }

    /// Beside another runtime than the shared daemon, which is then not started.
    pub fn setup_beside(docker_host: &str) -> Setup {
        Setup {
            docker_host: docker_host.to_owned(),
            command: Vec::new(),
            all: false,
            environment: Vec::new(),
            wrapper: None,
            sinks: String::new(),
            history: None,
            keep: String::new(),
            observe: String::new(),
            sections: String::new(),
            divert: None,
        }
    }

    fn spawn(mut command: Command, directory: TempDir, divert: Option<Divert>) -> Self {
        let started = SystemTime::now();
        // SAFETY: prctl is async-signal-safe, and nothing else runs in the child.
        unsafe {
            command.pre_exec(|| {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                Ok(())
            });
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stream = Arc::new(Stream::default());
        let messages = Arc::new(Mutex::new(String::new()));
        let output = child.stdout.take().expect("piped");
        let errors = BufReader::new(child.stderr.take().expect("piped"));
        let (into, text) = (Arc::clone(&stream), Arc::clone(&messages));
        let readers = vec![
            thread::spawn(move || into.read(output, divert)),
            thread::spawn(move || {
                for line in errors.split(b'\n').map_while(Result::ok) {
                    let mut text = text.lock().expect("not poisoned");
                    let _ = writeln!(text, "{}", String::from_utf8_lossy(&line));
                }
            }),
        ];
        Self { child, stream, readers, messages, started, kept: false, _directory: directory }
    }

    /// Leaves nothing for the ECS validator: another run says the same.
    pub fn unkept(mut self) -> Self {
        self.kept = true;
        self
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote on standard error so far.
    pub fn messages(&self) -> String {
        self.messages.lock().expect("not poisoned").clone()
    }

    /// Waits for an event, which may have come already.
    pub fn expect(&self, want: &Want) -> Value {
        self.expect_many(1, want).remove(0)
    }

    /// Waits for `count` events of a kind.
    pub fn expect_many(&self, count: usize, want: &Want) -> Vec<Value> {
        let (mut found, mut seen) = (Vec::new(), 0);
        let found = self.stream.wait(patience(), |events| {
            let new = events[seen..].iter().filter(|event| want.matches(&event.json));
            found.extend(new.map(|event| event.json.clone()));
            seen = events.len();
            (found.len() >= count).then(|| std::mem::take(&mut found))
        });
        found.unwrap_or_else(|| {
            let (events, seen) = (self.stream.all(), self.count(want));
            panic!(
                "{seen} of {count} events came within {:?}; {}standard error:\n{}",
                patience(),
                near_misses(&events, want),
                self.messages()
            )
        })
    }

    /// How many events of a kind have come so far.
    pub fn count(&self, want: &Want) -> usize {
        self.stream.all().iter().filter(|event| want.matches(&event.json)).count()
    }

    /// Does an operation of its own and waits for its event: whatever happened
    /// before has passed the agent, but for what waits for an outcome.
    pub fn marker(&self) {
        self.marker_at("127.0.0.1");
    }

    /// The same by the loopback address of either family.
    pub fn marker_at(&self, loopback: &str) {
        static NEXT: AtomicU16 = AtomicU16::new(20_000);
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut marker = crate::container::marker().lock().expect("no marker failed");
        marker.one(&format!("udp-connect {loopback} {port}"));
        self.expect(
            &want()
                .action("connection_attempted")
                .is("hostnet.remote.port", port)
                .is("container.id", marker.container.id.as_str()),
        );
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the agent runs");
    }

    /// Stops it (SIGSTOP) while something is done.
    pub fn asleep<T>(&self, act: impl FnOnce() -> T) -> T {
        self.signal(Signal::STOP);
        // All its threads have stopped when its parent is told of it.
        let child = WaitId::Pid(Pid::from_child(&self.child));
        waitid(child, WaitIdOptions::STOPPED).expect("the agent is our child");
        let done = act();
        self.signal(Signal::CONT);
        done
    }

    /// Ends the agent, checks what holds for every run, and returns what it wrote.
    pub fn stop(self) -> Run {
        let (run, started) = self.stop_well();
        invariants::check(&run.events, started);
        run
    }

    /// The same where the kernel may skip a program that interrupts itself; how
    /// often it has, as the run says it, by program.
    pub fn stop_with_losses(self) -> (Run, HashMap<String, u64>) {
        let (run, started) = self.stop_well();
        let lost = invariants::check_but_programs(&run.events, started);
        (run, lost)
    }

    fn stop_well(self) -> (Run, SystemTime) {
        let (started, stream) = (self.started, Arc::clone(&self.stream));
        let run = self.stop_with(Signal::TERM);
        assert!(run.status.success(), "the agent ended with {}: {}", run.status, run.messages);
        stream.check_sequence();
        (run, started)
    }

    /// Ends the agent and returns what it wrote, whatever that is.
    pub fn stop_with(mut self, signal: Signal) -> Run {
        self.signal(signal);
        let status = self.wait_for_end();
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        let events = self.stream.all();
        if !self.kept {
            self.keep(&events);
        }
        invariants::check_lines(&events);
        let events = events.into_iter().map(|event| event.json).collect();
        Run { events, messages: self.messages(), status }
    }

    /// Kills it (SIGKILL), and returns once all that it wrote is read.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait_for_end();
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        // What it wrote is checked where an agent ends well.
        self.kept = true;
    }

    fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + patience();
        loop {
            if let Some(status) = self.child.try_wait().expect("the agent is our child") {
                return status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("the agent did not end within {:?}: {}", patience(), self.messages());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Leaves the output where the ECS validator finds it.
    fn keep(&mut self, events: &[Event]) {
        self.kept = true;
        left::keep(events);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.kept {
            let mut events = self.stream.all();
            // The line it was writing when it was killed is nobody's event.
            events.pop_if(|last| last.json.is_null());
            self.keep(&events);
        }
    }
}
