//! What is told of a runtime and its containers, and what is asked next, by what came in. No
//! I/O and no clock: the adapter brings both.

use std::time::Instant;

use super::{
    client::is_refusal,
    inspections::{Answer, Inspections},
    labels::LabelLimits,
    words::{Happening, List},
};
use crate::{
    attribute::RuntimeNews,
    event::{Container, UserNames},
};

/// The runtime that answers.
#[derive(Default)]
pub struct Answering {
    /// `docker` or `podman`.
    pub kind: &'static str,
    pub endpoint: String,
    pub version: String,
}

/// What comes in.
pub enum Input {
    /// A container is new, different or gone.
    Happened(Happening),
    /// The stream of events ended; whether it had been working.
    Broken {
        lasted: bool,
    },
    /// Somebody waits for the name of this container.
    Wanted(String),
    /// It is time for a list.
    Tick,
    Reply(Reply),
}

/// What came back from the runtime.
pub enum Reply {
    /// The list, and when it was asked for.
    List(Instant, List),
    /// It answers, but not with a list that we can read.
    NoList(String),
    /// It does not answer.
    Silence(String),
    /// And why it failed.
    Inspect(String, Answer, Option<String>),
    /// What a container calls its users.
    Users(String, UserNames),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Tell(RuntimeNews),
    Warn(String),
    /// Ask for the list.
    List,
    /// The next tick is due.
    ListSoon,
    Inspect(String),
    /// Ask a container's first process, which is in this mount namespace, for its users.
    Users {
        id: String,
        pid: u32,
        namespace: u32,
    },
    /// The runtime does not answer: connect anew.
    End,
}

#[derive(Default)]
pub struct Follower {
    runtime: Answering,
    /// The last word on whether the runtime answers.
    told: Option<RuntimeNews>,
    /// What was said last of a list, and of an inspect.
    no_list: String,
    no_inspect: String,
    /// A list is being asked for.
    is_listing: bool,
    inspections: Inspections,
    labels: LabelLimits,
    actions: Vec<Action>,
}

impl Follower {
    pub fn new(labels: LabelLimits) -> Self {
        Self { labels, ..Self::default() }
    }

    /// A new connection.
    pub fn begin(&mut self, runtime: Answering) {
        (self.runtime, self.is_listing) = (runtime, false);
        self.inspections.begin();
    }

    /// Whether a list is on its way, so that no other is due.
    pub const fn is_listing(&self) -> bool {
        self.is_listing
    }

    /// Nobody answers there; told once.
    pub fn unreachable(&mut self, endpoint: String, reason: String) -> Option<RuntimeNews> {
        if matches!(self.told, Some(RuntimeNews::Unreachable { .. })) {
            return None;
        }
        self.told = Some(RuntimeNews::Unreachable { endpoint, reason });
        self.told.clone()
    }

    /// Takes in what came, and says what is to be done.
    pub fn on(&mut self, input: Input, now: Instant) -> Vec<Action> {
        match input {
            Input::Happened(Happening::Changed(sketch)) => {
                let news = self.inspections.changed(sketch, now);
                self.tell(news);
            }
            Input::Happened(Happening::Removed(id)) => {
                let news = self.inspections.removed(id);
                self.tell(news);
            }
            Input::Broken { lasted } => {
                // A stream that never works is no news; the list has to do.
                if lasted {
                    self.inspections.doubt();
                }
                self.actions.push(Action::ListSoon);
            }
            Input::Wanted(id) => self.inspections.wanted(&id, now),
            Input::Tick => {
                self.is_listing = true;
                self.actions.push(Action::List);
            }
            Input::Reply(reply) => self.replied(reply, now),
        }
        let next = std::iter::from_fn(|| self.inspections.next());
        self.actions.extend(next.map(Action::Inspect));
        std::mem::take(&mut self.actions)
    }

    fn replied(&mut self, reply: Reply, now: Instant) {
        match reply {
            Reply::List(asked, list) => self.listed(list, asked),
            Reply::NoList(reason) => self.not_listed(reason),
            Reply::Silence(reason) => {
                let news = self.unreachable(self.runtime.endpoint.clone(), reason);
                self.tell(news);
                self.actions.push(Action::End);
            }
            Reply::Inspect(id, answer, reason) => {
                if let Some(reason) = reason {
                    self.warn_of_inspect(&id, reason);
                }
                if let Answer::Found { container, .. } = &answer {
                    self.ask_users(container);
                }
                let news = self.inspections.answered(id, answer, now);
                self.tell(news);
            }
            Reply::Users(id, users) => self.tell([RuntimeNews::Users { id, users }]),
        }
    }

    fn listed(&mut self, list: List, asked: Instant) {
        self.is_listing = false;
        if list.is_cut || list.strange > 0 {
            let kept = list.containers.len();
            let why = if list.is_cut { "there are more" } else { "others cannot be read" };
            self.warn_of_list(format!(
                "the list of containers is not complete: only {kept} of them are known, {why}"
            ));
        }
        let news = self.inspections.listed(list, self.runtime.kind, asked);
        // Names first: whoever waits for the runtime waits for them.
        self.tell(news);
        let Answering { endpoint, version, .. } = &self.runtime;
        let (endpoint, version) = (endpoint.clone(), version.clone());
        let reachable = RuntimeNews::Reachable { endpoint, version };
        if self.told.as_ref() != Some(&reachable) {
            self.told = Some(reachable.clone());
            self.tell([reachable]);
        }
    }

