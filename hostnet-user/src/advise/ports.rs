//! Where a container listens, who came there, and what Docker would have to publish.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use serde::Serialize;

use crate::{
    event::{Bind, Direction, Event, Operation, Outcome, Owner, Scope, canonical},
    judge::Offer,
};

/// Most listeners kept; of more, only how many.
const MOST: usize = 4096;
/// Where ports begin that the kernel chooses (`ip_local_port_range`).
const CHOSEN_FROM: u16 = 32768;

const TCP: u32 = 6;
const UDP: u32 = 17;
const SCTP: u32 = 132;

/// Where it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    transport: u32,
    port: u16,
    ip: IpAddr,
}

impl Place {
    const fn of(transport: u32, local: SocketAddr) -> Self {
        Self { transport, port: local.port(), ip: local.ip() }
    }
}

/// One listener, or several in turn at the same place.
#[derive(Clone, Debug, Default)]
struct Use {
    by_others: u64,
    by_itself: u64,
    chosen_by_kernel: bool,
    /// It was not seen to listen: somebody came.
    is_inferred: bool,
    shared_with: Option<String>,
    last_ns: u64,
}

/// The listeners of one container.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    all: BTreeMap<Place, Use>,
    /// Where the kernel chose the port, of the last sockets.
    chosen: VecDeque<Place>,
    beyond: u64,
}

/// One line of advice on a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Where it listens; the port's end for several in a row.
    pub ip: IpAddr,
    /// The first port.
    pub port: u16,
    /// The last port, itself for one alone.
    pub to: u16,
    /// `tcp`, `udp`, `sctp`, or the protocol's number.
    pub transport: String,
    /// How many others came: connections, and peers of UDP.
    pub by_others: u64,
    /// How often it came to itself.
    pub by_itself: u64,
    /// When something came last: UTC nanoseconds since 1970, 0 for never.
    pub last_ns: u64,
    /// What Docker has to do.
    pub publish: Publish,
}

/// Whether a port has to be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "publish", content = "says")]
pub enum Publish {
    /// With this value of `-p`.
    As(String),
    /// With this value of `-p`, when the process listens on all addresses.
    Elsewhere(String),
    /// Only it itself uses it.
    No,
    /// Only this host can reach it, and nobody came. This value of `-p` would do.
    Unused(String),
    /// It cannot be, because of this.
    Impossible(String),
}

impl Ports {
    /// Notes what the event says of listeners.
    pub fn take(&mut self, event: &Event, owner: &Owner, offer: Option<Offer>) {
        match &event.operation {
            Operation::Bind(bind) => self.bound(event, bind),
            Operation::Accept(accept) => {
                self.came(event, owner, TCP, canonical(accept.local));
            }
            Operation::Datagram(datagram) if datagram.direction == Direction::Ingress => {
                self.came(event, owner, UDP, canonical(datagram.local));
            }
            Operation::ListenerClosed(closed) => {
                self.closed(Place::of(TCP, canonical(closed.local)));
            }
            _ => {}
        }
        let Some(Offer { local, transport, .. }) = offer else { return };
        // A UDP socket from before that has a port of the kernel's is a client's.
        let is_existing = matches!(event.operation, Operation::ExistingSocket(_));
        if local.port() == 0 || (is_existing && transport != TCP && local.port() >= CHOSEN_FROM) {
            return;
        }
        let shared = match &event.operation {
            Operation::Listen(listen) => listen.shares_port_with.as_slice(),
            Operation::Bind(bind) => bind.shares_port_with.as_slice(),
            _ => &[],
        };
        let other = shared.iter().find(|party| !party.owner.is_same(owner));
        if let Some(found) = self.at(transport, local) {
            found.is_inferred = false;
            if let Some(other) = other {
                found.shared_with = Some(other.to_string());
            }
        }
    }

    /// Who asks for no port in particular may listen, or be a client.
    fn bound(&mut self, event: &Event, bind: &Bind) {
        let transport = event.socket.map_or(TCP, |socket| socket.socket.protocol);
        let asked_for_none = bind.requested.is_some_and(|asked| asked.port() == 0);
        if asked_for_none && bind.outcome == Outcome::Success && bind.local.port() != 0 {
            if self.chosen.len() == MOST {
                self.chosen.pop_front();
            }
            self.chosen.push_back(Place::of(transport, canonical(bind.local)));
        }
    }

    /// What listened at a port of the kernel's, and nobody came to, is of no interest:
    /// the next one has another port.
    fn closed(&mut self, place: Place) {
        self.chosen.retain(|chosen| *chosen != place);
        if self.all.get(&place).is_some_and(|used| used.chosen_by_kernel && used.by_others == 0) {
            self.all.remove(&place);
        }
    }

    fn came(&mut self, event: &Event, owner: &Owner, transport: u32, local: SocketAddr) {
        let parties = event.peer.as_ref().map_or(&[][..], |peer| peer.possible.as_slice());
        let is_itself = !parties.is_empty() && parties.iter().all(|one| one.owner.is_same(owner));
        let place = self.listening(transport, local).unwrap_or(local);
        let is_known =
            self.all.contains_key(&Place { transport, port: place.port(), ip: place.ip() });
        let Some(found) = self.at(transport, place) else { return };
        found.is_inferred |= !is_known;
        found.last_ns = found.last_ns.max(event.wall_ns);
        if is_itself {
            found.by_itself += 1;
        } else {
            found.by_others += 1;
        }
    }

