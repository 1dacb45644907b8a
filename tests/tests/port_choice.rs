//! Ports that the kernel chooses, at whichever moment it does.

use hostnet_tests::{Technique, all, needs_root, net, want};

#[test]
fn e10_listen_without_bind() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let rows = ["0.0.0.0", "::"].map(|any| actor.perform(&format!("listen {any} 0 --no-bind")));
        all("ok", rows.concat())
    });
    let joined = trial.joined.expect("joined");
    assert_eq!((joined.rows, joined.witnessed), (2, 2));
    trial.run.none(&want().action("bound-socket").owned_by(&trial.container));
}

#[test]
fn e10_bind_to_port_0() {
    needs_root!(no tcp);
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS
            .map(|address| {
                let mut rows = actor.perform(&format!("bind {address} 0"));
                rows.extend(actor.perform(&format!("bind {address} 0 --udp")));
                rows
            })
            .concat();
        assert!(rows.iter().all(|row| row["local"]["port"].as_u64() > Some(0)), "{rows:?}");
        all("ok", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
}

/// The bind succeeds without a port, and the connect chooses one.
#[test]
fn e10_bind_address_no_port() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let (_listener, port) = net::listener();
        let rows =
            net::LOOPBACKS.map(|address| actor.perform(&format!("late-port {address} {port}")));
        let rows = rows.concat();
        assert!(rows.iter().any(|row| row["op"] == "bind" && row["local"]["port"] == 0));
        all("ok", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
}

#[test]
fn e10_a_port_range_of_its_own() {
    needs_root!();
    let trial = Technique::new().is_told(|actor| {
        let (_listener, port) = net::listener();
        // Inside of the machine's own range; each address has ports of its own.
        let low = 40_000;
        let high = low + 50;
        let rows = net::LOOPBACKS
            .map(|address| {
                let range = format!("{address} {low} {high}");
                let mut rows = actor.perform(&format!("range-bind {range}"));
                rows.extend(actor.perform(&format!("range-bind {range} --udp")));
                rows.extend(actor.perform(&format!("range-connect {range} {port}")));
                for row in &rows {
                    let chosen = row["local"]["port"].as_u64().expect("a port");
                    assert!((low..=high).contains(&chosen), "{row}");
                }
                rows
            })
            .concat();
        all("ok", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, 3 * net::LOOPBACKS.len());
}

/// A UDP socket has a port from its first datagram, or its connect.
#[test]
fn e10_autobind() {
    needs_root!(no tcp);
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS
            .map(|address| {
                let [first, second] = [(); 2].map(|()| net::free_udp_port());
                let mut rows = actor.perform(&format!("udp-send {address} {first}"));
                rows.extend(actor.perform(&format!("udp-connect {address} {second}")));
                for row in &mut rows {
                    row["transport"] = "udp".into();
                    assert!(row["local"]["port"].as_u64() > Some(0), "{row}");
                }
                rows
            })
            .concat();
        all("ok", rows)
    });
    assert_eq!(trial.joined.expect("joined").rows, 2 * net::LOOPBACKS.len());
    for row in trial.rows.iter().filter(|row| row["op"] == "send") {
        trial.run.only(
            &want()
                .action("connection_attempted")
                .endpoint("hostnet.remote", &row["remote"])
                .is("hostnet.local.port", row["local"]["port"].clone()),
        );
    }
}