    fn not_listed(&mut self, reason: String) {
        self.is_listing = false;
        // One strange container is enough. The events still work.
        if !matches!(self.told, Some(RuntimeNews::Reachable { .. })) {
            let news = self.unreachable(self.runtime.endpoint.clone(), reason.clone());
            self.tell(news);
        }
        let who = self.runtime.version.split(' ').next().unwrap_or("the runtime");
        let did = if is_refusal(&reason) { "refused" } else { "did not send" };
        self.warn_of_list(format!("{who} {did} the list of containers: {reason}"));
    }

    /// A container that is known must not wait for what it claims.
    fn ask_users(&mut self, container: &Container) {
        if container.pid != 0 {
            let (id, pid) = (container.id.clone(), container.pid);
            self.actions.push(Action::Users { id, pid, namespace: container.mount_namespace });
        }
    }

    fn tell(&mut self, news: impl IntoIterator<Item = RuntimeNews>) {
        for mut news in news {
            if let RuntimeNews::Container(container) = &mut news {
                self.labels.apply(container);
            }
            self.actions.push(Action::Tell(news));
        }
    }

    fn warn_of_list(&mut self, warning: String) {
        if warning != self.no_list {
            self.actions.push(Action::Warn(warning.clone()));
            self.no_list = warning;
        }
    }

    fn warn_of_inspect(&mut self, id: &str, reason: String) {
        if reason != self.no_inspect {
            let warning = format!("could not inspect a container, {id}: {reason}");
            self.actions.push(Action::Warn(warning));
            self.no_inspect = reason;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "unix:///run/docker.sock";

    fn begun() -> Follower {
        let mut follower = Follower::default();
        let (endpoint, version) = (ENDPOINT.to_owned(), "Docker 29".to_owned());
        follower.begin(Answering { kind: "docker", endpoint, version });
        follower
    }

    fn container() -> Box<Container> {
        Box::new(Container { id: "ab".repeat(32), pid: 7, ..Container::default() })
    }

    fn reachable() -> Action {
        let (endpoint, version) = (ENDPOINT.to_owned(), "Docker 29".to_owned());
        Action::Tell(RuntimeNews::Reachable { endpoint, version })
    }

    fn unreachable(reason: &str) -> Action {
        let (endpoint, reason) = (ENDPOINT.to_owned(), reason.to_owned());
        Action::Tell(RuntimeNews::Unreachable { endpoint, reason })
    }

    #[test]
    fn one_list_at_a_time_is_asked_for_and_the_runtime_is_reachable_once() {
        let (mut follower, now) = (begun(), Instant::now());
        assert_eq!(follower.on(Input::Tick, now), [Action::List]);
        assert!(follower.is_listing());
        let list = || Input::Reply(Reply::List(now, List::default()));
        assert_eq!(follower.on(list(), now), [reachable()]);
        assert!(!follower.is_listing());
        assert_eq!(follower.on(list(), now), []);
    }

    #[test]
    fn a_container_of_an_event_is_told_inspected_and_asked_for_its_users() {
        let (mut follower, now) = (begun(), Instant::now());
        let id = container().id;
        let changed = Input::Happened(Happening::Changed(container()));
        let told = || Action::Tell(RuntimeNews::Container(container()));
        assert_eq!(follower.on(changed, now), [told(), Action::Inspect(id.clone())]);
        let found = Answer::Found { container: container(), state: "running".to_owned() };
        let users = Action::Users { id: id.clone(), pid: 7, namespace: 0 };
        let reply = Input::Reply(Reply::Inspect(id, found, None));
        assert_eq!(follower.on(reply, now), [users, told()]);
    }

    #[test]
    fn a_list_that_is_refused_is_no_silence_once_the_runtime_was_reachable() {
        let (mut follower, now) = (begun(), Instant::now());
        let refused = || Input::Reply(Reply::NoList("no".to_owned()));
        let warning = || Action::Warn("Docker refused the list of containers: no".to_owned());
        assert_eq!(follower.on(refused(), now), [unreachable("no"), warning()]);
        assert_eq!(follower.on(refused(), now), [], "told once");
        follower.on(Input::Reply(Reply::List(now, List::default())), now);
        let other = Input::Reply(Reply::NoList("never".to_owned()));
        assert!(matches!(&follower.on(other, now)[..], [Action::Warn(_)]));
    }

    #[test]
    fn silence_ends_the_session_and_an_end_of_events_asks_for_a_list() {
        let (mut follower, now) = (begun(), Instant::now());
        assert_eq!(follower.on(Input::Broken { lasted: true }, now), [Action::ListSoon]);
        let silence = Input::Reply(Reply::Silence("late".to_owned()));
        assert_eq!(follower.on(silence, now), [unreachable("late"), Action::End]);
        assert_eq!(follower.unreachable(ENDPOINT.to_owned(), "again".to_owned()), None);
    }
}
