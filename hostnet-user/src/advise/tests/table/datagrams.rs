//! UDP.

use super::{FAR, Row, outbound, row};
use crate::advise::Answer::{Needed, NotEnoughObserved as NotEnough, NotNeeded};
use crate::advise::tests::scene::UDP;

pub const ROWS: &[Row] = &[
    row(
        "UDP any, another machine",
        |s| {
            s.bind("[::]:53", "[::]:53", UDP);
            s.receive("10.0.0.2:53", FAR);
        },
        NotNeeded,
        "-p 53:53/udp",
        "",
    ),
    row(
        "UDP any, this host, its own address not shown",
        |s| {
            s.bind("[::]:53", "[::]:53", UDP);
            s.receive("0.0.0.0:53", "127.0.0.1:5000");
        },
        NotNeeded,
        "-p 127.0.0.1:53:53/udp",
        "udp *:53: only this host came",
    ),
    row(
        "UDP loopback, its own address not shown",
        |s| {
            s.bind("127.0.0.1:53", "127.0.0.1:53", UDP);
            s.receive("0.0.0.0:53", "127.0.0.1:5000");
        },
        NotNeeded,
        "-p 127.0.0.1:53:53/udp",
        "udp 127.0.0.1:53: let it listen on 0.0.0.0",
    ),
    row(
        "UDP one address, another machine",
        |s| {
            s.bind("10.0.0.2:53", "10.0.0.2:53", UDP);
            s.receive("10.0.0.2:53", FAR);
        },
        NotNeeded,
        "-p 10.0.0.2:53:53/udp",
        "let it listen on 0.0.0.0",
    ),
    row(
        "UDP bound to a multicast group, a datagram came",
        |s| {
            s.bind("239.255.255.250:1900", "239.255.255.250:1900", UDP);
            s.receive("239.255.255.250:1900", FAR);
        },
        Needed,
        "",
        "multicast and broadcast do not reach a bridge network",
    ),
    row(
        "UDP bound to a multicast group, nobody",
        |s| {
            s.bind("[ff02::fb]:5353", "[ff02::fb]:5353", UDP);
            outbound(s);
        },
        NotEnough,
        "",
        "multicast does not reach a bridge network",
    ),
    row("UDP to a multicast group", |s| s.send("224.0.0.251:5353"), Needed, "", "multicast"),
    row("UDP broadcast", |s| s.send("255.255.255.255:67"), Needed, "", "broadcast"),
    row("UDP of a client", |s| s.send("93.184.216.34:443"), NotNeeded, "", ""),
];
