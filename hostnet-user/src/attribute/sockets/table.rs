//! What is going on with each socket, so that several records of it become one
//! operation: a bind with its result, a connect with its outcome, a close with
//! the process that opened.
//!
//! Keyed by socket cookie, which is never reused. It knows nothing of
//! containers: owners and processes are handed in and handed back.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use hostnet_abi::{FlowKey, Header, Hook, Record, flow};
use uuid::Uuid;

use super::act::Act;
use crate::{
    attribute::party::Party,
    event::{
        Accept, Direction, Owner, Peer, Process, Socket, canonical, from_socket_addr,
        shares::{Fill, SharedMap},
    },
};

/// How long a connect waits for its outcome, and a connection for the process
/// that takes it, before it is told without.
pub const PATIENCE_NS: u64 = 1_000_000_000;

/// How long a bind waits for its success before it counts as failed. Binding
/// is done in one go by one thread, so this is needed only when that thread
/// does nothing else that is told.
pub const BIND_PATIENCE_NS: u64 = 100_000_000;

/// Most sockets tracked. One owner has at most half of them; more of its sockets are reported
/// without their history.
const MOST: usize = 1 << 19;

/// A bind that was asked for.
#[derive(Clone, Debug)]
pub struct PendingBind {
    pub act: Act,
    pub requested: SocketAddr,
}

/// A TCP connect without an outcome yet, or a UDP one without a datagram.
#[derive(Clone, Debug)]
pub struct PendingConnect {
    pub boot_ns: u64,
    pub hook: Hook,
    pub remote: SocketAddr,
    /// Set when it was told as unknown.
    pub told: Option<Uuid>,
    /// The attempt was made before the agent could see it.
    pub is_older: bool,
}

impl PendingConnect {
    /// One that was seen at `boot_ns` and is not told yet.
    #[must_use]
    pub const fn new(boot_ns: u64, hook: Hook, remote: SocketAddr) -> Self {
        Self { boot_ns, hook, remote, told: None, is_older: false }
    }
}

/// A connection that no process has taken yet.
#[derive(Clone, Debug)]
pub struct PendingAccept {
    pub boot_ns: u64,
    pub hook: Hook,
    pub accept: Accept,
    pub peer: Option<Box<Peer>>,
}

/// A socket in use.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub party: Party,
    pub socket: Socket,
    /// First operation, or the moment the connection was established; `None`
    /// when that was before the agent.
    pub since_ns: Option<u64>,
    pub direction: Option<Direction>,
    /// Boxed, like the next: few of many sockets wait.
    pub connect: Option<Box<PendingConnect>>,
    pub accept: Option<Box<PendingAccept>>,
    /// The default peer of a connected UDP socket.
    pub peer: Option<SocketAddr>,
    /// Peers of an unconnected UDP socket, in the order they were told.
    pub flows: Vec<SocketAddr>,
}

impl Tracked {
    /// Whether something that began to wait with this deadline, or earlier, is not told.
    fn waits(&self, deadline: u64) -> bool {
        // A later connect of the same socket has a deadline of its own.
        let connects = self.connect.as_ref().is_some_and(|connect| {
            connect.told.is_none() && connect.boot_ns.saturating_add(PATIENCE_NS) <= deadline
        });
        connects || self.accept.is_some()
    }

    /// Notes a peer that the kernel counts apart, once. Programs on several processors may
    /// each have got one in more than is due, never as many again.
    pub fn note_flow(&mut self, remote: SocketAddr) {
        if self.flows.len() < 2 * flow::MOST as usize && !self.flows.contains(&remote) {
            self.flows.push(remote);
        }
    }
}

/// The key of a socket's flow in the kernel's map.
pub fn flow_key(cookie: u64, remote: SocketAddr) -> FlowKey {
    let (address, port) = from_socket_addr(remote);
    FlowKey { cookie, remote: address, remote_port: port.into() }
}

/// The table.
#[derive(Debug)]
pub struct SocketTable {
    sockets: SharedMap<u64, Tracked>,
    binds: HashMap<u32, PendingBind>,
    deadlines: VecDeque<(u64, u64)>,
    /// Sockets beyond IP that were told as existing at start. Their end is not seen.
    older_beyond_ip: HashSet<u64>,
    /// Listeners from before the agent, by port: their accepts do not name them.
    older: HashMap<u16, Vec<(SocketAddr, u64)>>,
    start: Start,
}

/// Until the sockets that existed at start are told.
#[derive(Debug)]
enum Start {
    Under(Begun),
    Over,
}

