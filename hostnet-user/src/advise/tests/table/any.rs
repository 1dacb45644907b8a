//! Listeners on all addresses.

use super::{FAR, FAR6, HOST, Row, other, outbound, row};
use crate::advise::Answer::{NotEnoughObserved as NotEnough, NotNeeded};
use crate::advise::tests::scene::unit;

pub const ROWS: &[Row] = &[
    row("any, nobody", |s| s.listen("[::]:80"), NotEnough, "-p 80:80", "exchanged nothing"),
    row(
        "any, nobody, a client of others",
        |s| {
            s.listen("[::]:80");
            outbound(s);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "any, its own health check",
        |s| {
            s.listen("[::]:80");
            s.connect("127.0.0.1:80", 1);
            s.accept_itself("127.0.0.1:80");
        },
        NotEnough,
        "-p 80:80",
        "nobody but the container itself",
    ),
    row(
        "any, its own health check, a client of others",
        |s| {
            s.listen("[::]:80");
            s.accept_itself("127.0.0.1:80");
            outbound(s);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "any, its own health check and another machine",
        |s| {
            s.listen("[::]:80");
            s.accept_itself("127.0.0.1:80");
            s.accept("10.0.0.2:80", FAR, 20);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "any, another machine",
        |s| {
            s.listen("[::]:80");
            s.accept("10.0.0.2:80", FAR, 20);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "any IPv4, another machine",
        |s| {
            s.listen("0.0.0.0:80");
            s.accept("10.0.0.2:80", FAR, 20);
        },
        NotNeeded,
        "-p 80:80",
        "listens on IPv4 only",
    ),
    row(
        "any, another machine over IPv6",
        |s| {
            s.listen("[::]:80");
            s.accept("[2001:db8::2]:80", FAR6, 20);
        },
        NotNeeded,
        "-p 80:80",
        "sees clients over IPv6 with the address of the bridge's gateway",
    ),
    row(
        "any, another machine and this host",
        |s| {
            s.listen("[::]:80");
            s.accept("10.0.0.2:80", FAR, 20);
            s.accept("127.0.0.1:80", "127.0.0.1:5000", 1);
        },
        NotNeeded,
        "-p 80:80",
        "sees clients on this host with the address of the bridge's gateway",
    ),
    row(
        "any, this host over IPv4 loopback",
        |s| {
            s.listen("[::]:80");
            s.accept("127.0.0.1:80", "127.0.0.1:5000", 20);
        },
        NotNeeded,
        "-p 127.0.0.1:80:80",
        "only this host came, at 127.0.0.1, so it is published at 127.0.0.1 and nowhere else",
    ),
    row(
        "any, a service of this host over IPv4 loopback",
        |s| {
            s.listen("[::]:80");
            s.accept_from("127.0.0.1:80", "127.0.0.1:5000", unit("nginx.service"));
        },
        NotNeeded,
        "-p 127.0.0.1:80:80",
        "if other machines are to reach it, write -p 80:80",
    ),
    row(
        "any, this host over another loopback address",
        |s| {
            s.listen("[::]:80");
            s.accept("127.0.0.2:80", "127.0.0.1:5000", 20);
        },
        NotNeeded,
        "-p 127.0.0.2:80:80",
        "only this host came, at 127.0.0.2",
    ),
    row(
        "any, this host over IPv6 loopback",
        |s| {
            s.listen("[::]:80");
            s.accept("[::1]:80", "[::1]:5000", 20);
        },
        NotNeeded,
        "-p '[::1]:80:80'",
        "only this host came, at ::1",
    ),
    row(
        "any, this host over both loopbacks",
        |s| {
            s.listen("[::]:80");
            s.accept("[::1]:80", "[::1]:5000", 10);
            s.accept("127.0.0.1:80", "127.0.0.1:5000", 10);
        },
        NotNeeded,
        "-p 127.0.0.1:80:80 -p '[::1]:80:80'",
        "only this host came, at 127.0.0.1, ::1",
    ),
    row(
        "any, this host at its own address",
        |s| {
            s.listen("[::]:80");
            s.accept("10.0.0.2:80", HOST, 20);
        },
        NotNeeded,
        "-p 10.0.0.2:80:80",
        "only this host came, at 10.0.0.2",
    ),
    row(
        "any, this host at loopback by IPv4 mapped to IPv6",
        |s| {
            s.listen("[::]:80");
            s.accept("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:5000", 20);
        },
        NotNeeded,
        "-p 127.0.0.1:80:80",
        "only this host came, at 127.0.0.1",
    ),
    row(
        "any, another container of the host's network",
        |s| {
            s.listen("[::]:80");
            s.accept_from("127.0.0.1:80", "127.0.0.1:5000", other());
        },
        NotNeeded,
        "-p 127.0.0.1:80:80",
        "only other containers on this host (client) came, at 127.0.0.1, so it is published at \
         127.0.0.1 and nowhere else; or leave out -p, and put it and client in one network",
    ),
    row(
        "any, a container of a bridge network by its gateway",
        |s| {
            s.listen("[::]:80");
            s.accept_from("172.17.0.1:80", "172.17.0.5:5000", other());
        },
        NotNeeded,
        "-p 172.17.0.1:80:80",
        "put it and client in one network",
    ),
    row(
        "any, a container and the host",
        |s| {
            s.listen("[::]:80");
            s.accept_from("127.0.0.1:80", "127.0.0.1:5000", other());
            s.accept_from("127.0.0.1:80", "127.0.0.1:5001", unit("nginx.service"));
        },
        NotNeeded,
        "-p 127.0.0.1:80:80",
        "only this host and containers on it (client) came",
    ),
    row(
        "any, connected before the agent began",
        |s| {
            s.listen("[::]:80");
            s.accepted_before("10.0.0.2:80", FAR);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "any, came before it was seen to listen",
        |s| {
            s.accept("10.0.0.2:80", FAR, 20);
            s.listen("[::]:80");
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "not seen to listen, another machine",
        |s| s.accept("10.0.0.2:80", FAR, 20),
        NotNeeded,
        "-p 10.0.0.2:80:80",
        "",
    ),
];
