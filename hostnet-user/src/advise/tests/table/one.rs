//! Listeners on one address, at ports of the kernel's, or beside others.

use super::{FAR, FAR6, Row, outbound, row};
use crate::advise::Answer::{Needed, NotEnoughObserved as NotEnough, NotNeeded};
use crate::advise::tests::scene::{TCP, party, unit};

pub const ROWS: &[Row] = &[
    row(
        "loopback, nobody",
        |s| {
            s.listen("127.0.0.1:80");
            outbound(s);
        },
        NotNeeded,
        "",
        "",
    ),
    row(
        "loopback, itself",
        |s| {
            s.listen("127.0.0.1:80");
            s.accept_itself("127.0.0.1:80");
            outbound(s);
        },
        NotNeeded,
        "",
        "",
    ),
    row(
        "loopback, this host",
        |s| {
            s.listen("127.0.0.1:80");
            s.accept("127.0.0.1:80", "127.0.0.1:5000", 20);
        },
        NotNeeded,
        "-p 127.0.0.1:80:80",
        "tcp 127.0.0.1:80: let it listen on 0.0.0.0 instead",
    ),
    row(
        "IPv6 loopback, this host",
        |s| {
            s.listen("[::1]:80");
            s.accept("[::1]:80", "[::1]:5000", 20);
        },
        NotNeeded,
        "-p '[::1]:80:80'",
        "tcp [::1]:80: let it listen on 0.0.0.0 instead",
    ),
    row(
        "one address, itself",
        |s| {
            s.listen("10.0.0.2:80");
            s.accept_itself("10.0.0.2:80");
            outbound(s);
        },
        NotNeeded,
        "-p 10.0.0.2:80:80",
        "tcp 10.0.0.2:80: let it listen on 0.0.0.0 instead",
    ),
    row(
        "one address, nobody",
        |s| {
            s.listen("10.0.0.2:80");
            outbound(s);
        },
        NotNeeded,
        "-p 10.0.0.2:80:80",
        "let it listen on 0.0.0.0",
    ),
    row(
        "one address, another machine",
        |s| {
            s.listen("10.0.0.2:80");
            s.accept("10.0.0.2:80", FAR, 20);
        },
        NotNeeded,
        "-p 10.0.0.2:80:80",
        "let it listen on 0.0.0.0",
    ),
    row(
        "one IPv6 address, another machine",
        |s| {
            s.listen("[2001:db8::2]:80");
            s.accept("[2001:db8::2]:80", FAR6, 20);
        },
        NotNeeded,
        "-p '[2001:db8::2]:80:80'",
        "sees clients over IPv6",
    ),
    row(
        "IPv6 link-local, another machine",
        |s| {
            s.listen("[fe80::2]:80");
            s.accept("[fe80::2]:80", "[fe80::9]:5000", 1);
        },
        Needed,
        "",
        "Docker publishes nothing at an IPv6 link-local address",
    ),
    row(
        "any and loopback at one port, another machine",
        |s| {
            s.listen("127.0.0.1:80");
            s.listen("[::]:80");
            s.accept("10.0.0.2:80", FAR, 20);
            s.accept("127.0.0.1:80", "127.0.0.1:5000", 1);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row(
        "ports in a row",
        |s| {
            for port in 8000..8004 {
                s.listen(&format!("[::]:{port}"));
                s.accept(&format!("10.0.0.2:{port}"), FAR, 5);
            }
        },
        NotNeeded,
        "-p 8000-8003:8000-8003",
        "",
    ),
    row(
        "ports in a row of different reach",
        |s| {
            s.listen("[::]:8000");
            s.accept("10.0.0.2:8000", FAR, 20);
            s.listen("[::]:8001");
            s.accept("127.0.0.1:8001", "127.0.0.1:5000", 1);
        },
        NotNeeded,
        "-p 8000:8000 -p 127.0.0.1:8001:8001",
        "",
    ),
    row(
        "chosen by the kernel, any, nobody",
        |s| {
            s.bind("[::]:0", "[::]:41000", TCP);
            s.listen("[::]:41000");
            outbound(s);
        },
        NotEnough,
        "",
        "the kernel chose the port",
    ),
    row(
        "chosen by the kernel, any, another machine",
        |s| {
            s.bind("[::]:0", "[::]:41000", TCP);
            s.listen("[::]:41000");
            s.accept("10.0.0.2:41000", FAR, 1);
        },
        Needed,
        "",
        "the kernel chose the port",
    ),
    row(
        "chosen by the kernel, loopback, itself",
        |s| {
            s.bind("127.0.0.1:0", "127.0.0.1:41000", TCP);
            s.listen("127.0.0.1:41000");
            s.accept_itself("127.0.0.1:41000");
            outbound(s);
        },
        NotNeeded,
        "",
        "",
    ),
    row(
        "shared with the host",
        |s| s.listen_beside("[::]:80", vec![party(unit("nginx.service"))]),
        Needed,
        "",
        "Docker can publish it for one alone",
    ),
];