    /// Where the socket is that takes what comes to this address.
    fn listening(&self, transport: u32, local: SocketAddr) -> Option<SocketAddr> {
        let any = [[0; 4].into(), [0; 16].into()];
        let all = [local.ip()].into_iter().chain(any).map(|ip| SocketAddr::new(ip, local.port()));
        let listens = |at: &SocketAddr| self.all.contains_key(&Place::of(transport, *at));
        // The listeners first, because most that comes is theirs, and they are found fast.
        all.clone()
            .find(listens)
            .or_else(|| all.clone().find(|at| self.chosen.contains(&Place::of(transport, *at))))
    }

    /// Whether it listens there itself.
    #[must_use]
    pub fn has(&self, transport: u32, local: SocketAddr) -> bool {
        self.listening(transport, local).is_some()
    }

    /// The listener, made when it is new.
    fn at(&mut self, transport: u32, local: SocketAddr) -> Option<&mut Use> {
        let place = Place::of(transport, local);
        if !self.all.contains_key(&place) {
            if self.all.len() >= MOST {
                self.beyond += 1;
                return None;
            }
            let chosen_by_kernel = self.chosen.contains(&place);
            self.all.insert(place, Use { chosen_by_kernel, ..Use::default() });
        }
        self.all.get_mut(&place)
    }

    /// How many more there were than are kept.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// What to do about each, ports in a row with the same answer as one.
    #[must_use]
    pub fn advice(&self) -> Vec<Port> {
        let mut advice: Vec<Port> = Vec::new();
        for (place, used) in &self.all {
            if self.is_behind_another(*place) {
                continue;
            }
            let one = port(*place, used);
            match advice.iter_mut().rev().find(|last| last.continues(&one)) {
                Some(last) => last.join(one),
                None => advice.push(one),
            }
        }
        advice.iter_mut().for_each(Port::settle);
        advice
    }

    /// Whether it listens on all addresses as well: that is published once.
    fn is_behind_another(&self, place: Place) -> bool {
        let has = |ip: [u8; 4]| self.all.contains_key(&Place { ip: ip.into(), ..place });
        let is_v6_any = place.ip == IpAddr::from([0; 16]);
        let any = has([0; 4]) || self.all.contains_key(&Place { ip: [0; 16].into(), ..place });
        if place.ip.is_unspecified() { is_v6_any && has([0; 4]) } else { any }
    }
}

fn port(place: Place, used: &Use) -> Port {
    let Place { transport, port, ip } = place;
    let name = match transport {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        SCTP => "sctp".to_owned(),
        other => other.to_string(),
    };
    let publish = if let Some(other) = &used.shared_with {
        Publish::Impossible(format!(
            "{other} listens on that port, too, and Docker can publish it for one alone"
        ))
    } else if used.chosen_by_kernel && used.by_others > 0 {
        Publish::Impossible(
            "the kernel chose the port, so that it cannot be published beforehand".to_owned(),
        )
    } else if used.chosen_by_kernel || (used.by_itself > 0 && used.by_others == 0) {
        Publish::No
    } else if !matches!(transport, TCP | UDP | SCTP) {
        Publish::Impossible("Docker publishes TCP, UDP and SCTP alone".to_owned())
    } else {
        match Scope::of((ip, port).into()) {
            Scope::Any => Publish::As(String::new()),
            // It was reached there; where it listens was not seen.
            Scope::Specific if used.is_inferred => Publish::As(String::new()),
            Scope::Loopback if used.by_others == 0 => Publish::Unused(String::new()),
            Scope::Loopback if used.is_inferred => Publish::As(String::new()),
            Scope::Loopback | Scope::Specific => Publish::Elsewhere(String::new()),
        }
    };
    Port {
        ip,
        port,
        to: port,
        transport: name,
        by_others: used.by_others,
        by_itself: used.by_itself,
        last_ns: used.last_ns,
        publish,
    }
}

impl Port {
    fn continues(&self, next: &Self) -> bool {
        self.to.checked_add(1) == Some(next.port)
            && self.ip == next.ip
            && self.transport == next.transport
            && self.publish == next.publish
    }

    fn join(&mut self, next: Self) {
        self.to = next.to;
        self.by_others += next.by_others;
        self.by_itself += next.by_itself;
        self.last_ns = self.last_ns.max(next.last_ns);
    }

    /// Writes the value of `-p`, now that it is known how many ports are one.
    fn settle(&mut self) {
        let value = self.value();
        if let Publish::As(it) | Publish::Elsewhere(it) | Publish::Unused(it) = &mut self.publish {
            *it = value;
        }
    }

    /// `8080:8080`, `127.0.0.1:53:53/udp`, `8000-8010:8000-8010`.
    fn value(&self) -> String {
        let ports = if self.port == self.to {
            self.port.to_string()
        } else {
            format!("{}-{}", self.port, self.to)
        };
        let address = match (self.ip, Scope::of((self.ip, self.port).into())) {
            (_, Scope::Any) => String::new(),
            (IpAddr::V4(ip), _) => format!("{ip}:"),
            (IpAddr::V6(ip), _) => format!("[{ip}]:"),
        };
        let suffix = if self.transport == "tcp" { "" } else { &format!("/{}", self.transport) };
        format!("{address}{ports}:{ports}{suffix}")
    }

    /// `tcp 127.0.0.1:8080`
    #[must_use]
    pub fn place(&self) -> String {
        let address = match self.ip {
            ip if ip.is_unspecified() => "*".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let end = if self.port == self.to { String::new() } else { format!("-{}", self.to) };
        format!("{} {address}:{}{end}", self.transport, self.port)
    }

    /// How many ports.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.to - self.port) + 1
    }
}
