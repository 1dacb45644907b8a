//! What it reached, or tried to.

use super::{FAR, Row, other, outbound, row};
use crate::advise::Answer::{Needed, NotEnoughObserved as NotEnough, NotNeeded};
use crate::advise::tests::scene::unit;

pub const ROWS: &[Row] = &[
    row("the internet", outbound, NotNeeded, "", ""),
    row("IPv6 link-local", |s| s.connect("[fe80::1]:80", 1), Needed, "", "link-local"),
    row(
        "a service of the host's on loopback",
        |s| s.connect_to("127.0.0.1:6379", unit("redis.service"), "127.0.0.1:6379"),
        Needed,
        "",
        "the service listens on loopback only",
    ),
    row(
        "a service of the host's on all addresses",
        |s| s.connect_to("127.0.0.1:6379", unit("redis.service"), "0.0.0.0:6379"),
        NotNeeded,
        "--add-host host.docker.internal:host-gateway",
        "connect to host.docker.internal instead",
    ),
    row(
        "a container of the host's network",
        |s| s.connect_to("127.0.0.1:6379", other(), "0.0.0.0:6379"),
        NotNeeded,
        "--network web-net",
        "put both in one network and connect to client by its name",
    ),
    row(
        "somebody behind a redirection, whom nobody can name",
        |s| s.connect("127.0.0.1:6379", 20),
        NotEnough,
        "",
        "the process listening there is not known",
    ),
    row(
        "nobody: refused",
        |s| (0..20).for_each(|_| s.refused("127.0.0.1:9")),
        NotEnough,
        "",
        "all 20 of its connections were refused (127.0.0.1:9)",
    ),
    row(
        "one service, once before it was known",
        |s| {
            s.connect("127.0.0.1:6379", 1);
            s.connect_to("127.0.0.1:6379", unit("redis.service"), "0.0.0.0:6379");
        },
        NotNeeded,
        "--add-host host.docker.internal:host-gateway",
        "",
    ),
    row(
        "itself, before it was seen to listen",
        |s| {
            s.connect("127.0.0.1:80", 1);
            s.listen("[::]:80");
            s.accept("10.0.0.2:80", FAR, 20);
        },
        NotNeeded,
        "-p 80:80",
        "",
    ),
    row("nothing at all", |_| {}, NotEnough, "", "it did nothing in the network"),
];