/// What records have told before that.
#[derive(Debug, Default)]
pub struct Begun {
    /// Sockets that something was told of.
    pub told: HashSet<u64>,
    /// The ends of others: their beginning is told first.
    pub ends: Vec<(Header, Hook, Record)>,
}

impl Default for Start {
    fn default() -> Self {
        Self::Under(Begun::default())
    }
}

impl Default for SocketTable {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl SocketTable {
    /// An empty one with room for so many sockets.
    #[must_use]
    pub fn of(capacity: usize) -> Self {
        Self {
            sockets: SharedMap::of(capacity),
            binds: HashMap::new(),
            deadlines: VecDeque::new(),
            older_beyond_ip: HashSet::new(),
            older: HashMap::new(),
            start: Start::default(),
        }
    }

    /// How full it is.
    pub const fn fill(&self) -> Fill {
        self.sockets.fill()
    }

    /// Whether sockets of an owner are not tracked because it has too many.
    pub fn has_refused(&self, owner: &Owner) -> bool {
        self.sockets.has_refused(owner)
    }

    /// The socket with this cookie.
    #[must_use]
    pub fn get(&self, cookie: u64) -> Option<&Tracked> {
        self.sockets.get(&cookie)
    }

    /// The socket, tracked from now on if it was not; `None` when its owner has as many as
    /// it may.
    pub fn track(&mut self, party: &Party, socket: Socket, boot_ns: u64) -> Option<&mut Tracked> {
        if self.sockets.get(&socket.cookie).is_none() {
            let tracked = Tracked {
                party: party.clone(),
                socket,
                since_ns: Some(boot_ns),
                direction: None,
                connect: None,
                accept: None,
                peer: None,
                flows: Vec::new(),
            };
            self.sockets.insert(&party.owner, socket.cookie, tracked).ok()?;
        }
        self.sockets.get_mut(&socket.cookie)
    }

    /// A socket from before the agent is tracked, a listener with where it listens.
    pub fn track_older(
        &mut self,
        party: &Party,
        socket: Socket,
        listens_on: Option<SocketAddr>,
    ) -> Option<&mut Tracked> {
        if let Some(local) = listens_on {
            self.older.entry(local.port()).or_default().push((local, socket.cookie));
        }
        let tracked = self.track(party, socket, 0)?;
        tracked.since_ns = None;
        Some(tracked)
    }

    /// A socket beyond IP from before the agent was told.
    pub fn note_older(&mut self, cookie: u64) {
        self.older_beyond_ip.insert(cookie);
    }

    /// Whether a socket beyond IP was told as existing at start.
    #[must_use]
    pub fn is_known_older(&self, cookie: u64) -> bool {
        self.older_beyond_ip.contains(&cookie)
    }

    /// The process behind the listener from before the agent that `local` came in
    /// through, among those of `owner`; `None` when several could be it.
    #[must_use]
    pub fn older_listener(&self, local: SocketAddr, owner: &Owner) -> Option<Arc<Process>> {
        let mut processes = self
            .older
            .get(&local.port())?
            .iter()
            .filter(|(listener, _)| reaches(*listener, local))
            .filter_map(|(_, cookie)| self.sockets.get(cookie))
            .filter(|tracked| tracked.party.owner.container_id == owner.container_id)
            .map(|tracked| tracked.party.process.as_ref());
        let process = processes.next()??;
        let is_it = |other: Option<&Arc<Process>>| other.is_some_and(|one| one.pid == process.pid);
        processes.all(is_it).then(|| Arc::clone(process))
    }

    /// Whose the listener from before the agent is that `local` came in through, when that
    /// follows from its process and its cgroup would tell another; `None` when several
    /// could be it.
    #[must_use]
    pub fn older_stray(&self, local: SocketAddr) -> Option<Party> {
        let listeners = self.older.get(&local.port())?;
        let reached = listeners.iter().filter(|(listener, _)| reaches(*listener, local));
        let mut parties = reached.filter_map(|(_, cookie)| Some(&self.sockets.get(cookie)?.party));
        let first = parties.next().filter(|party| party.owner.is_by_process())?;
        parties.all(|other| other.owner.is_same(&first.owner)).then(|| first.clone())
    }

    /// A record has told of this socket.
    pub fn mention(&mut self, cookie: u64) {
        if let Start::Under(begun) = &mut self.start {
            begun.told.insert(cookie);
        }
    }

    /// Whether the end of a socket waits until its beginning is told.
    pub fn must_wait(&mut self, header: &Header, hook: Hook, end: Record) -> bool {
        match &mut self.start {
            Start::Under(begun) if !begun.told.contains(&header.cookie) => {
                begun.ends.push((*header, hook, end));
                true
            }
            Start::Under(_) | Start::Over => false,
        }
    }

