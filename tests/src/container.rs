//! Real containers.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::Stdio,
};

use crate::{actor::Actor, docker::Docker, image::IMAGE};

/// A container that is being described.
pub struct Launch {
    docker: Docker,
    name: String,
    options: Vec<String>,
}

/// A container that runs; removed when dropped.
pub struct Container {
    docker: Docker,
    /// Full id.
    pub id: String,
    /// Name, without a slash.
    pub name: String,
    /// Process id of its first process, on the host.
    pub pid: u32,
}

/// A container whose first process is an actor.
pub struct ActorBox {
    actor: Actor,
    /// The container around it.
    pub container: Container,
}

impl Launch {
    pub(crate) fn new(docker: Docker, network: &str) -> Self {
        let label = Docker::label();
        let options = ["--network", network, "--label", &label, "--stop-timeout=1"];
        let name = Docker::fresh_name("box");
        Self { docker, name, options: options.map(str::to_owned).to_vec() }
    }

    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Options of `docker run`.
    pub fn options<const N: usize>(mut self, options: [&str; N]) -> Self {
        self.options.extend(options.map(str::to_owned));
        self
    }

    /// Starts it in the background with a command.
    pub fn start<const N: usize>(self, command: [&str; N]) -> Container {
        let mut words = vec!["run", "--detach", "--name", &self.name];
        words.extend(self.options.iter().map(String::as_str));
        words.push(IMAGE);
        words.extend(command);
        let id = self.docker.run(words);
        let pid = self.docker.run(["inspect", "--format", "{{.State.Pid}}", &id]);
        let pid = pid.parse().expect("a process id");
        Container { docker: self.docker, id, name: self.name, pid }
    }

    /// Starts it with an actor as its first process.
    pub fn actor(self) -> ActorBox {
        self.actor_by(&["/actor", "repl"])
    }

    /// Starts it with an actor that is another executable file.
    pub fn actor_at(self, path: &str) -> ActorBox {
        let script = format!("cat /actor >{path}; chmod 755 {path}; exec {path} repl");
        self.actor_by(&["sh", "-c", &script])
    }

    fn actor_by(self, words: &[&str]) -> ActorBox {
        let mut command = self.docker.command();
        command
            .args(["run", "--rm", "--interactive", "--name", &self.name])
            .args(&self.options)
            .arg(IMAGE)
            .args(words);
        let actor = Actor::started(command);
        let format = "{{.Id}} {{.State.Pid}}";
        let facts = self.docker.run(["inspect", "--format", format, &self.name]);
        let (id, pid) = facts.split_once(' ').expect("two words");
        let pid = pid.parse().expect("a process id");
        let container = Container { docker: self.docker, id: id.to_owned(), name: self.name, pid };
        ActorBox { actor, container }
    }

    /// Starts it with an actor that is told what to do through named pipes in
    /// `directory`, so that it goes on without a Docker daemon.
    pub fn actor_by_pipes(self, directory: &Path) -> ActorBox {
        for name in ["in", "out"] {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let node = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, directory.join(name), node, mode, 0)
                .expect("a named pipe");
        }
        let volume = format!("{}:/pipes", directory.display());
        let command = ["sh", "-c", "exec /actor repl <>/pipes/in >/pipes/out"];
        let container = self.options(["--volume", &volume]).start(command);
        ActorBox { actor: Actor::by_pipes(directory), container }
    }

    /// Runs it with a command to its end, removes it, and returns its output.
    pub fn to_end<const N: usize>(self, command: [&str; N]) -> String {
        let mut words = vec!["run", "--rm", "--name", &self.name];
        words.extend(self.options.iter().map(String::as_str));
        words.push(IMAGE);
        words.extend(command);
        self.docker.run(words)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self
            .docker
            .command()
            .args(["rm", "--force", &self.id])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

impl Deref for ActorBox {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl DerefMut for ActorBox {
    fn deref_mut(&mut self) -> &mut Actor {
        &mut self.actor
    }
}
