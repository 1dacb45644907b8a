//! Driving `actor repl`, in a container or on the host.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{net, paths::program, patience};

/// Longest operation: a connect that times out, on a busy machine.
fn longest() -> Duration {
    3 * patience()
}

/// An actor that does what it is told, when it is told.
pub struct Actor {
    orders: Option<Box<dyn Write + Send>>,
    truths: Receiver<Value>,
    child: Option<Child>,
}

impl Actor {
    /// An actor as a process of the host.
    pub fn on_host() -> Self {
        let mut command = Command::new(program("actor"));
        command.arg("repl");
        Self::started(command)
    }

    /// An actor that is the given command, which ends in `actor repl`.
    pub fn started(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let orders = child.stdin.take().expect("piped");
        let truths = child.stdout.take().expect("piped");
        Self::connected(orders, truths, Some(child))
    }

    /// An actor that reads and writes the named pipes `in` and `out` of a directory.
    pub fn by_pipes(directory: &Path) -> Self {
        let open = |name: &str| {
            let file = File::options().read(true).write(true).open(directory.join(name));
            file.expect("a named pipe opens for both at once")
        };
        Self::connected(open("in"), open("out"), None)
    }

    fn connected(
        orders: impl Write + Send + 'static,
        truths: impl Read + Send + 'static,
        child: Option<Child>,
    ) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(truths).lines().map_while(Result::ok) {
                let truth = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(truth).is_err() {
                    break;
                }
            }
        });
        let mut actor = Self { orders: Some(Box::new(orders)), truths: receiver, child };
        let ready = actor.told();
        assert_eq!(ready["op"], "ready", "{ready}");
        actor
    }

    /// A process of the host whose listener has no room until the test says otherwise:
    /// its port, and the connection that fills it.
    pub fn busy_server() -> (Self, u64, TcpStream) {
        let mut server = Self::on_host();
        let listening = server.one("listen 127.0.0.1 0 --backlog 0");
        let port = listening["local"]["port"].as_u64().expect("a port");
        let filling = TcpStream::connect(("127.0.0.1", port as u16)).expect("room for one");
        (server, port, filling)
    }

    /// Does one subcommand and returns its account of it.
    pub fn perform(&mut self, words: &str) -> Vec<Value> {
        self.begin(words);
        self.finish()
    }

    /// Does one subcommand that is one operation.
    pub fn one(&mut self, words: &str) -> Value {
        let mut truths = self.perform(words);
        assert_eq!(truths.len(), 1, "{words}: {truths:?}");
        truths.remove(0)
    }

    /// Connects to where nobody listens; returns that port.
    pub fn connect_refused(&mut self) -> u16 {
        let port = net::closed_port();
        self.one(&format!("tcp-connect 127.0.0.1 {port}"));
        port
    }

    /// Starts a subcommand; its account comes with [`Self::told`] and [`Self::finish`].
    pub fn begin(&mut self, words: &str) {
        let orders = self.orders.as_mut().expect("open until dropped");
        writeln!(orders, "{words}").and_then(|()| orders.flush()).expect("the actor runs");
    }

    /// The next operation the actor has done.
    pub fn told(&mut self) -> Value {
        match self.truths.recv_timeout(longest()) {
            Ok(truth) => truth,
            Err(RecvTimeoutError::Timeout) => panic!("the actor said nothing for {:?}", longest()),
            Err(RecvTimeoutError::Disconnected) => panic!("the actor has ended"),
        }
    }

    /// What the subcommand still has to tell.
    pub fn finish(&mut self) -> Vec<Value> {
        let mut truths = Vec::new();
        loop {
            let truth = self.told();
            if truth["op"] == "done" {
                return truths;
            }
            truths.push(truth);
        }
    }

    /// Process id on the host, of an actor that was started there.
    pub fn host_pid(&self) -> u32 {
        self.child.as_ref().expect("started by the test").id()
    }

    /// Ends the actor by ending its input.
    pub fn end(mut self) {
        self.close();
    }

    fn close(&mut self) {
        self.orders = None;
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // A test that failed in the middle of a subcommand must not wait for it.
        if thread::panicking()
            && let Some(child) = &mut self.child
        {
            let _ = child.kill();
        }
        self.close();
    }
}