    /// The sockets that existed at start are told now, but for those that
    /// records have told of.
    pub fn end_of_start(&mut self) -> Begun {
        match std::mem::replace(&mut self.start, Start::Over) {
            Start::Under(begun) => begun,
            Start::Over => Begun::default(),
        }
    }

    /// The socket is gone.
    pub fn remove(&mut self, cookie: u64) -> Option<Tracked> {
        self.sockets.remove(&cookie)
    }

    /// The sockets tracked.
    #[must_use]
    pub fn cookies(&self) -> Vec<u64> {
        self.sockets.keys().copied().collect()
    }

    /// The socket, to be changed.
    pub fn get_mut(&mut self, cookie: u64) -> Option<&mut Tracked> {
        self.sockets.get_mut(&cookie)
    }

    /// A thread asked for a bind.
    pub fn ask_bind(&mut self, thread: u32, bind: PendingBind) {
        self.binds.insert(thread, bind);
    }

    /// The bind a thread asked for: it has done something else since, or this.
    pub fn take_bind(&mut self, thread: u32) -> Option<PendingBind> {
        // Most records find nothing here.
        if self.binds.is_empty() { None } else { self.binds.remove(&thread) }
    }

    /// A connect waits for its outcome from now on. Returns the one before it
    /// on the same socket that never got one: it failed without leaving CLOSE,
    /// for otherwise the kernel would not have taken a second.
    ///
    /// # Errors
    /// The connect, when the socket is not tracked: nothing waits for its outcome.
    pub fn ask_connect(
        &mut self,
        party: &Party,
        socket: Socket,
        connect: PendingConnect,
    ) -> Result<Option<PendingConnect>, PendingConnect> {
        let boot_ns = connect.boot_ns;
        let Some(tracked) = self.track(party, socket, boot_ns) else { return Err(connect) };
        let before = tracked.connect.replace(Box::new(connect));
        tracked.party = party.clone();
        self.wait(socket.cookie, boot_ns);
        Ok(before.map(|before| *before))
    }

    /// Something of this socket waits from `boot_ns` on.
    pub fn wait(&mut self, cookie: u64, boot_ns: u64) {
        self.deadlines.push_back((boot_ns.saturating_add(PATIENCE_NS), cookie));
    }

    /// The oldest record of which something is still to be told, by its time.
    pub fn waits_since(&mut self) -> Option<u64> {
        while let Some((deadline, cookie)) = self.deadlines.front()
            && !self.sockets.get(cookie).is_some_and(|tracked| tracked.waits(*deadline))
        {
            self.deadlines.pop_front();
        }
        let first = self.deadlines.front().map(|(deadline, _)| deadline - PATIENCE_NS);
        let binds = self.binds.values().map(|bind| bind.act.at);
        let ends = match &self.start {
            Start::Under(begun) => begun.ends.as_slice(),
            Start::Over => &[],
        };
        let ends = ends.iter().map(|(header, ..)| header.boot_ns);
        first.into_iter().chain(binds).chain(ends).min()
    }

    /// Sockets whose connect or accept has waited long enough at `boot_ns` and was not told.
    pub fn overdue(&mut self, boot_ns: u64) -> Vec<u64> {
        let mut overdue = Vec::new();
        while let Some(&(deadline, cookie)) = self.deadlines.front()
            && deadline <= boot_ns
        {
            self.deadlines.pop_front();
            if self.sockets.get(&cookie).is_some_and(|tracked| tracked.waits(deadline)) {
                overdue.push(cookie);
            }
        }
        overdue
    }

    /// Binds that have waited long enough at `boot_ns`.
    pub fn overdue_binds(&mut self, boot_ns: u64) -> Vec<PendingBind> {
        let overdue = |bind: &PendingBind| bind.act.at.saturating_add(BIND_PATIENCE_NS) <= boot_ns;
        let threads: Vec<u32> = self
            .binds
            .iter()
            .filter(|(_, bind)| overdue(bind))
            .map(|(thread, _)| *thread)
            .collect();
        threads.iter().filter_map(|thread| self.binds.remove(thread)).collect()
    }
}

/// Whether what arrives at `end` arrives at this listener.
pub fn reaches(listener: SocketAddr, end: SocketAddr) -> bool {
    let (listener, end) = (canonical(listener), canonical(end));
    listener.port() == end.port() && (listener.ip() == end.ip() || listener.ip().is_unspecified())
}
