//! What only the host's network gives, and what a bridge network gives as well.

use super::{
    because, run,
    scene::{DAY, Scene, TCP, container, unit},
    text, web_server,
};
use crate::{
    advise::{Answer, Bridge, Confidence, Group, Needs, Publish},
    event::UnixKind,
};

#[test]
fn a_dns_client_needs_nothing() {
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.send("10.0.0.53:53");
        scene.connect("93.184.216.34:443", 1);
    }
    scene.pass(DAY);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(advice.verdict.confidence, Some(Confidence::High));
    assert_eq!(run(&advice), "");
    assert!(text(&advice).contains("leave out --network host"), "{}", text(&advice));
    assert!(advice.evidence.iter().all(|one| one.bridge == Bridge::AsWell));
}

#[test]
fn the_hosts_own_resolver_is_dockers_to_replace() {
    let mut scene = web_server();
    scene.send("127.0.0.53:53");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert!(matches!(advice.evidence[0].bridge, Bridge::If(_)), "{:?}", advice.evidence);
}

#[test]
fn what_only_a_bridge_does_not_give_is_needed() {
    let redis = || unit("redis-server.service");
    type Act = fn(&mut Scene);
    let cases: [(&str, Act, Group); 13] = [
        ("captures all frames on all interfaces", Scene::sniff, Group::PacketSocket),
        ("raw socket for IP protocol 112", |scene| scene.raw_socket(112), Group::RawSocket),
        ("raw socket for IP protocol 6", |scene| scene.raw_socket(6), Group::RawSocket),
        ("224.0.0.251:5353 (multicast)", |scene| scene.send("224.0.0.251:5353"), Group::Multicast),
        (
            "joined multicast group 239.255.255.250",
            |scene| scene.join("239.255.255.250", 2),
            Group::Multicast,
        ),
        ("joined multicast group ff02::fb", |scene| scene.join("ff02::fb", 3), Group::Multicast),
        (
            "255.255.255.255:67 (broadcast)",
            |scene| scene.send("255.255.255.255:67"),
            Group::Multicast,
        ),
        ("[fe80::1]:80", |scene| scene.connect("[fe80::1]:80", 1), Group::LinkLocal),
        ("bluetooth", |scene| scene.family_socket(libc::AF_BLUETOOTH, 0), Group::Hardware),
        ("xdp", |scene| scene.family_socket(libc::AF_XDP, 0), Group::Hardware),
        ("sock-diag", |scene| scene.family_socket(libc::AF_NETLINK, 4), Group::NetworkState),
        (
            "@/tmp/.X11-unix/X0 (gdm.service on the host)",
            |scene| {
                let whose = Some(unit("gdm.service"));
                scene.unix(UnixKind::Connect, b"\0/tmp/.X11-unix/X0", whose);
            },
            Group::AbstractSocket,
        ),
        (
            "serves",
            |scene| {
                scene.unix(UnixKind::Accept, b"\0mine", Some(unit("dbus.service")));
            },
            Group::AbstractSocket,
        ),
    ];
    for (reason, act, group) in cases {
        // Certain however little else is known.
        let mut scene = Scene::new();
        act(&mut scene);
        scene.lost(true, 5);
        let advice = scene.advice();
        assert_eq!(advice.verdict.answer, Answer::Needed, "{reason}");
        assert_eq!(advice.verdict.confidence, Some(Confidence::High), "{reason}");
        assert!(because(&advice).contains(reason), "{reason}: {}", because(&advice));
        assert_eq!(advice.evidence[0].group, group, "{reason}");
        assert!(text(&advice).contains(&advice.evidence[0].seen.event_id.to_string()));
    }
    let mut scene = web_server();
    scene.connect_to("127.0.0.1:6379", redis(), "127.0.0.1:6379");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::Needed);
    let named = "127.0.0.1:6379 (redis-server.service on the host)";
    assert!(because(&advice).contains(named), "{}", because(&advice));
    assert!(text(&advice).contains("host networking is needed"), "{}", text(&advice));
}

#[test]
fn a_service_of_the_host_that_listens_for_everyone_is_reached_by_name() {
    let mut scene = web_server();
    scene.connect_to("127.0.0.1:5432", unit("postgresql.service"), "0.0.0.0:5432");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    let expected = "-p 8080:8080 --add-host host.docker.internal:host-gateway";
    assert_eq!(run(&advice), expected);
    let compose = &advice.change.compose;
    assert!(
        compose.contains("extra_hosts:\n      - \"host.docker.internal:host-gateway\""),
        "{compose}"
    );
    let conditions = advice.change.conditions.join("\n");
    assert!(conditions.contains("postgresql.service"), "{conditions}");
}

#[test]
fn another_container_is_reached_in_one_network() {
    let mut scene = web_server();
    let other = container("db", "2026-11-28T00:00:00Z", &[]);
    scene.connect_to("127.0.0.1:5432", other, "0.0.0.0:5432");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(advice.needs, [Needs::NetworkWith("db".to_owned())]);
    assert_eq!(run(&advice), "--network web-net -p 8080:8080");
    assert!(
        advice.change.compose.ends_with("networks:\n  web-net: {}\n"),
        "{}",
        advice.change.compose
    );
    assert!(advice.change.conditions.iter().any(|one| one.contains("docker network connect")));
}

#[test]
fn itself_over_loopback_is_no_need() {
    let mut scene = web_server();
    scene.listen("127.0.0.1:9000");
    scene.connect("127.0.0.1:9000", 3);
    scene.accept_itself("127.0.0.1:9000");
    scene.unix(UnixKind::Bind, b"\0mine", None);
    scene.unix(UnixKind::Connect, b"\0mine", None);
    scene.refused("127.0.0.1:6379");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded, "{:?}", advice.verdict);
    assert_eq!(run(&advice), "-p 8080:8080");
    let own = advice.ports.iter().find(|port| port.port == 9000).unwrap();
    assert_eq!(own.publish, Publish::Unused(vec!["127.0.0.1:9000:9000".to_owned()]));
}

#[test]
fn a_source_address_of_the_hosts_is_a_condition() {
    let mut scene = web_server();
    let cookie = scene.bind("10.0.0.2:0", "10.0.0.2:40000", TCP);
    scene.connect_by(cookie, "10.0.0.2:40000", "93.184.216.34:443");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(run(&advice), "-p 8080:8080");
    let source = advice.evidence.iter().find(|one| one.group == Group::SourceAddress).unwrap();
    assert_eq!(source.subject, "10.0.0.2 as the source");
}

#[test]
fn a_change_of_the_network_counts_where_it_is_allowed() {
    for (capabilities, answer) in [(&["NET_ADMIN"][..], Answer::Needed), (&[], Answer::NotNeeded)] {
        let mut scene = web_server();
        scene.container("vpn", capabilities);
        scene.listen("0.0.0.0:1194");
        scene.accept("10.0.0.2:1194", "10.0.0.9:5000", 20);
        scene.add_route();
        let advice = scene.advice();
        assert_eq!(advice.verdict.answer, answer, "{capabilities:?}");
    }
}
