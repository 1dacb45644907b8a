//! Where a container listens, and who came there.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use super::visitors::Visitors;
use crate::{
    event::{Bind, Direction, Event, Operation, Outcome, Owner, SocketState, canonical},
    judge::Offer,
};

/// Most listeners kept; of more, only how many.
const MOST: usize = 4096;
/// Where ports begin that the kernel chooses (`ip_local_port_range`).
const CHOSEN_FROM: u16 = 32768;

pub const TCP: u32 = 6;
pub const UDP: u32 = 17;
pub const SCTP: u32 = 132;

const ANY_IPV4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
const ANY_IPV6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);

/// Where it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub transport: u32,
    pub port: u16,
    pub ip: IpAddr,
}

impl Place {
    const fn of(transport: u32, local: SocketAddr) -> Self {
        Self { transport, port: local.port(), ip: local.ip() }
    }
}

/// One listener, or several in turn at the same place.
#[derive(Clone, Debug, Default)]
pub struct Use {
    pub visitors: Visitors,
    pub chosen_by_kernel: bool,
    /// It was not seen to listen: somebody came.
    pub is_inferred: bool,
    /// It listens on all IPv4 addresses, and on no IPv6 address.
    pub is_ipv4_alone: bool,
    pub shared_with: Option<String>,
    /// It was there before the agent, which has not seen what was done with it then.
    pub is_from_before: bool,
}

impl Use {
    /// What is known of the same listener from elsewhere.
    fn absorb(&mut self, other: Self) {
        self.visitors.absorb(other.visitors);
        self.chosen_by_kernel |= other.chosen_by_kernel;
        self.is_inferred &= other.is_inferred;
        self.is_from_before |= other.is_from_before;
        self.shared_with = self.shared_with.take().or(other.shared_with);
    }
}

/// The listeners of one container.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    all: BTreeMap<Place, Use>,
    /// Where the kernel chose the port, of the last sockets.
    chosen: VecDeque<Place>,
    beyond: u64,
}

impl Ports {
    /// Notes what the event says of listeners.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other kinds say nothing of listeners")]
    pub fn take(&mut self, event: &Event, owner: &Owner, offer: Option<Offer>) {
        match &event.operation {
            Operation::Bind(bind) => self.bound(event, bind),
            Operation::Accept(accept) => {
                self.came(event, owner, TCP, accept.local, accept.remote);
            }
            Operation::Datagram(datagram) if datagram.direction == Direction::Ingress => {
                self.came(event, owner, UDP, datagram.local, datagram.remote);
            }
            // Who was connected when the agent began had come before.
            Operation::ExistingSocket(existing)
                if event.is_stream()
                    && existing.state == SocketState::Established
                    && existing.direction == Some(Direction::Ingress) =>
            {
                if let (Some(local), Some(remote)) = (existing.local, existing.remote) {
                    self.came(event, owner, TCP, local, remote);
                }
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
            found.is_from_before |= is_existing;
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
        let is_forgotten = |used: &Use| used.chosen_by_kernel && used.visitors.by_others() == 0;
        if self.all.get(&place).is_some_and(is_forgotten) {
            self.all.remove(&place);
        }
    }

    fn came(
        &mut self,
        event: &Event,
        owner: &Owner,
        transport: u32,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let (local, remote) = (canonical(local), canonical(remote));
        let place = self.listening(transport, local).unwrap_or(local);
        // Where the kernel did not show the address, the listener's is it.
        let local = if local.ip().is_unspecified() { place } else { local };
        let is_known = self.all.contains_key(&Place::of(transport, place));
        let Some(found) = self.at(transport, place) else { return };
        found.is_inferred |= !is_known;
        found.visitors.came(event, owner, local, remote);
    }

    /// Where the socket is that takes what comes to this address, which is unspecified
    /// where the kernel did not show it.
    fn listening(&self, transport: u32, local: SocketAddr) -> Option<SocketAddr> {
        let at = |ip| SocketAddr::new(ip, local.port());
        let all = [local.ip(), ANY_IPV4, ANY_IPV6].map(at);
        let listens = |at: &SocketAddr| self.all.contains_key(&Place::of(transport, *at));
        // The listeners first, because most that comes is theirs, and they are found fast.
        all.into_iter()
            .find(listens)
            .or_else(|| all.into_iter().find(|at| self.chosen.contains(&Place::of(transport, *at))))
            .or_else(|| {
                let one = local.ip().is_unspecified().then(|| self.one_of(transport, local.port()));
                one.flatten().map(|place| at(place.ip))
            })
    }

    /// A listener at this port that was seen to listen, on whatever address.
    fn one_of(&self, transport: u32, port: u16) -> Option<Place> {
        let (first, last) = (Place { transport, port, ip: ANY_IPV4 }, [u8::MAX; 16].into());
        let mut places = self.all.range(first..=Place { ip: last, ..first });
        places.find(|(_, used)| !used.is_inferred).map(|(place, _)| *place)
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

    /// Adds the listeners of another container of the same service.
    pub fn absorb(&mut self, other: Self) {
        self.beyond += other.beyond;
        for (place, used) in other.all {
            match self.all.get_mut(&place) {
                Some(known) => known.absorb(used),
                None => {
                    self.all.insert(place, used);
                }
            }
        }
    }

    /// Each listener once. One on all addresses takes what comes to each of them, and a
    /// listener that was never seen to listen is the one that was.
    #[must_use]
    pub fn each(&self) -> BTreeMap<Place, Use> {
        let mut each = BTreeMap::<Place, Use>::new();
        let on_ipv6 = |place: Place| self.all.contains_key(&Place { ip: ANY_IPV6, ..place });
        for (place, used) in &self.all {
            let taker = self.taker(*place, used);
            let mut used = used.clone();
            used.is_ipv4_alone = taker.ip == ANY_IPV4 && !on_ipv6(taker);
            match each.get_mut(&taker) {
                Some(known) => known.absorb(used),
                None => {
                    each.insert(taker, used);
                }
            }
        }
        each
    }

    /// The listener that takes what comes to this place.
    fn taker(&self, place: Place, used: &Use) -> Place {
        let is_seen = |at: &Place| self.all.get(at).is_some_and(|used| !used.is_inferred);
        let any = [ANY_IPV4, ANY_IPV6].map(|ip| Place { ip, ..place });
        let any = any.into_iter().find(is_seen);
        let seen = any.or_else(|| {
            let one = used.is_inferred.then(|| self.one_of(place.transport, place.port));
            one.flatten()
        });
        seen.unwrap_or(place)
    }
}
