//! Who is reached at an address, and how much is remembered.

use std::sync::Arc;

use super::*;
use crate::{
    event::Owner,
    event::{endpoint, from_socket_addr},
};

const TCP: u32 = 6;
const NOBODY: [u64; 0] = [];

fn at(text: &str) -> SocketAddr {
    let (address, port) = from_socket_addr(text.parse().expect("an address"));
    endpoint(address, port)
}

fn listener(cookie: u64, local: &str) -> Listener {
    let party = Party {
        owner: Arc::new(Owner::unknown(cookie, None)),
        creator: None,
        process: None,
        actor: None,
    };
    let (protocol, local) = (TCP, at(local));
    let (reuse, interface, user, since_ns) = (0, 0, None, 10);
    Listener { cookie, protocol, local, reuse, interface, party, user, since_ns }
}

fn table(listeners: impl IntoIterator<Item = Listener>) -> Listeners {
    let mut table = Listeners::default();
    listeners.into_iter().for_each(|listener| table.open(listener));
    table
}

fn reached(table: &Listeners, end: &str, at_ns: u64) -> Vec<u64> {
    let reached = table.at(TCP, at(end), at_ns);
    let cookies = reached.map(|reached| reached.listeners.iter().map(|l| l.cookie).collect());
    cookies.unwrap_or_default()
}

#[test]
fn the_very_address_goes_before_every_address() {
    let table = table([
        listener(1, "0.0.0.0:80"),
        listener(2, "127.0.0.1:80"),
        listener(3, "[::1]:80"),
        listener(4, "127.0.0.1:81"),
    ]);
    assert_eq!(reached(&table, "127.0.0.1:80", 10), [2]);
    assert_eq!(reached(&table, "127.0.0.2:80", 10), [1]);
    assert_eq!(reached(&table, "[::ffff:127.0.0.1]:80", 10), [2]);
    assert_eq!(reached(&table, "[::1]:80", 10), [3]);
    assert_eq!(reached(&table, "[fe80::1]:80", 10), NOBODY);
    let udp = table.at(17, at("127.0.0.1:80"), 10);
    assert!(udp.is_none(), "another protocol");
    assert!(table.at(TCP, at("127.0.0.1:80"), 10).is_some_and(|reached| reached.is_exact));
    assert!(table.at(TCP, at("127.0.0.2:80"), 10).is_some_and(|reached| !reached.is_exact));
}

#[test]
fn an_ipv6_socket_serves_ipv4_unless_it_says_not() {
    let dual = listener(1, "[::]:80");
    let v6_only = Listener { reuse: reuse::V6_ONLY, ..listener(2, "[::]:81") };
    let mut table = table([dual, v6_only]);
    assert_eq!(reached(&table, "127.0.0.1:80", 10), [1]);
    assert_eq!(reached(&table, "[::1]:80", 10), [1]);
    assert_eq!(reached(&table, "127.0.0.1:81", 10), NOBODY);
    assert_eq!(reached(&table, "[::1]:81", 10), [2]);
    table.open(listener(3, "0.0.0.0:80"));
    assert_eq!(reached(&table, "127.0.0.1:80", 10), [3], "IPv4's own goes first");
}

#[test]
fn several_at_one_address_are_all_named() {
    let table =
        table([listener(1, "0.0.0.0:80"), listener(2, "0.0.0.0:80"), listener(3, "127.0.0.1:80")]);
    assert_eq!(reached(&table, "127.0.0.2:80", 10), [1, 2]);
    assert_eq!(reached(&table, "127.0.0.1:80", 10), [3]);
}

#[test]
fn only_those_that_lived_then() {
    let mut table = table([listener(1, "127.0.0.1:80")]);
    table.close(1, 20);
    let later = Listener { since_ns: 30, ..listener(2, "127.0.0.1:80") };
    table.open(later);
    let found = [9, 10, 20, 25, 30].map(|at| reached(&table, "127.0.0.1:80", at));
    assert_eq!(found, [vec![], vec![1], vec![1], vec![], vec![2]]);
    table.expire(20 + REMEMBERED_NS + 1);
    assert_eq!(reached(&table, "127.0.0.1:80", 15), NOBODY);
    assert_eq!(reached(&table, "127.0.0.1:80", 30), [2]);
}

#[test]
fn a_socket_may_listen_again() {
    let mut table = table([listener(1, "127.0.0.1:80")]);
    table.close(1, 20);
    table.open(Listener { since_ns: 30, ..listener(1, "127.0.0.1:81") });
    assert_eq!(reached(&table, "127.0.0.1:81", 40), [1]);
    table.close(1, 50);
    assert_eq!(reached(&table, "127.0.0.1:81", 60), NOBODY);
    table.expire(u64::MAX);
    let counts = (table.fill().entries, table.ports.len(), table.by_cookie.len());
    assert_eq!(counts, (0, 0, 0));
}

#[test]
fn another_interface_is_not_reached_from_here() {
    let on = |interface| Listener { interface, ..listener(interface.into(), "0.0.0.0:80") };
    assert_eq!(reached(&table([on(7)]), "127.0.0.1:80", 10), NOBODY);
    assert_eq!(reached(&table([on(0), on(1)]), "127.0.0.1:80", 10), [1]);
}

#[test]
fn who_shares_a_port() {
    let table = table([
        listener(1, "0.0.0.0:53"),
        listener(2, "10.0.0.1:53"),
        listener(3, "[::1]:53"),
        listener(4, "127.0.0.1:54"),
    ]);
    let sharing =
        |one: Listener| -> Vec<u64> { table.sharing(&one, 10).map(|other| other.cookie).collect() };
    assert_eq!(sharing(listener(9, "127.0.0.1:53")), [1]);
    assert_eq!(sharing(listener(9, "10.0.0.1:53")), [1, 2]);
    assert_eq!(sharing(listener(9, "[::]:53")), [1, 2, 3]);
    let v6_only = Listener { reuse: reuse::V6_ONLY, ..listener(9, "[::]:53") };
    assert_eq!(sharing(v6_only), [3]);
    assert_eq!(sharing(listener(1, "0.0.0.0:53")), [2], "not itself");
    assert_eq!(sharing(listener(9, "127.0.0.1:99")), NOBODY);
}

/// Whoever binds ten thousand sockets at one port makes the others there no slower.
#[test]
fn work_at_one_port_is_bounded() {
    let mut table = table((1..=10_000).map(|cookie| listener(cookie, "127.0.0.1:80")));
    assert_eq!(table.ports[&(TCP, 80)].len(), MOST_AT_PORT);
    assert_eq!(table.sharing(&listener(20_000, "127.0.0.1:80"), 10).count(), MOST_AT_PORT);
    assert_eq!(reached(&table, "127.0.0.1:80", 10), NOBODY);
    table.open(listener(20_001, "127.0.0.1:81"));
    assert_eq!(reached(&table, "127.0.0.1:81", 10), [20_001]);
}

#[test]
fn a_port_that_is_not_wholly_known_is_not_spoken_of() {
    let mut table = Listeners::of(2);
    table.open(listener(1, "0.0.0.0:80"));
    table.open(Listener { since_ns: 20, ..listener(2, "127.0.0.1:80") });
    assert_eq!(reached(&table, "127.0.0.1:80", 20), NOBODY);
    assert_eq!(table.partial_since(), Some(20));
    table.forget();
    table.open(listener(1, "0.0.0.0:80"));
    assert_eq!(reached(&table, "127.0.0.1:80", 10), [1]);
}
