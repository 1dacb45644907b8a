//! Real containers.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::Stdio,
    sync::{Mutex, OnceLock},
};

use crate::{actor::Actor, bare::Bare, docker::Docker, image::IMAGE};

/// A container that is being described.
pub struct Launch {
    docker: Docker,
    network: String,
    name: String,
    image: String,
    options: Vec<String>,
}

/// A container that runs; removed when dropped.
pub struct Container {
    runtime: Runtime,
    /// Full id.
    pub id: String,
    /// Name, without a slash.
    pub name: String,
    /// Process id of its first process, on the host.
    pub pid: u32,
    /// Its image with a tag.
    pub(crate) image: String,
}

/// Who runs a container.
enum Runtime {
    Docker(Docker),
    Bare(Bare),
}

/// A container whose first process is an actor.
pub struct ActorBox {
    actor: Actor,
    /// The container around it.
    pub container: Container,
}

/// A host-network container that lives as long as the test program, for operations that
/// only mark a moment.
pub fn marker() -> &'static Mutex<ActorBox> {
    static MARKER: OnceLock<Mutex<ActorBox>> = OnceLock::new();
    MARKER.get_or_init(|| Mutex::new(Docker::shared().launch("host").actor()))
}

impl Docker {
    /// A container on `network`, to be described and started.
    pub fn launch(&self, network: &str) -> Launch {
        let name = Self::fresh_name("box");
        let (network, image) = (network.to_owned(), IMAGE.to_owned());
        Launch { docker: self.clone(), network, name, image, options: Vec::new() }
    }
}

impl Launch {
    /// Of another image than the tests' own.
    pub fn image(mut self, image: &str) -> Self {
        self.image = image.to_owned();
        self
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
        if self.docker.is_bare() {
            let bare = Bare::start(&self.network, &self.options, &command);
            return self.bare(bare);
        }
        let id = self.docker.run(self.words(&["--detach"], &command));
        let pid = self.docker.run(["inspect", "--format", "{{.State.Pid}}", &id]);
        let pid = pid.parse().expect("a process id");
        let (runtime, image) = (Runtime::Docker(self.docker), self.image);
        Container { runtime, id, name: self.name, pid, image }
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
        if self.docker.is_bare() {
            let (actor, bare) = Bare::actor(&self.network, &self.options, words);
            return ActorBox { actor, container: self.bare(bare) };
        }
        let mut command = self.docker.command();
        command.args(self.words(&["--rm", "--interactive"], words));
        let actor = Actor::started(command);
        let format = "{{.Id}} {{.State.Pid}}";
        let facts = self.docker.run(["inspect", "--format", format, &self.name]);
        let (id, pid) = facts.split_once(' ').expect("two words");
        let pid = pid.parse().expect("a process id");
        let (runtime, id, image) = (Runtime::Docker(self.docker), id.to_owned(), self.image);
        let container = Container { runtime, id, name: self.name, pid, image };
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
        if self.docker.is_bare() {
            return Bare::to_end(&self.network, &self.options, &command);
        }
        self.docker.run(self.words(&["--rm"], &command))
    }

    /// The arguments of `docker`.
    fn words(&self, how: &[&str], command: &[&str]) -> Vec<String> {
        let label = Docker::label();
        let ours = ["--network", &self.network, "--label", &label, "--stop-timeout=1"];
        let mut words = vec!["run", "--name", &self.name];
        words.extend(how.iter().chain(&ours));
        words.extend(self.options.iter().map(String::as_str));
        words.push(&self.image);
        words.extend(command);
        words.into_iter().map(str::to_owned).collect()
    }

    fn bare(self, mut bare: Bare) -> Container {
        let (id, pid) = (bare.id.clone(), bare.pid());
        Container { runtime: Runtime::Bare(bare), id, name: self.name, pid, image: self.image }
    }
}

impl Container {
    /// Whether only the kernel knows it: hostnet can tell its id, not its name.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.runtime, Runtime::Bare(_))
    }

    /// Runs another command in it to its end and returns its output.
    pub fn exec<const N: usize>(&self, command: [&str; N]) -> String {
        match &self.runtime {
            Runtime::Docker(docker) => docker.run(["exec", &self.id].into_iter().chain(command)),
            Runtime::Bare(bare) => bare.exec(&command),
        }
    }
}

impl ActorBox {
    /// The container, its actor ended.
    pub fn into_container(self) -> Container {
        self.actor.end();
        self.container
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let Runtime::Docker(docker) = &self.runtime else { return };
        let _ = docker
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
