//! A thousand questions about who talked to whom, against sums over all that happened.

use std::collections::{BTreeMap, BTreeSet};

use hostnet::{
    event::{Direction, FlowCount, Outcome},
    query::{Filter, PeerFilter, PeerRow, Time, peers},
};

use crate::{
    acts::{self, Actor, SECOND, TCP, UDP},
    support::{Book, Chance, actor, second},
};

const ACTS: u64 = 2500;
const QUESTIONS: u64 = 1000;
const CONTAINERS: u32 = 8;

/// One thing that happened, as it counts.
#[derive(Clone, Default)]
struct Happened {
    at: u64,
    owner: String,
    direction: &'static str,
    protocol: &'static str,
    address: String,
    port: u16,
    peer: Option<String>,
    begun: u64,
    failed: u64,
    ended: u64,
    bytes: (u64, u64),
    datagrams: (u64, u64),
}

type Key = (String, String, String, String, u16);
type Sums = (u64, u64, u64, (u64, u64), (u64, u64), BTreeSet<String>, u64, u64);

fn happen(
    book: &mut Book,
    chance: &mut Chance,
    actors: &[Actor],
    at: u64,
    cookie: u64,
) -> Vec<Happened> {
    let number = chance.below(u64::from(CONTAINERS)) as usize;
    let by = &actors[number];
    let service = chance.one_of(actors).clone();
    let ip = [10, 0, 0, chance.below(6) as u8];
    let port = *chance.one_of(&[80, 443, 6379, 53]);
    let own = 40_000 + chance.below(9) as u16;
    let (local, remote) = (([10, 9, 9, 9], own).into(), (ip, port).into());
    let owner = by.owner.container_id.clone().expect("a container");
    let to = std::net::IpAddr::from(ip).to_string();
    let base = Happened { at, owner, protocol: "tcp", address: to, ..Happened::default() };
    let end_at = at + 1 + chance.below(SECOND);
    match chance.below(3) {
        0 => {
            let outcome =
                *chance.one_of(&[Outcome::Success, Outcome::Failure(Some(111)), Outcome::Success]);
            let is_failure = outcome != Outcome::Success;
            let connect = acts::connect(local, remote, outcome);
            let mut event =
                acts::event(at, Some(by), Some(acts::socket(cookie, TCP, local)), connect);
            let is_local = chance.below(2) == 0;
            if is_local {
                event.peer = Some(acts::peer(&service, Some(remote)));
            }
            book.tell(event);
            let peer = is_local.then(|| service.owner.label().to_owned());
            let begun = Happened {
                direction: "egress",
                port,
                peer,
                begun: 1,
                failed: is_failure.into(),
                ..base.clone()
            };
            if is_failure {
                return vec![begun];
            }
            let bytes = (chance.below(1000), chance.below(1000));
            let close = acts::close((local, remote), Direction::Egress, bytes, end_at - at);
            book.act(end_at, by, acts::socket(cookie, TCP, local), close);
            let ended = Happened { at: end_at, direction: "egress", port, ended: 1, bytes, ..base };
            vec![begun, ended]
        }
        1 => {
            // Somebody came in to a port of its own.
            let local = ([10, 9, 9, 9], port).into();
            let remote = (ip, own).into();
            book.act(at, by, acts::socket(cookie, TCP, local), acts::accept(local, remote));
            let bytes = (chance.below(1000), chance.below(1000));
            let close = acts::close((local, remote), Direction::Ingress, bytes, end_at - at);
            book.act(end_at, by, acts::socket(cookie, TCP, local), close);
            let begun = Happened { direction: "ingress", port, begun: 1, ..base.clone() };
            let ended =
                Happened { at: end_at, direction: "ingress", port, ended: 1, bytes, ..base };
            vec![begun, ended]
        }
        _ => {
            let other = (ip, 999).into();
            let datagrams = (chance.below(9), chance.below(9));
            let flow = |remote| FlowCount { remote, sent: datagrams.0, received: datagrams.1 };
            let close = acts::datagrams_closed(local, vec![flow(remote), flow(other)]);
            book.act(at, by, acts::socket(cookie, UDP, local), close);
            let of = |port| Happened { protocol: "udp", port, datagrams, ..base.clone() };
            vec![of(port), of(999)]
        }
    }
}

#[test]
fn a_thousand_questions_about_peers() {
    let began = second(0);
    let mut book = Book::new();
    book.start(began);
    let actors: Vec<Actor> = (0..CONTAINERS).map(|number| actor(number, began)).collect();
    let mut chance = Chance(11);
    let (mut at, mut all) = (began, Vec::new());
    for cookie in 1..=ACTS {
        at += 2 * SECOND + chance.below(20 * SECOND);
        all.extend(happen(&mut book, &mut chance, &actors, at, cookie));
    }
    book.stop(at + 3 * SECOND);
    let history = book.read();
    for question in 0..QUESTIONS {
        let some = |chance: &mut Chance| began + chance.below(at - began);
        let (one, other) = (some(&mut chance), some(&mut chance));
        let is_bounded = chance.below(4) > 0;
        let (since, until) =
            if is_bounded { (one.min(other), one.max(other)) } else { (0, i64::MAX as u64) };
        let owner = (chance.below(2) == 0).then(|| chance.one_of(&actors).clone());
        let address = (owner.is_none() || chance.below(2) == 0)
            .then(|| format!("10.0.0.{}", chance.below(6)));
        let port = (chance.below(3) == 0).then(|| *chance.one_of(&[80, 443, 6379, 53, 999]));
        let time = |at: u64| Some(Time(at.cast_signed()));
        let filter = Filter {
            container: owner.as_ref().map(|one| one.owner.label().to_owned()),
            since: time(since).filter(|_| is_bounded),
            until: time(until).filter(|_| is_bounded),
            ..Filter::default()
        };
        let with = PeerFilter { address: address.clone(), port };
        let said = peers(&history, &filter, &with).expect("an answer");
        let id = owner.as_ref().and_then(|one| one.owner.container_id.clone());
        let meant = all.iter().filter(|one| {
            since <= one.at
                && one.at <= until
                && id.as_ref().is_none_or(|id| *id == one.owner)
                && address.as_ref().is_none_or(|address| *address == one.address)
                && port.is_none_or(|port| port == one.port)
        });
        assert_eq!(sums_of(&said), sums(meant), "question {question}: {filter:?} {with:?}");
    }
}

fn sums<'a>(all: impl Iterator<Item = &'a Happened>) -> BTreeMap<Key, Sums> {
    let mut sums = BTreeMap::<Key, Sums>::new();
    for one in all {
        let Happened { owner, direction, protocol, address, port, .. } = one;
        let text = |text: &&str| (*text).to_owned();
        let key = (owner.clone(), text(direction), text(protocol), address.clone(), *port);
        let none = (0, 0, 0, (0, 0), (0, 0), BTreeSet::new(), u64::MAX, 0);
        let sum = sums.entry(key).or_insert(none);
        sum.0 += one.begun;
        sum.1 += one.failed;
        sum.2 += one.ended;
        sum.3 = (sum.3.0 + one.bytes.0, sum.3.1 + one.bytes.1);
        sum.4 = (sum.4.0 + one.datagrams.0, sum.4.1 + one.datagrams.1);
        sum.5.extend(one.peer.clone());
        sum.6 = sum.6.min(one.at);
        sum.7 = sum.7.max(one.at);
    }
    sums
}

fn sums_of(rows: &[PeerRow]) -> BTreeMap<Key, Sums> {
    let each = rows.iter().map(|row| {
        let key = (
            row.container_id.clone(),
            row.direction.clone(),
            row.protocol.clone(),
            row.address.clone(),
            row.port,
        );
        let names = row.peer.split(", ").filter(|name| !name.is_empty());
        let sums = (
            row.begun,
            row.failed,
            row.ended,
            (row.bytes_sent, row.bytes_received),
            (row.datagrams_sent, row.datagrams_received),
            names.map(str::to_owned).collect(),
            row.first.0.cast_unsigned(),
            row.last.0.cast_unsigned(),
        );
        (key, sums)
    });
    let found: BTreeMap<Key, Sums> = each.collect();
    assert_eq!(found.len(), rows.len(), "a row of its own for each");
    found
}
